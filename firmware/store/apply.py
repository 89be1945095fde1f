"""Turns facts into rows, each fact by its own module, all facts of one submission in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import assert_never

from firmware.effects import Account, RaiseAlarm, ResolveAlarm, SaveCall
from firmware.model import CallFlag
from firmware.ports import (
    LineMeasured,
    RecordingClosed,
    RecordingFailed,
    RecordingFound,
    RecordingOpened,
    RecordingSealed,
    SealFailed,
)
from firmware.sim import SimReport
from firmware.store import alarms, boot, calls, found, ledger, line_health, lines, recordings, sims
from firmware.store.facts import CallVoltage, ClockSet, Fact, HoleBegun, HoleEnded, LineKnown
from firmware.store.transaction import Transaction

log = logging.getLogger("offhook.store")

_CONTRADICTIONS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    LookupError,
    ValueError,
    TypeError,
    OverflowError,
)


def apply_all(tx: Transaction, facts: Sequence[Fact]) -> None:
    """Stores every fact. One that contradicts the database is put into `quarantine` with an alarm; the others go on."""
    entered: list[str] = []
    for fact in facts:
        try:
            with tx.savepoint():
                entry = _apply(tx, fact)
        except _CONTRADICTIONS as error:
            _set_aside(tx, fact, error)
            continue
        if entry is not None:
            entered.append(entry)
    ledger.check_explained(tx, entered)


def _apply(tx: Transaction, fact: Fact) -> str | None:  # noqa: PLR0912
    match fact:
        case SaveCall(call=call):
            calls.save(tx, call)
            if CallFlag.NOT_TO_BE_RECORDED in call.flags:
                recordings.throw_away(tx, call.id)
        case Account():
            return ledger.account(tx, fact)
        case HoleBegun():
            ledger.hole_begins(tx, fact)
        case HoleEnded():
            ledger.holes_end(tx, fact)
        case RaiseAlarm(key=key, subject=subject, at=at, params=params):
            alarms.raise_alarm(tx, key=key, subject=subject, at=at, params=params)
        case ResolveAlarm(key=key, subject=subject, at=at):
            alarms.resolve_alarm(tx, key=key, subject=subject, at=at)
        case RecordingOpened():
            recordings.opened(tx, fact)
        case RecordingFound():
            found.recording_found(tx, fact)
        case RecordingClosed():
            recordings.closed(tx, fact)
        case RecordingSealed():
            recordings.sealed(tx, fact)
        case RecordingFailed():
            recordings.failed(tx, fact)
        case SealFailed():
            recordings.seal_failed(tx, fact)
        case LineMeasured():
            line_health.measured(tx, fact)
        case CallVoltage():
            line_health.voltage(tx, fact)
        case LineKnown():
            lines.known(tx, fact)
        case ClockSet(source=source):
            boot.follow_clock(tx, source=source)
        case SimReport():
            sims.report(tx, fact)
        case _:
            assert_never(fact)
    return None


def _set_aside(tx: Transaction, fact: Fact, error: Exception) -> None:
    subject = str(getattr(fact, "line", None) or type(fact).__name__)
    log.error("a fact was put aside", extra={"offhook": {"fact": type(fact).__name__, "reason": str(error)}})
    tx.execute(
        "INSERT INTO quarantine (kind, ref, reason, at_utc_ms) VALUES ('fact', ?, ?, ?)",
        (repr(fact), str(error), tx.now.utc_ms),
    )
    alarms.raise_alarm(
        tx, key="fact_refused", subject=subject, at=tx.now, params={"what": f"{type(fact).__name__}: {error}"}
    )
