"""Deletes the sound of one recording because somebody asked for it; its row, and the call's, stay."""

from __future__ import annotations

from pathlib import Path

from firmware.errors import RequestError
from firmware.store.deletion import SEALED, Rule, mark_deleted
from firmware.store.retention import files_of, forget_paths
from firmware.store.transaction import Row, Transaction
from firmware.store.writer import StoreWriter


def erase_recording(store: StoreWriter, data_dir: Path, *, recording: str, by: str, reason: str) -> bool:
    """False when it had been deleted before. Raises `RequestError` for one that is unknown, protected or being written.

    Marked first, files afterwards, as retention does: the janitor finishes what a power cut leaves.
    """
    row = store.call(lambda tx: _mark(tx, recording, by, reason))
    if row is None:
        return False
    for path in files_of(data_dir, row):
        path.unlink(missing_ok=True)
    store.call(lambda tx: forget_paths(tx, [row]))
    return True


def _mark(tx: Transaction, recording: str, by: str, reason: str) -> Row | None:
    row = tx.row("SELECT * FROM recording WHERE id = ?", (recording,))
    if row is None:
        raise RequestError("invalid", f"there is no recording {recording!r:.60}")
    if row["status"] == "deleted":
        return None
    if row["status"] != "sealed":
        raise RequestError("wrong_phase", f"recording {recording} is not finished ({row['status']}): ask again later")
    sealed = tx.rows(f"{SEALED} AND r.id = ?", (recording,))
    if not mark_deleted(tx, sealed, rule=Rule.PERSON, by=by, reason=reason):
        raise RequestError("wrong_phase", f"recording {recording} is protected: take the protection back first")
    return row
