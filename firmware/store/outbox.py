"""Rows for the cloud, put into the same transaction as the fact they report."""

from __future__ import annotations

import json

from firmware.store.ids import file_id, ulid
from firmware.store.transaction import Committed, Row, Transaction

PRIO_RECORD = 1
PRIO_AUDIO = 3


def put(tx: Transaction, kind: str, body: Row) -> int:
    """Tells the cloud, and after the commit the box's own listeners, that ``kind`` happened. Returns its seq.

    A plain INSERT on purpose: with AUTOINCREMENT it takes the next number and a rollback gives the number back, while
    INSERT OR IGNORE may use one up without a row, which the cloud would see as a lost record.
    """
    cursor = tx.execute(
        "INSERT INTO outbox_event (id, type, boot_no, boot_ns, utc_ms, body, prio) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            ulid(tx.now.utc_ms),
            kind,
            tx.boot.boot_no,
            tx.now.boot_ns,
            tx.now.utc_ms,
            json.dumps(body, ensure_ascii=False, separators=(",", ":")),
            PRIO_RECORD,
        ),
    )
    tx.committed.append(Committed(kind, body))
    return int(cursor.lastrowid or 0)


def put_file(tx: Transaction, *, recording: str, started_utc_ms: int, path: str, size: int, sha256: str) -> str:
    """Queues a sealed file for the cloud and returns its id there. The same file again is a no-op."""
    fid = file_id(recording=recording, started_utc_ms=started_utc_ms, sha256=sha256)
    tx.execute(
        "INSERT INTO outbox_file (fid, recording_id, path, size, sha256, prio) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (fid) DO NOTHING",
        (fid, recording, path, size, sha256, PRIO_AUDIO),
    )
    return fid


def withdraw_files(tx: Transaction, recording: str, *, keep: tuple[str, ...] = ()) -> None:
    """Takes files of ``recording`` out of the queue that are no longer on the disk; what the cloud has stays known."""
    marks = ", ".join("?" * len(keep))
    tx.execute(
        f"DELETE FROM outbox_file WHERE recording_id = ? AND state <> 'stored' AND sha256 NOT IN ({marks})",  # noqa: S608
        (recording, *keep),
    )
