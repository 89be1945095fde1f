"""The calls that were open when the recorder last stopped, as the call machine knew them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from sqlite_utils import Database

from firmware.model import (
    Call,
    CallFlag,
    CallId,
    CallStatus,
    Direction,
    EndReason,
    Instant,
    LineId,
    Outcome,
    Presentation,
)
from firmware.store.transaction import Row, fetch

log = logging.getLogger("offhook.store")


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that was up at the last commit."""

    call: Call
    boot_id: str
    """The boot its ``started`` belongs to: compare with `firmware.clock.boot_id` before using ``boot_ns``."""
    last_known: Instant
    """The last moment the database knows of it, in the boot ``last_known_boot_id``."""
    last_known_boot_id: str


def open_calls_as_stored(db: Database) -> list[OpenCall]:
    """Every call that has not ended, oldest first; moments as stored, on the clock of the boot they belong to."""
    rows = fetch(
        db,
        "SELECT c.*, b.boot_id FROM call c INDEXED BY call_open JOIN boot b ON b.boot_no = c.boot_no "
        "WHERE c.status <> 'ended' ORDER BY c.boot_no, c.started_boot_ns",
    )
    calls: list[OpenCall] = []
    for row in rows:
        try:
            calls.append(_open_call(db, row))
        except ValueError as error:
            # One bad row must not keep the recorder from recording; `offhook doctor` reports it.
            log.error("cannot read an open call", extra={"offhook": {"call": row["id"], "reason": str(error)}})
    return calls


def _open_call(db: Database, row: Row) -> OpenCall:
    last = fetch(db, _LAST_KNOWN, {"call": row["id"]})[0]
    return OpenCall(
        call=call_of(row),
        boot_id=row["boot_id"],
        last_known=_instant(last["boot_ns"], last["utc_ms"]),
        last_known_boot_id=last["boot_id"],
    )


_LAST_KNOWN = """
    SELECT b.boot_id, m.boot_ns, m.utc_ms FROM (
        SELECT boot_no, started_boot_ns AS boot_ns, started_utc_ms AS utc_ms FROM call WHERE id = :call
        UNION ALL SELECT coalesce(answered_boot_no, boot_no), answered_boot_ns, answered_utc_ms
            FROM call WHERE id = :call AND answered_boot_ns IS NOT NULL
        UNION ALL SELECT boot_no, at_boot_ns, at_utc_ms FROM ledger WHERE call_id = :call
        UNION ALL SELECT boot_no, started_boot_ns + coalesce(duration_ms, 0) * 1000000,
            started_utc_ms + coalesce(duration_ms, 0) FROM recording WHERE call_id = :call
    ) m JOIN boot b ON b.boot_no = m.boot_no ORDER BY m.boot_no DESC, m.boot_ns DESC LIMIT 1
"""


def call_of(row: Row) -> Call:
    """The value that was saved as ``row``, its moments cut to milliseconds. Raises `ValueError` for an unknown word."""
    return Call(
        id=CallId(row["id"]),
        line=LineId(row["line"]),
        direction=Direction(row["direction"]),
        status=CallStatus(row["status"]),
        started=_instant(row["started_boot_ns"], row["started_utc_ms"]),
        number=row["number"],
        name=row["name"],
        presentation=Presentation(row["presentation"]),
        answered=_maybe_instant(row["answered_boot_ns"], row["answered_utc_ms"]),
        ended=_maybe_instant(row["ended_boot_ns"], row["ended_utc_ms"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        parts=row["parts"],
        flags=frozenset(CallFlag(flag) for flag in json.loads(row["flags"])),
        ring_pattern=row["ring_pattern"],
    )


def _instant(boot_ns: int, utc_ms: int) -> Instant:
    return Instant(boot_ns=boot_ns, utc_ns=utc_ms * 1_000_000)


def _maybe_instant(boot_ns: int | None, utc_ms: int | None) -> Instant | None:
    return None if boot_ns is None or utc_ms is None else _instant(boot_ns, utc_ms)
