"""The one thread that writes calls, recordings, the ledger and alarms: in order, and nothing is ever dropped.

What waits is committed together: a card takes 10 to 200 ms for a commit, and a call that begins behind twenty reports
of a module that has just come up must not wait for twenty of them. A power cut takes what is not committed.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from firmware.clock import boot_id
from firmware.effects import RaiseAlarm, ResolveAlarm
from firmware.errors import StoreError
from firmware.ports import Clock
from firmware.store import alarms, boot
from firmware.store.apply import apply_all
from firmware.store.ballast import Ballast
from firmware.store.database import open_writer, primary_code
from firmware.store.facts import Fact
from firmware.store.transaction import Boot, Committed, Transaction, immediate
from firmware.worker import Worker

log = logging.getLogger("offhook.store")

T = TypeVar("T")

BUSY_TIMEOUT_S = 0.5
"""Short, because what is busy is tried again anyway, and a stop must not wait for somebody else's lock."""

RETRY_FIRST_S = 0.05
RETRY_LONGEST_S = 5.0
LOOK_AROUND_EVERY_S = 5.0
BLOCKED_WORTH_TELLING_S = 10.0
MOST_TOGETHER = 100
"""Submissions in one transaction: a few milliseconds of work, and little to do again when the disk is full."""
DISK_FULL = "disk_full"

_REOPEN = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
_WAIT_FOR_IT = _REOPEN | {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
"""Primary result codes that pass by themselves or when somebody frees space; any other is a bug or damage."""


class StoreWriter:
    """Facts go in from any thread and return at once; they are committed in the order given, no submission in part.

    ``on_commit`` is called on the writer's thread, after the commit, with what the transaction told the cloud. When the
    disk is full or another process holds the lock, facts wait in memory, in order, for as long as it takes.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        on_commit: Callable[[Sequence[Committed]], None] | None = None,
        ballast: Ballast | None = None,
        boot_name: str | None = None,
    ) -> None:
        """Opens the database at once, so that a wrong schema stops the start. Raises `StoreError`."""
        self._path = path
        self._clock = clock
        self._on_commit = on_commit
        self._ballast = ballast or Ballast(path.parent)
        self._db = self._open()
        self._boot_id = boot_name or boot_id()
        self._boot: Boot | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._notes: list[Fact] = []
        self._waiting = 0
        self._lock = threading.Lock()
        self._abandon = threading.Event()
        self._blocked: str | None = None
        self._looked_s = 0.0
        self._worker = Worker("store-writer", self._run)

    @property
    def waiting(self) -> int:
        """Submissions that are not committed yet."""
        return self._waiting

    @property
    def blocked(self) -> str | None:
        """Why nothing can be written at the moment; None when all is well."""
        return self._blocked

    def start(self) -> None:
        self._worker.start()

    def submit(self, facts: Sequence[Fact]) -> None:
        """Stores ``facts``, all or none, after everything submitted before. Returns at once."""
        if facts:
            kept = tuple(facts)
            self._put(_Job(lambda tx: apply_all(tx, kept)))

    def call(self, work: Callable[[Transaction], T], *, deadline_s: float = 10.0) -> T:
        """Runs ``work`` in a transaction of its own, after everything submitted before; returns when it is committed.

        What ``work`` raises undoes the transaction and is raised here. Raises `StoreError` when it was not committed by
        ``deadline_s``; then it never will be.
        """
        job = _Job(work, called=True)
        self._put(job)
        if not job.wait(deadline_s):
            raise StoreError(
                f"the database did not take the change within {deadline_s} s ({self._blocked or 'too much to write'}): "
                "check the free space, then try again"
            )
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def flush(self, deadline_s: float) -> None:
        """Returns when everything submitted so far is on the disk. Raises `StoreError` when it is not by then."""
        self.call(lambda _tx: None, deadline_s=deadline_s)

    def stop(self, deadline_s: float) -> None:
        """Writes what waits, then stops. Raises `StoreError` when something could not be written by then."""
        patience = threading.Timer(deadline_s, self._abandon.set)
        patience.daemon = True
        patience.start()
        self._worker.request_stop()
        self._jobs.put(None)
        try:
            self._worker.join(deadline_s + BUSY_TIMEOUT_S + 1.0)
        finally:
            patience.cancel()
        self._db.close()
        if self._waiting:
            raise StoreError(f"{self._waiting} changes could not be written before the stop: {self._blocked}")

    def _put(self, job: _Job) -> None:
        with self._lock:
            self._waiting += 1
        self._jobs.put(job)

    def _run(self, _stop: threading.Event) -> None:
        self._look_around()
        taken: deque[_Job | None] = deque()
        while not self._abandon.is_set():
            if not self._take(taken):
                self._look_around()
                continue
            batch = _head(taken)
            if not batch:
                return
            done = self._insist_on(batch)
            with self._lock:
                self._waiting -= done
            if time.monotonic() - self._looked_s >= LOOK_AROUND_EVERY_S:
                self._look_around()

    def _take(self, taken: deque[_Job | None]) -> bool:
        """Adds what waits to ``taken``. False when there is nothing."""
        try:
            if not taken:
                taken.append(self._jobs.get(timeout=LOOK_AROUND_EVERY_S))
            while True:
                taken.append(self._jobs.get_nowait())
        except queue.Empty:
            return bool(taken)

    def _insist_on(self, batch: Sequence[_Job]) -> int:
        """`_insist` for jobs that are committed together; one by one when that does not work. Returns how many are."""
        if len(batch) > 1:
            try:
                told = _Job(lambda tx: [job.work(tx) for job in batch]).attempt(self._commit)
            except Exception as error:  # whose fault it is, and what to do about it, each finds out by itself
                log.info("not committed together", extra={"offhook": {"jobs": len(batch), "reason": str(error)}})
            else:
                self._tell(told)
                return len(batch)
        return sum(1 for _ in takewhile(self._insist, batch))

    def _tell(self, told: Sequence[Committed]) -> None:
        if told and self._on_commit is not None:
            self._on_commit(told)

    def _insist(self, job: _Job) -> bool:
        """Runs ``job`` until it is committed or given up by its caller. False when the stop's deadline came first."""
        pause_s, since_s = RETRY_FIRST_S, time.monotonic()
        while True:
            try:
                told = job.attempt(self._commit)
            except sqlite3.OperationalError as error:
                if primary_code(error) not in _WAIT_FOR_IT:
                    raise
                self._suffer(error)
            else:
                self._recover(time.monotonic() - since_s)
                self._tell(told)
                return True
            if self._abandon.wait(pause_s):
                return False
            pause_s = min(pause_s * 2, RETRY_LONGEST_S)

    def _commit(self, work: Callable[[Transaction], Any]) -> tuple[Any, list[Committed]]:
        notes = tuple(self._notes)
        with immediate(self._db):
            now = self._clock.now()
            tx = Transaction(self._db, self._boot or boot.ensure(self._db, self._boot_id, now), now)
            boot.follow_clock(tx)
            apply_all(tx, notes)
            result = work(tx)
        self._boot = tx.boot
        del self._notes[: len(notes)]
        return result, tx.committed

    def _suffer(self, error: sqlite3.OperationalError) -> None:
        """Makes the next attempt likelier to work."""
        if self._blocked is None:
            log.warning("the database cannot be written", extra={"offhook": {"reason": str(error)}})
        self._blocked = str(error)
        code = primary_code(error)
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR} and self._ballast.release():
            log.error("disk full: gave the ballast to the database")
            self._notes.append(RaiseAlarm(key=DISK_FULL, subject="disk", at=self._clock.now()))
        if code == sqlite3.SQLITE_FULL:
            self._shrink_wal()
        if code in _REOPEN:
            try:
                fresh = self._open()
            except StoreError as still:
                self._blocked = str(still)
            else:
                self._db.close()
                self._db = fresh

    def _shrink_wal(self) -> None:
        """The -wal file may hold some MiB that the database itself needs only once."""
        try:
            self._db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            log.info("no room for a checkpoint either", extra={"offhook": {"reason": str(error)}})

    def _recover(self, blocked_s: float) -> None:
        if self._blocked is None:
            return
        log.warning("the database can be written again", extra={"offhook": {"blocked_s": round(blocked_s, 2)}})
        if blocked_s >= BLOCKED_WORTH_TELLING_S:
            params = {"seconds": str(round(blocked_s)), "reason": self._blocked}
            at = self._clock.now()
            self._notes.append(RaiseAlarm(key="store_blocked", subject=self._path.name, at=at, params=params))
            self._notes.append(ResolveAlarm(key="store_blocked", subject=self._path.name, at=at))
        self._blocked = None

    def _look_around(self) -> None:
        """Now and then: is there room again? Was the clock set?"""
        self._looked_s = time.monotonic()
        room = self._ballast.take() and self._ballast.plenty
        jumped = self._boot is not None and boot.drift_ms(self._boot, self._clock.now())
        if self._notes or jumped or (room and alarms.stands(self._db, DISK_FULL)):
            self._insist(_Job(lambda tx: alarms.resolve_everywhere(tx, key=DISK_FULL) if room else None))

    def _open(self) -> Database:
        try:
            return open_writer(self._path, busy_timeout_s=BUSY_TIMEOUT_S)
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, sqlite3.OperationalError) and self._ballast.release():
                return open_writer(self._path, busy_timeout_s=BUSY_TIMEOUT_S)
            raise


def _head(jobs: deque[_Job | None]) -> list[_Job]:
    """Takes the jobs at the head of ``jobs`` that may be committed together; none when it says stop.

    What somebody waits for is committed by itself: it may be refused, or given up.
    """
    head: list[_Job] = []
    while jobs and len(head) < MOST_TOGETHER:
        job = jobs[0]
        if job is None or (head and job.called):
            break
        head.append(job)
        jobs.popleft()
        if job.called:
            break
    return head


class _Job:
    """One piece of work, and whoever waits for it."""

    def __init__(self, work: Callable[[Transaction], Any], *, called: bool = False) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self.work = work
        self.called = called
        self._done = threading.Event()
        self._attempt = threading.Lock()
        self._given_up = False

    def attempt(self, commit: Callable[[Callable[[Transaction], Any]], tuple[Any, list[Committed]]]) -> list[Committed]:
        """Tries once; what is worth another try is raised."""
        with self._attempt:
            if self._given_up:
                return []
            told: list[Committed] = []
            try:
                self.result, told = commit(self.work)
            except Exception as error:
                passes = isinstance(error, sqlite3.OperationalError) and primary_code(error) in _WAIT_FOR_IT
                if passes or not self.called:
                    raise
                self.error = error
            self._done.set()
            return told

    def wait(self, deadline_s: float) -> bool:
        """Whether it was committed, or refused, in time. After False it is never tried again."""
        if self._done.wait(deadline_s):
            return True
        with self._attempt:
            self._given_up = not self._done.is_set()
            return not self._given_up
