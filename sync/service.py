"""The sync process. No cloud can be configured yet: it says so, and how much waits for one."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from firmware import log as logs
from firmware.errors import StoreError
from firmware.notify import Notifier
from firmware.store.database import open_reader
from firmware.store.transaction import fetch

log = logging.getLogger("offhook.sync")

_LOOK_EVERY_S = 30.0

_BACKLOG = """
    SELECT (SELECT count(*) FROM outbox_event WHERE state = 'pending') AS events,
        (SELECT count(*) FROM outbox_file WHERE state IN ('pending', 'sending')) AS files,
        (SELECT coalesce(sum(size), 0) FROM outbox_file WHERE state IN ('pending', 'sending')) AS bytes
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for the cloud."""

    events: int
    files: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.events} messages and {self.files} recordings ({self.bytes / 1e6:.1f} MB)"


def backlog(database: Path) -> Backlog:
    """Raises `StoreError` when the database is missing, damaged or of another version."""
    db = open_reader(database)
    try:
        return Backlog(**fetch(db, _BACKLOG)[0])
    finally:
        db.close()


def main(data_dir: Path, _run_dir: Path) -> int:
    """Reports until SIGTERM or SIGINT. Raises `StoreError` when there is no database to report on at the start."""
    logs.set_up("offhook-sync")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    database = data_dir / "offhook.db"
    notifier = Notifier()
    waiting = backlog(database)
    notifier.ready(_status(waiting))
    log.info(_status(waiting))
    while not stop.wait(_LOOK_EVERY_S):
        notifier.watchdog()
        try:
            notifier.status(_status(backlog(database)))
        except StoreError as error:
            log.warning("cannot look at the outbox: %s", error)
            notifier.status(str(error))
    notifier.stopping()
    return 0


def _status(waiting: Backlog) -> str:
    return f"no cloud is configured; {waiting} are kept for one"
