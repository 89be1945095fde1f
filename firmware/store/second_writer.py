"""Short write transactions of a process that is not the recorder: the janitor and the doctor's repairs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from firmware.clock import boot_id
from firmware.errors import StoreError
from firmware.model import Instant
from firmware.ports import Clock
from firmware.store import boot
from firmware.store.ballast import Ballast
from firmware.store.database import open_writer, primary_code
from firmware.store.transaction import Transaction, immediate

T = TypeVar("T")

BUSY_TIMEOUT_S = 30.0
"""The recorder's commits take milliseconds; waiting longer than this means that somebody hangs."""


class SecondWriter:
    """A connection of its own; the recorder goes on between its transactions. See docs/store.md, "Who writes what"."""

    def __init__(self, path: Path, clock: Clock, *, boot_name: str | None = None) -> None:
        """Raises `StoreError` when there is no database of this version."""
        self._path = path
        self._clock = clock
        self._boot_id = boot_name or boot_id()
        self.db: Database = open_writer(path, busy_timeout_s=BUSY_TIMEOUT_S)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in one transaction and returns its result once it is committed.

        On a full disk it gives up the ballast and tries once more: deleting needs room too. Raises `StoreError`.
        """
        try:
            return self._write(work)
        except sqlite3.OperationalError as error:
            if primary_code(error) == sqlite3.SQLITE_FULL and Ballast(self._path.parent).release():
                return self._write(work)
            raise StoreError(
                f"cannot write {self._path}: {error}. Is another program using it, or the disk full?"
            ) from error

    def now(self) -> Instant:
        """By the clock that its transactions are stamped with."""
        return self._clock.now()

    def close(self) -> None:
        self.db.close()

    def _write(self, work: Callable[[Transaction], T]) -> T:
        with immediate(self.db):
            now = self._clock.now()
            tx = Transaction(self.db, boot.ensure(self.db, self._boot_id, now), now)
            return work(tx)
