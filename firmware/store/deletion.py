"""Marks recordings as deleted: the row says so first, the files go afterwards, and who wanted it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from firmware.store import outbox
from firmware.store.transaction import Row, Transaction


class Rule(StrEnum):
    """Why sound was deleted."""

    DAYS = "days"
    """Older than its line's sound is kept."""
    SPACE = "space"
    """The disk, or the line's share of it, was full."""
    NOT_TO_BE_RECORDED = "not_to_be_recorded"
    """The number was known only after the recording had begun, and the rules say that it is not recorded."""
    PERSON = "person"


_REASONS = {
    Rule.DAYS: "retention",
    Rule.SPACE: "retention",
    Rule.NOT_TO_BE_RECORDED: "not_to_be_recorded",
    Rule.PERSON: "person",
}
"""As the cloud is told."""

SEALED = """
    SELECT r.id, r.call_id, r.line, r.started_utc_ms, r.boot_no, r.started_boot_ns,
        coalesce(r.flac_size, 0) + coalesce(r.opus_size, 0) AS bytes,
        EXISTS (SELECT 1 FROM outbox_file f WHERE f.recording_id = r.id AND f.sha256 = r.flac_sha256
            AND f.state = 'stored') AS stored,
        EXISTS (SELECT 1 FROM outbox_file f WHERE f.recording_id = r.id AND f.sha256 = r.opus_sha256
            AND f.state = 'stored') AS opus_stored,
        EXISTS (SELECT 1 FROM call_protection p WHERE p.call_id = r.call_id) AS protected
    FROM recording r WHERE r.status = 'sealed'
"""
"""What `mark_deleted` wants to know of each recording; add conditions with AND."""


def mark_deleted(tx: Transaction, rows: Sequence[Row], *, rule: Rule, by: str, reason: str = "") -> int:
    """Marks sealed recordings (rows of `SEALED`) as deleted and tells the cloud. Returns how many.

    One that is not sealed any more, or was protected meanwhile, is left alone, whoever asks.
    """
    done = 0
    for row in rows:
        changed = tx.execute(
            "UPDATE recording SET status = 'deleted' WHERE id = ? AND status = 'sealed' "
            "AND NOT EXISTS (SELECT 1 FROM call_protection p WHERE p.call_id = recording.call_id)",
            (row["id"],),
        ).rowcount
        if not changed:
            continue
        done += 1
        outbox.withdraw_files(tx, row["id"])
        body = {"id": row["id"], "call_id": row["call_id"], "line": row["line"], "status": "deleted"}
        outbox.put(tx, "recording.deleted", body | {"reason": _REASONS[rule], "stored": bool(row["stored"])})
        tx.execute(
            "INSERT INTO deletion (recording_id, call_id, line, rule, by, reason, stored, bytes, at_utc_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row["id"],
                row["call_id"],
                row["line"],
                rule.value,
                by,
                reason,
                bool(row["stored"]),
                row["bytes"],
                tx.now.utc_ms,
            ),
        )
    return done
