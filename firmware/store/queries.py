"""What the page, the command line and the socket read, in the shapes of docs/interfaces.md."""

from __future__ import annotations

from collections import Counter

from sqlite_utils import Database

from firmware.model import Disposition
from firmware.store.alarms import alarm_json
from firmware.store.boot import corrected
from firmware.store.calls import call_json
from firmware.store.fault_texts import fault_text
from firmware.store.ledger import ENTRY
from firmware.store.notes import call_note
from firmware.store.periods import ALWAYS, Period, within
from firmware.store.recordings import recording_json
from firmware.store.sims import marks_of
from firmware.store.transaction import Row, fetch

__all__ = [
    "ALWAYS", "Period", "alarm_history", "epoch", "ledger", "list_calls", "one_call", "one_recording",
    "standing_alarms", "today",
]  # fmt: skip

_STARTED = corrected("c.started_utc_ms", "c.started_boot_ns", "b")
_CALL = f"""
    SELECT c.*, {_STARTED} AS started_utc_ms,
        {corrected("c.answered_utc_ms", "c.answered_boot_ns", "ba")} AS answered_utc_ms,
        {corrected("c.ended_utc_ms", "c.ended_boot_ns", "be")} AS ended_utc_ms
    FROM call c JOIN boot b ON b.boot_no = c.boot_no
        LEFT JOIN boot ba ON ba.boot_no = coalesce(c.answered_boot_no, c.boot_no)
        LEFT JOIN boot be ON be.boot_no = coalesce(c.ended_boot_no, c.boot_no)
"""  # noqa: S608
_RECORDING = f"""
    SELECT r.*, {corrected("r.started_utc_ms", "r.started_boot_ns", "b")} AS started_utc_ms
    FROM recording r JOIN boot b ON b.boot_no = r.boot_no
"""  # noqa: S608
_TODAY = """
    SELECT count(*) AS calls, coalesce(sum(c.direction = 'incoming' AND c.outcome = 'missed'), 0) AS missed
    FROM call c JOIN boot b ON b.boot_no = c.boot_no
"""
_GAP = "SELECT g.* FROM gap g JOIN recording r ON r.id = g.recording_id"
_SOME = 500


def list_calls(
    db: Database, *, period: Period = ALWAYS, line: str | None = None, limit: int | None = None, offset: int = 0
) -> list[Row]:
    """Calls, newest first, each with ``recordings`` and ``note``: {"en", "zh"} or null."""
    where, values = _conditions(db, period, row="c", moment="started")
    if line is not None:
        where.append("c.line = ?")
        values.append(line)
    rows = fetch(
        db,
        f"{_CALL} {_where(where)} ORDER BY c.boot_no DESC, c.started_boot_ns DESC, c.id DESC LIMIT ? OFFSET ?",
        [*values, -1 if limit is None else limit, offset],
    )
    return _with_recordings(db, rows)


def one_call(db: Database, call: str) -> Row | None:
    """The same for one call; None when there is none of that id."""
    found = _with_recordings(db, fetch(db, f"{_CALL} WHERE c.id = ?", (call,)))
    return found[0] if found else None


def one_recording(db: Database, recording: str) -> Row | None:
    """RECORDING with its ``call_id`` and ``line``; None when there is none of that id."""
    rows = fetch(db, f"{_RECORDING} WHERE r.id = ?", (recording,))
    if not rows:
        return None
    gaps = fetch(db, "SELECT * FROM gap WHERE recording_id = ? ORDER BY at_frame", (recording,))
    return recording_json(rows[0], gaps) | {"call_id": rows[0]["call_id"], "line": rows[0]["line"]}


def ledger(db: Database, *, period: Period = ALWAYS, line: str | None = None) -> Row:
    """Balance, named faults and entries (oldest first) of a period."""
    where, values = _conditions(db, period, row="l", moment="at")
    if line is not None:
        where.append("l.line = ?")
        values.append(line)
    entries = fetch(db, f"{ENTRY} {_where(where)} ORDER BY l.boot_no, l.at_boot_ns, l.rowid", values)
    counts = Counter(entry["disposition"] for entry in entries)
    faults = Counter(entry["fault"] for entry in entries if entry["disposition"] == Disposition.FAULT)
    return {
        "balance": {disposition.value: counts[disposition.value] for disposition in Disposition},
        "balanced": counts[Disposition.UNEXPLAINED.value] == 0,
        "faults": [
            {"fault": fault, "count": count, "text": fault_text(fault)} for fault, count in sorted(faults.items())
        ],
        "entries": entries,
    }


def today(db: Database, since_utc_ms: int) -> Row:
    """``{"calls", "missed"}`` since ``since_utc_ms``, the last midnight where the box stands."""
    where, values = within(db, Period(since_utc_ms=since_utc_ms), row="c", moment="started")
    return fetch(db, f"{_TODAY} {_where(where)}", values)[0]


def standing_alarms(db: Database) -> list[Row]:
    """ALARMs that are not resolved, gravest first."""
    rows = fetch(
        db,
        "SELECT * FROM alarm WHERE resolved_utc_ms IS NULL ORDER BY "
        "CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, last_utc_ms DESC, id DESC",
    )
    return [alarm_json(row) for row in rows]


def alarm_history(db: Database, *, limit: int = 200, offset: int = 0) -> list[Row]:
    """ALARMs, newest first, resolved ones too."""
    rows = fetch(db, "SELECT * FROM alarm ORDER BY id DESC LIMIT ? OFFSET ?", (limit, offset))
    return [alarm_json(row) for row in rows]


def epoch(db: Database) -> str:
    """Changes when the database is made anew; the cloud counts outbox rows within it."""
    return str(fetch(db, "SELECT value FROM meta WHERE key = 'epoch'")[0]["value"])


def _with_recordings(db: Database, calls: list[Row]) -> list[Row]:
    by_call: dict[str, list[Row]] = {row["id"]: [] for row in calls}
    ids = list(by_call)
    for start in range(0, len(ids), _SOME):
        some = ids[start : start + _SOME]
        marks = ", ".join("?" * len(some))
        gaps: dict[str, list[Row]] = {}
        for gap in fetch(db, f"{_GAP} WHERE r.call_id IN ({marks}) ORDER BY g.at_frame", some):
            gaps.setdefault(gap["recording_id"], []).append(gap)
        for row in fetch(db, f"{_RECORDING} WHERE r.call_id IN ({marks}) ORDER BY r.part", some):
            by_call[row["call_id"]].append(recording_json(row, gaps.get(row["id"], [])))
    listed = []
    said = {call: found for n in range(0, len(ids), _SOME) for call, found in marks_of(db, ids[n : n + _SOME]).items()}
    for row in calls:
        recordings = by_call[row["id"]]
        note = call_note(row, recordings, said.get(row["id"], ()))
        listed.append(call_json(row) | {"recordings": recordings, "note": note})
    return listed


def _conditions(db: Database, period: Period, *, row: str, moment: str) -> tuple[list[str], list[int | str]]:
    where, values = within(db, period, row=row, moment=moment)
    return where, [*values]


def _where(conditions: list[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""
