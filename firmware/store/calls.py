"""Calls: each change of a call becomes its row and the row for the cloud; an ended call never changes."""

from __future__ import annotations

import json
import logging

from firmware.model import Call, CallStatus, Instant
from firmware.signals.numbers import e164
from firmware.store import alarms, boot, outbox
from firmware.store.transaction import Row, Transaction

log = logging.getLogger("offhook.store")

_COLUMNS = (
    "id", "line", "direction", "status", "number", "name", "presentation", "boot_no", "started_utc_ms",
    "started_boot_ns", "answered_utc_ms", "answered_boot_ns", "answered_boot_no", "ended_utc_ms", "ended_boot_ns",
    "ended_boot_no", "outcome", "end_reason", "parts", "flags", "number_e164", "ring_pattern",
)  # fmt: skip
_FIXED = frozenset({"id", "line", "boot_no", "started_utc_ms", "started_boot_ns"})


def save(tx: Transaction, call: Call, *, boot_no: int | None = None) -> None:
    """Stores ``call`` as it is now. The same value again changes nothing and tells nobody.

    Its moments belong to the boot ``boot_no``; None: to this one, or to an earlier one where the clocks say so.
    """
    old = tx.row("SELECT * FROM call WHERE id = ?", (call.id,))
    new = _row(tx, call, old, boot_no)
    if old is None:
        marks = ", ".join(f":{name}" for name in _COLUMNS)
        tx.execute(f"INSERT INTO call ({', '.join(_COLUMNS)}) VALUES ({marks})", new)  # noqa: S608
        _tell(tx, "call.ended" if call.status is CallStatus.ENDED else "call.started", new)
        return
    changed = [name for name in _COLUMNS if name not in _FIXED and old[name] != new[name]]
    if not changed:
        return
    if old["status"] == CallStatus.ENDED:
        _refuse(tx, call, changed)
        return
    tx.execute(f"UPDATE call SET {', '.join(f'{name} = :{name}' for name in changed)} WHERE id = :id", new)  # noqa: S608
    _tell(tx, "call.ended" if call.status is CallStatus.ENDED else "call.updated", new)


def call_json(row: Row) -> Row:
    """CALL of docs/interfaces.md from a row of the table."""
    names = (
        "id", "line", "direction", "status", "started_utc_ms", "number", "name", "presentation", "answered_utc_ms",
        "ended_utc_ms", "outcome", "end_reason", "parts", "number_e164", "ring_pattern",
    )  # fmt: skip
    return {name: row[name] for name in names} | {"flags": json.loads(row["flags"])}


def _tell(tx: Transaction, kind: str, row: Row) -> None:
    clocks = ("boot_no", "started_boot_ns", "answered_boot_no", "answered_boot_ns", "ended_boot_no", "ended_boot_ns")
    outbox.put(tx, kind, call_json(row) | {name: row[name] for name in clocks})


def _refuse(tx: Transaction, call: Call, changed: list[str]) -> None:
    """A bug elsewhere, not worth losing the rest of the transaction for: what was stored first stays."""
    log.error("refused to change an ended call", extra={"offhook": {"call": call.id, "columns": changed}})
    alarms.raise_alarm(
        tx, key="fact_refused", subject=call.line, at=tx.now, params={"what": f"{call.id}: {', '.join(changed)}"}
    )


def _row(tx: Transaction, call: Call, old: Row | None, boot_no: int | None) -> Row:
    started_boot_no = int(old["boot_no"]) if old else boot_no or boot.which(tx, call.started)
    return {
        "id": call.id,
        "line": call.line,
        "direction": call.direction.value,
        "status": call.status.value,
        "number": call.number,
        "name": call.name,
        "presentation": call.presentation.value,
        "boot_no": started_boot_no,
        "started_utc_ms": call.started.utc_ms,
        "started_boot_ns": call.started.boot_ns,
        **_moment(tx, "answered", call.answered, old, boot_no),
        **_moment(tx, "ended", call.ended, old, boot_no),
        "outcome": call.outcome.value if call.outcome else None,
        "end_reason": call.end_reason.value if call.end_reason else None,
        "parts": call.parts,
        "flags": json.dumps(sorted(flag.value for flag in call.flags)),
        "number_e164": _e164(tx, call, old),
        "ring_pattern": call.ring_pattern,
    }


def _e164(tx: Transaction, call: Call, old: Row | None) -> str | None:
    """Read by the country its line stands in now; a number that was read once is not read again by another."""
    if old is not None and old["number"] == call.number:
        known: str | None = old["number_e164"]
        return known
    line = tx.row("SELECT country FROM line WHERE id = ?", (call.line,))
    return e164(call.number, "" if line is None else line["country"])


def _moment(tx: Transaction, name: str, at: Instant | None, old: Row | None, boot_no: int | None) -> Row:
    if at is None:
        return {f"{name}_utc_ms": None, f"{name}_boot_ns": None, f"{name}_boot_no": None}
    if old and old[f"{name}_utc_ms"] == at.utc_ms and old[f"{name}_boot_no"] is not None:
        return {column: old[column] for column in (f"{name}_utc_ms", f"{name}_boot_ns", f"{name}_boot_no")}
    return {
        f"{name}_utc_ms": at.utc_ms,
        f"{name}_boot_ns": at.boot_ns,
        f"{name}_boot_no": boot_no or boot.which(tx, at),
    }
