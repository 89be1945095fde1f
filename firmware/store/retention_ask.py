"""The question that stops a run of the janitor, and the answer that lets it go on."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum, auto

from sqlite_utils import Database

from firmware.errors import RequestError
from firmware.store import alarms
from firmware.store.retention_plan import Plan
from firmware.store.transaction import Row, Transaction, fetch

YES_LASTS_MS = 86_400_000
"""A yes is for what was shown: the next run within a day, and nothing newer than what was shown."""

NO_LASTS_MS = 7 * 86_400_000
"""So long the same rules are not asked about again."""


class Permission(Enum):
    GO = auto()
    WAIT = auto()
    """Nobody has answered yet."""
    REFUSED = auto()


def permission(tx: Transaction, wanted: Plan, settings_version: int) -> Permission:
    """Whether the run may go on; asks when it may not. A yes counts once."""
    newest = _newest(tx.db)
    if not wanted.asks:
        if newest is not None and newest["decision"] is None:
            # The rules were changed, or things became fewer: there is nothing left to decide.
            tx.execute("DELETE FROM retention_ask WHERE id = ?", (newest["id"],))
        alarms.resolve_alarm(tx, key="retention_asks", subject="disk", at=tx.now)
        return Permission.GO
    if newest is not None and newest["used_utc_ms"] is None and newest["settings_version"] == settings_version:
        age_ms = abs(tx.now.utc_ms - (newest["decided_utc_ms"] or tx.now.utc_ms))
        if newest["decision"] == "yes" and age_ms < YES_LASTS_MS and wanted.newest_utc_ms <= newest["newest_utc_ms"]:
            tx.execute("UPDATE retention_ask SET used_utc_ms = ? WHERE id = ?", (tx.now.utc_ms, newest["id"]))
            alarms.resolve_alarm(tx, key="retention_asks", subject="disk", at=tx.now)
            return Permission.GO
        if newest["decision"] == "no" and age_ms < NO_LASTS_MS:
            return Permission.REFUSED
    _ask(tx, wanted, settings_version, newest)
    return Permission.WAIT


def open_question(db: Database) -> Row | None:
    """What waits for an answer."""
    newest = _newest(db)
    return newest if newest is not None and newest["decision"] is None else None


def decide(tx: Transaction, *, ask: int, yes: bool, by: str) -> None:
    """A person's answer. Raises `RequestError` when the question is not the open one (any more)."""
    waiting = open_question(tx.db)
    if waiting is None or waiting["id"] != ask:
        raise RequestError("conflict", "this question is not open any more: load the page again")
    tx.execute(
        "UPDATE retention_ask SET decision = ?, decided_by = ?, decided_utc_ms = ? WHERE id = ?",
        ("yes" if yes else "no", by, tx.now.utc_ms, ask),
    )
    alarms.resolve_alarm(tx, key="retention_asks", subject="disk", at=tx.now)


def _newest(db: Database) -> Row | None:
    rows = fetch(db, "SELECT * FROM retention_ask ORDER BY id DESC LIMIT 1")
    return rows[0] if rows else None


def _ask(tx: Transaction, wanted: Plan, settings_version: int, newest: Row | None) -> None:
    values = (len(wanted.victims), wanted.bytes, wanted.kept, wanted.newest_utc_ms, settings_version)
    if newest is not None and newest["decision"] is None:
        tx.execute(
            "UPDATE retention_ask SET recordings = ?, bytes = ?, kept = ?, newest_utc_ms = ?, settings_version = ? "
            "WHERE id = ?",
            (*values, newest["id"]),
        )
    else:
        tx.execute(
            "INSERT INTO retention_ask (recordings, bytes, kept, newest_utc_ms, settings_version, at_utc_ms) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (*values, tx.now.utc_ms),
        )
    if not alarms.stands(tx.db, "retention_asks"):
        until = datetime.fromtimestamp(wanted.newest_utc_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        params = {"count": str(len(wanted.victims)), "percent": f"{wanted.percent:.0f}", "until": until}
        alarms.raise_alarm(tx, key="retention_asks", subject="disk", at=tx.now, params=params)
