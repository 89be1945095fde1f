"""Copies into the audit log what other processes did: deletions by the rules, settings changed elsewhere."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from firmware.errors import StoreError
from firmware.store.database import open_reader
from firmware.store.transaction import Row, fetch
from firmware.worker import Worker
from webui.users.audit import Action, AuditLog
from webui.users.store import UserStore

log = logging.getLogger("offhook.web.audit")

EVERY_S = 30.0
_DELETION = "audit_follow_deletion"
_SETTING = "audit_follow_setting"
_AT_ONCE = 500


class AuditFollow:
    """A thread that looks twice a minute; what it has copied it remembers, so that nothing stands twice."""

    def __init__(self, data_dir: Path, users: UserStore, audit: AuditLog) -> None:
        self._data_dir = data_dir
        self._users = users
        self._audit = audit
        self._worker = Worker("audit-follow", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop(5.0)

    def copy(self) -> int:
        """Copies what is new and returns how many entries that made. Raises nothing: the next look tries again."""
        try:
            db = open_reader(self._data_dir / "offhook.db")
        except StoreError:
            return 0
        try:
            deletions = self._follow(
                _DELETION,
                lambda last: fetch(db, "SELECT * FROM deletion WHERE n > ? ORDER BY n LIMIT ?", (last, _AT_ONCE)),
                self._deletion,
            )
            settings = self._follow(
                _SETTING,
                lambda last: fetch(
                    db,
                    "SELECT version AS n, applied_utc_ms, applied_by FROM setting WHERE version > ? "
                    "ORDER BY version LIMIT ?",
                    (last, _AT_ONCE),
                ),
                self._setting,
            )
        except sqlite3.Error as error:
            log.warning("what others did cannot be read now: %s", error)
            return 0
        finally:
            db.close()
        return deletions + settings

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.copy()
            stop.wait(EVERY_S)

    def _follow(self, key: str, read: Callable[[int], list[Row]], tell: Callable[[Row], None]) -> int:
        rows = read(int(self._users.note(key) or 0))
        for row in rows:
            tell(row)
            self._users.set_note(key, str(row["n"]))
        return len(rows)

    def _deletion(self, row: Row) -> None:
        detail = {name: row[name] for name in ("recording_id", "line", "rule", "reason", "bytes")}
        self._audit.record(
            Action.DELETED,
            str(row["call_id"]),
            actor=str(row["by"]),
            detail=detail | {"stored": bool(row["stored"])},
            at_utc_ms=int(row["at_utc_ms"]),
        )

    def _setting(self, row: Row) -> None:
        self._audit.record(
            Action.SETTINGS_CHANGED,
            f"version {row['n']}",
            actor=str(row["applied_by"]),
            at_utc_ms=int(row["applied_utc_ms"]),
        )
