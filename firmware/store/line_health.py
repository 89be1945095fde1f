"""What each recording told of its line, and how it goes from call to call."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Any

from sqlite_utils import Database

from firmware.ports import LineMeasured
from firmware.store.facts import CallVoltage
from firmware.store.transaction import Row, Transaction, fetch

_RING_PERIOD_S = (0.5, 8.0)
_TRENDS = ("hum_50_dbfs", "hum_60_dbfs", "noise_dbfs", "speech_dbfs", "on_hook_v", "off_hook_v")


def measured(tx: Transaction, fact: LineMeasured) -> None:
    """Kept as long as its recording is."""
    health = fact.health
    tx.execute(
        "INSERT INTO line_health "
        "(recording_id, line, hum_50_dbfs, hum_60_dbfs, noise_dbfs, speech_dbfs, clipped_share) "
        "SELECT id, line, ?, ?, ?, ?, ? FROM recording WHERE id = ? ON CONFLICT (recording_id) DO UPDATE SET "
        "hum_50_dbfs = excluded.hum_50_dbfs, hum_60_dbfs = excluded.hum_60_dbfs, noise_dbfs = excluded.noise_dbfs, "
        "speech_dbfs = excluded.speech_dbfs, clipped_share = excluded.clipped_share",
        (
            health.hum_50_dbfs,
            health.hum_60_dbfs,
            health.noise_dbfs,
            health.speech_dbfs,
            health.clipped_share,
            fact.recording,
        ),
    )


def voltage(tx: Transaction, fact: CallVoltage) -> None:
    """Kept as long as its call is; what is said later fills what was not known."""
    tx.execute(
        "INSERT INTO line_voltage (call_id, line, on_hook_v, off_hook_v) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (call_id) DO UPDATE SET on_hook_v = coalesce(on_hook_v, excluded.on_hook_v), "
        "off_hook_v = coalesce(off_hook_v, excluded.off_hook_v)",
        (fact.call, fact.line, fact.on_hook_v, fact.off_hook_v),
    )


def line_health(db: Database, *, line: str | None = None, calls: int = 20) -> list[Row]:
    """One HEALTH of docs/interfaces.md per analog line, from its last ``calls`` calls, newest first."""
    lines = fetch(db, "SELECT id FROM line WHERE kind = 'analog' AND (? IS NULL OR id = ?) ORDER BY id", [line, line])
    return [_of_line(db, row["id"], calls) for row in lines]


def _of_line(db: Database, line: str, calls: int) -> Row:
    last = fetch(
        db,
        "SELECT id, direction, presentation, started_utc_ms FROM call WHERE line = ? AND status = 'ended' "
        "ORDER BY boot_no DESC, started_boot_ns DESC LIMIT ?",
        [line, calls],
    )
    rows = [
        {
            "call_id": call["id"],
            "started_utc_ms": call["started_utc_ms"],
            "ring_period_ms": _ring_period_ms(db, call["id"]),
            **_sound(db, call["id"]),
            **_voltage(db, call["id"]),
        }
        for call in last
    ]
    incoming = [call for call in last if call["direction"] == "incoming"]
    nameless = sum(call["presentation"] == "unknown" for call in incoming)
    trend = {key: _trend([row[key] for row in rows]) for key in _TRENDS}
    return {
        "line": line,
        "calls": rows,
        "incoming": len(incoming),
        "without_caller_id": nameless,
        "ring_period_ms": _trend([row["ring_period_ms"] for row in rows])["median"],
        "trend": trend,
    }


def _sound(db: Database, call: str) -> dict[str, Any]:
    found = fetch(
        db,
        "SELECT h.hum_50_dbfs, h.hum_60_dbfs, h.noise_dbfs, h.speech_dbfs, h.clipped_share FROM line_health h "
        "JOIN recording r ON r.id = h.recording_id WHERE r.call_id = ? ORDER BY r.part LIMIT 1",
        [call],
    )
    names = ("hum_50_dbfs", "hum_60_dbfs", "noise_dbfs", "speech_dbfs", "clipped_share")
    return {name: found[0][name] if found else None for name in names}


def _voltage(db: Database, call: str) -> dict[str, Any]:
    found = fetch(db, "SELECT on_hook_v, off_hook_v FROM line_voltage WHERE call_id = ?", [call])
    return found[0] if found else {"on_hook_v": None, "off_hook_v": None}


def _ring_period_ms(db: Database, call: str) -> int | None:
    """Between the beginnings of its bursts, as the ledger has them."""
    rings = fetch(db, "SELECT at_boot_ns FROM ledger WHERE call_id = ? AND kind = 'ring' ORDER BY at_boot_ns", [call])
    gaps_s = [(b["at_boot_ns"] - a["at_boot_ns"]) / 1e9 for a, b in pairwise(rings)]
    whole = [gap for gap in gaps_s if _RING_PERIOD_S[0] <= gap <= _RING_PERIOD_S[1]]
    return round(1000 * median(whole)) if whole else None


def _trend(newest_first: list[float | None]) -> dict[str, float | None]:
    """The median, and how much the newer half differs from the older."""
    values = [value for value in newest_first if value is not None]
    if not values:
        return {"median": None, "change": None}
    half = len(values) // 2
    change = round(median(values[:half]) - median(values[half:]), 1) if half else None
    return {"median": round(median(values), 1), "change": change}
