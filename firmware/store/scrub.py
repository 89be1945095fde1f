"""Reads a few sealed recordings again and compares them with what was sealed: a failing card is noticed early."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from firmware.store import alarms
from firmware.store.hashing import sha256_of
from firmware.store.second_writer import SecondWriter
from firmware.store.transaction import Row, Transaction, fetch

log = logging.getLogger("offhook.janitor")

RECORDINGS_PER_RUN = 50
BYTES_PER_RUN = 512 * 1024 * 1024
_CURSOR = "scrubbed_up_to"


def scrub(writer: SecondWriter, data_dir: Path) -> int:
    """Looks at the next recordings after those of the last run, and begins anew at the end. Returns damaged ones."""
    damaged = 0
    for row in _next(writer):
        fault = fault_of(data_dir, row, "flac") or fault_of(data_dir, row, "opus")
        damaged += fault is not None
        writer.write(lambda tx, row=row, fault=fault: _note(tx, row, fault))  # type: ignore[misc]
    return damaged


def fault_of(data_dir: Path, row: Row, codec: str, *, whole: bool = True) -> tuple[str, str] | None:
    """What is wrong with one file of a sealed recording: (path, reason); None when it is as it was sealed.

    Not ``whole``: only its size is compared.
    """
    relative = str(row[f"{codec}_path"] or "")
    path = data_dir / relative
    try:
        size = path.stat().st_size
        if size != row[f"{codec}_size"]:
            return relative, f"{size} bytes instead of {row[f'{codec}_size']}"
        if whole and sha256_of(path) != row[f"{codec}_sha256"]:
            return relative, "its SHA-256 is another one"
    except FileNotFoundError:
        return relative, "it is missing"
    except OSError as error:
        return relative, f"it cannot be read: {error.strerror}"
    return None


def _next(writer: SecondWriter) -> Iterator[Row]:
    found = fetch(writer.db, "SELECT value FROM meta WHERE key = ?", (_CURSOR,))
    after = int(found[0]["value"]) if found else 0
    rows = fetch(
        writer.db,
        "SELECT rowid AS _rowid, * FROM recording WHERE status = 'sealed' AND rowid > ? ORDER BY rowid LIMIT ?",
        (after, RECORDINGS_PER_RUN),
    )
    if len(rows) < RECORDINGS_PER_RUN and after:
        writer.write(lambda tx: _set_cursor(tx, 0))
    read = 0
    for row in rows:
        read += (row["flac_size"] or 0) + (row["opus_size"] or 0)
        yield row
        if read >= BYTES_PER_RUN:
            return


def _note(tx: Transaction, row: Row, fault: tuple[str, str] | None) -> None:
    _set_cursor(tx, int(row["_rowid"]))
    still = tx.row("SELECT status FROM recording WHERE id = ?", (row["id"],))
    if still is None or still["status"] != "sealed":
        return
    if fault is None:
        alarms.resolve_alarm(tx, key="file_damaged", subject=row["id"], at=tx.now)
        return
    path, reason = fault
    log.error("a recording is not as it was sealed", extra={"offhook": {"path": path, "reason": reason}})
    alarms.raise_alarm(tx, key="file_damaged", subject=row["id"], at=tx.now, params={"path": path, "reason": reason})


def _set_cursor(tx: Transaction, rowid: int) -> None:
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_CURSOR, str(rowid)),
    )
