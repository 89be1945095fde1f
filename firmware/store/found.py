"""Recordings of an earlier run: the store may know neither them nor their call nor the boot they were made in."""

from __future__ import annotations

from firmware.model import Call, CallId, CallStatus, Direction, EndReason, Instant, LineId, Outcome
from firmware.ports import RecordingFound
from firmware.store import boot, calls, recordings
from firmware.store.transaction import Transaction


def recording_found(tx: Transaction, fact: RecordingFound, *, duration_s: float = 0.0) -> None:
    """Makes the rows that are missing; what is known stays as it is. ``duration_s`` is its length as far as known."""
    boot_no = boot.ensure(tx.db, fact.boot_id, fact.at).boot_no if fact.boot_id else boot.which(tx, fact.at)
    if tx.row("SELECT 1 FROM call WHERE id = ?", (fact.call,)) is None:
        calls.save(tx, _remains(fact.call, fact.line, fact.at, fact.part, duration_s), boot_no=boot_no)
    recordings.opened(tx, fact, boot_no=boot_no)


def _remains(call: CallId, line: LineId, started: Instant, parts: int, duration_s: float) -> Call:
    """All that is left of a call: when it was, on which line, and that there was something to record."""
    return Call(
        id=call,
        line=line,
        direction=Direction.UNKNOWN,
        status=CallStatus.ENDED,
        started=started,
        ended=started.plus_s(duration_s),
        outcome=Outcome.ANSWERED,
        end_reason=EndReason.NOT_SEEN_TO_END,
        parts=parts,
    )
