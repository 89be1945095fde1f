"""Compares the database with the files, reading only; repairs, when asked, what loses nothing by it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from firmware.clock import SystemClock
from firmware.errors import StoreError
from firmware.ports import Clock
from firmware.store.adopt import Orphan, adopt, find_orphans
from firmware.store.copies import backup
from firmware.store.database import check_schema, integrity_faults, open_reader
from firmware.store.examination import Code, Finding, Progress, findings_of
from firmware.store.replacement import BACKUPS
from firmware.store.second_writer import SecondWriter
from firmware.store.transaction import Row, Transaction, fetch

TABLES = (
    "call", "recording", "gap", "ledger", "alarm", "setting", "line", "boot", "outbox_event", "outbox_file",
    "quarantine", "call_protection", "deletion", "call_note", "call_tag", "call_marker", "call_review", "annotation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """``findings`` is what was found (before a repair, if one was asked for), ``left`` what the repair left."""

    findings: tuple[Finding, ...]
    rows_before: dict[str, int]
    rows_after: dict[str, int] | None = None
    left: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not (self.findings if self.rows_after is None else self.left)

    def as_json(self) -> dict[str, Any]:
        """What ``offhook doctor --json`` prints."""
        return {
            "ok": self.ok,
            "findings": [finding.as_json() for finding in self.findings],
            "rows_before": self.rows_before,
            "rows_after": self.rows_after,
        }


def examine(data_dir: Path, *, hashes: bool = True, progress: Progress | None = None) -> Report:
    """Looks at everything and changes nothing. ``hashes`` reads every sealed file again; sizes are always compared."""
    path = data_dir / "offhook.db"
    if not path.exists():
        return Report((Finding(Code.DATABASE_MISSING, str(path), "there is no database: run `offhook migrate`"),), {})
    try:
        db = open_reader(path, check=False)
    except StoreError as error:
        return Report((_damaged(path, str(error)),), {})
    try:
        if faults := integrity_faults(db):
            return Report(tuple(_damaged(path, fault) for fault in faults), {})
        try:
            check_schema(db, path)
        except StoreError as error:
            return Report((Finding(Code.SCHEMA, str(path), str(error)),), {})
        found = findings_of(db, data_dir, recorder_runs=recorder_runs(data_dir), hashes=hashes, progress=progress)
        return Report(tuple(found), _rows(db))
    finally:
        db.close()


def repair(
    data_dir: Path, clock: Clock | None = None, *, hashes: bool = True, progress: Progress | None = None
) -> Report:
    """Examines, copies the database to ``backup/before-repair-<UTC>.db``, repairs, and examines again.

    No row is deleted without a copy in ``quarantine``, and no file at all. Raises `StoreError` when it cannot write.
    """
    before = examine(data_dir, hashes=hashes, progress=progress)
    if not any(finding.repair for finding in before.findings):
        return Report(before.findings, before.rows_before, before.rows_before, before.findings)
    clock = clock or SystemClock()
    writer = SecondWriter(data_dir / "offhook.db", clock)
    try:
        folder = data_dir / BACKUPS
        folder.mkdir(mode=0o770, exist_ok=True)
        stamp = datetime.fromtimestamp(clock.now().utc_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
        backup(writer.db, folder / f"before-repair-{stamp}.db")
        writer.write(_set_orphan_gaps_aside)
        for orphan in find_orphans(writer.db, data_dir):
            writer.write(lambda tx, orphan=orphan: _adopt(tx, orphan))  # type: ignore[misc]
    finally:
        writer.close()
    after = examine(data_dir, hashes=False)
    still = {(finding.code, finding.subject) for finding in after.findings}
    hashed = {(finding.code, finding.subject) for finding in before.findings if finding.code is Code.FILE_DAMAGED}
    left = (*after.findings, *(f for f in before.findings if (f.code, f.subject) in hashed - still))
    return Report(before.findings, before.rows_before, after.rows_before, left)


def recorder_runs(data_dir: Path) -> bool:
    """Whether a process holds the recorder's lock; asked without touching it: a start just now must not be refused."""
    lock = data_dir / "recorder.lock"
    if not lock.exists():
        return False
    inode = str(lock.stat().st_ino)
    # proc_locks(5): "1: FLOCK  ADVISORY  WRITE 708 08:02:525 0 EOF". The device is not compared: overlay file systems
    # show another one there than in stat(2).
    held = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(len(fields) > 5 and fields[1] == "FLOCK" and fields[5].split(":")[-1] == inode for fields in held)


def _damaged(path: Path, fault: str) -> Finding:
    return Finding(
        Code.DATABASE_DAMAGED,
        str(path),
        f"{fault}. Stop the services and run `offhook migrate`: it keeps this file aside, makes a new database and "
        "takes over what can be read, and the recordings",
    )


def _rows(db: Database) -> dict[str, int]:
    return {table: int(fetch(db, f'SELECT count(*) AS n FROM "{table}"')[0]["n"]) for table in TABLES}  # noqa: S608


def _adopt(tx: Transaction, orphan: Orphan) -> None:
    """The recorder may have stored it meanwhile."""
    if tx.row("SELECT 1 FROM recording WHERE id = ?", (orphan.recording,)) is None:
        adopt(tx, orphan)


def _set_orphan_gaps_aside(tx: Transaction) -> None:
    rows: list[Row] = tx.rows(
        "SELECT rowid AS n, * FROM gap WHERE recording_id NOT IN (SELECT id FROM recording) ORDER BY rowid"
    )
    for row in rows:
        tx.execute(
            "INSERT INTO quarantine (kind, ref, reason, at_utc_ms) VALUES ('gap', ?, 'its recording is not stored', ?)",
            (json.dumps(row), tx.now.utc_ms),
        )
        tx.execute("DELETE FROM gap WHERE rowid = ?", (row["n"],))
