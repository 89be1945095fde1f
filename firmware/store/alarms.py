"""Alarms: one standing row per key and subject, counted, acknowledged by people, resolved by the box."""

from __future__ import annotations

import json

from sqlite_utils import Database

from firmware.errors import RequestError
from firmware.model import Instant
from firmware.store import outbox
from firmware.store.alarm_texts import ALARMS, UNKNOWN, sentence
from firmware.store.transaction import Row, Transaction, fetch


def raise_alarm(tx: Transaction, *, key: str, subject: str, at: Instant, params: dict[str, str] | None = None) -> Row:
    """Raises the alarm, or counts it once more when it stands already. Returns ALARM of docs/interfaces.md."""
    text = ALARMS.get(key, UNKNOWN)
    packed = json.dumps(params or {}, ensure_ascii=False)
    standing = tx.row("SELECT * FROM alarm WHERE key = ? AND subject = ? AND resolved_utc_ms IS NULL", (key, subject))
    if standing is None:
        cursor = tx.execute(
            "INSERT INTO alarm (key, subject, severity, params, since_utc_ms, last_utc_ms) VALUES (?, ?, ?, ?, ?, ?)",
            (key, subject, text.severity.value, packed, at.utc_ms, at.utc_ms),
        )
        return _tell(tx, "alarm.raised", int(cursor.lastrowid or 0))
    tx.execute(
        "UPDATE alarm SET count = count + 1, last_utc_ms = ?, params = ? WHERE id = ?",
        (at.utc_ms, packed, standing["id"]),
    )
    return _tell(tx, "alarm.repeated", int(standing["id"]))


def resolve_alarm(tx: Transaction, *, key: str, subject: str, at: Instant) -> Row | None:
    """What the alarm told of is over. None when it did not stand."""
    standing = tx.row("SELECT id FROM alarm WHERE key = ? AND subject = ? AND resolved_utc_ms IS NULL", (key, subject))
    if standing is None:
        return None
    tx.execute("UPDATE alarm SET resolved_utc_ms = ? WHERE id = ?", (at.utc_ms, standing["id"]))
    return _tell(tx, "alarm.resolved", int(standing["id"]))


def stands(db: Database, key: str) -> bool:
    return bool(fetch(db, "SELECT 1 FROM alarm WHERE key = ? AND resolved_utc_ms IS NULL LIMIT 1", (key,)))


def resolve_everywhere(tx: Transaction, *, key: str) -> None:
    """What the alarm told of is over for every subject."""
    for row in tx.rows("SELECT subject FROM alarm WHERE key = ? AND resolved_utc_ms IS NULL", (key,)):
        resolve_alarm(tx, key=key, subject=row["subject"], at=tx.now)


def acknowledge(tx: Transaction, *, alarm: int, by: str) -> Row:
    """A person has seen it. The first one counts. Raises `RequestError` when there is no such alarm."""
    row = tx.row("SELECT acknowledged_utc_ms FROM alarm WHERE id = ?", (alarm,))
    if row is None:
        raise RequestError("bad_request", f"there is no alarm {alarm}: it may be from before the database was replaced")
    if row["acknowledged_utc_ms"] is not None:
        return alarm_json(_row(tx, alarm))
    tx.execute("UPDATE alarm SET acknowledged_utc_ms = ?, acknowledged_by = ? WHERE id = ?", (tx.now.utc_ms, by, alarm))
    return _tell(tx, "alarm.acknowledged", alarm)


def alarm_json(row: Row) -> Row:
    """ALARM of docs/interfaces.md from a row of the table."""
    key, subject = str(row["key"]), str(row["subject"])
    params: dict[str, str] = json.loads(row["params"])
    text = ALARMS.get(key, UNKNOWN)

    def say(template: str) -> str:
        return sentence(template, key=key, subject=subject, params=params)

    return {
        "id": row["id"],
        "key": key,
        "subject": subject,
        "severity": row["severity"],
        "text": {"en": say(text.en), "zh": say(text.zh)},
        "todo": {"en": say(text.todo_en), "zh": say(text.todo_zh)},
        "since_utc_ms": row["since_utc_ms"],
        "last_utc_ms": row["last_utc_ms"],
        "count": row["count"],
        "acknowledged_utc_ms": row["acknowledged_utc_ms"],
        "resolved_utc_ms": row["resolved_utc_ms"],
    }


def _row(tx: Transaction, alarm: int) -> Row:
    found = tx.row("SELECT * FROM alarm WHERE id = ?", (alarm,))
    assert found is not None
    return found


def _tell(tx: Transaction, kind: str, alarm: int) -> Row:
    body = alarm_json(_row(tx, alarm))
    outbox.put(tx, kind, body)
    return body
