"""What SIM modules tell beside calls becomes rows, and rows for the cloud; and what others read of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from sqlite_utils import Database

from firmware.minutes import MeteredCall
from firmware.sim import (
    CallMarked,
    MessageKept,
    MessageState,
    NetworkTimeTold,
    PinRefused,
    SignalSampled,
    SimReport,
    SimSeen,
    SimStatus,
    UssdAnswered,
)
from firmware.store import boot, outbox
from firmware.store.ids import ulid
from firmware.store.transaction import Row, Transaction, fetch

KEEP_SIGNAL_DAYS: Final = 30


def report(tx: Transaction, fact: SimReport) -> None:
    match fact:
        case SimSeen():
            _seen(tx, fact)
        case SignalSampled():
            _sampled(tx, fact)
        case MessageKept():
            _message(tx, fact)
        case UssdAnswered():
            row = {"line": fact.line, "at_utc_ms": fact.at.utc_ms, "code": fact.code, "text": fact.text}
            columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
            tx.execute(f"INSERT INTO sim_balance ({columns}) VALUES ({marks})", row)  # noqa: S608
            outbox.put(tx, "sim.balance", row)
        case PinRefused():
            tx.execute("UPDATE sim_pin SET refused = 1 WHERE line = ?", (fact.line,))
        case CallMarked():
            tx.execute(
                "INSERT INTO call_mark (call_id, mark, after_s) SELECT id, ?, ? FROM call "
                "WHERE line = ? AND status <> 'ended' ORDER BY boot_no DESC, started_boot_ns DESC LIMIT 1",
                (fact.mark.value, fact.after_s, fact.line),
            )
        case NetworkTimeTold():
            pass  # the desk decides whether the clock needs it
        case _:
            raise TypeError(f"nobody stores {type(fact).__name__}")


def status_json(status: SimStatus) -> Row:
    """SIM of docs/interfaces.md."""
    return asdict(status) | {"voice": status.voice.value}


def _seen(tx: Transaction, fact: SimSeen) -> None:
    status = status_json(fact.status)
    if status["imei"] is None:  # it has only just begun to talk: who it is, is not forgotten meanwhile
        before = tx.row("SELECT json_extract(status, '$.imei') AS imei FROM sim_status WHERE line = ?", (fact.line,))
        status["imei"] = before["imei"] if before else None
    packed = json.dumps(status, ensure_ascii=False)
    tx.execute(
        "INSERT INTO sim_status (line, at_utc_ms, status) VALUES (?, ?, ?) ON CONFLICT (line) DO UPDATE SET "
        "at_utc_ms = excluded.at_utc_ms, status = excluded.status",
        (fact.line, fact.at.utc_ms, packed),
    )
    outbox.put(tx, "sim.status", status | {"line": fact.line, "at_utc_ms": fact.at.utc_ms})


def _sampled(tx: Transaction, fact: SignalSampled) -> None:
    status = fact.status
    tx.execute(
        "INSERT INTO sim_signal (line, boot_no, at_utc_ms, at_boot_ns, dbm, circuit, packet, radio, operator, voice) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            fact.line, boot.which(tx, fact.at), fact.at.utc_ms, fact.at.boot_ns, status.signal_dbm, status.circuit,
            status.packet, status.radio, status.operator, status.voice.value,
        ),
    )  # fmt: skip
    too_old = fact.at.utc_ms - KEEP_SIGNAL_DAYS * 86_400_000
    tx.execute("DELETE FROM sim_signal WHERE line = ? AND at_utc_ms < ?", (fact.line, too_old))


def _message(tx: Transaction, fact: MessageKept) -> None:
    if fact.state is MessageState.RECEIVED and _known(tx, fact):
        return  # read again from the card: it was not deleted there before the box stopped
    own = tx.row("SELECT json_extract(status, '$.own_number') AS number FROM sim_status WHERE line = ?", (fact.line,))
    row = {
        "id": ulid(tx.now.utc_ms),
        "line": fact.line,
        "own_number": own["number"] if own else None,
        "state": fact.state.value,
        "number": fact.number,
        "text": fact.text,
        "boot_no": boot.which(tx, fact.at),
        "at_utc_ms": fact.at.utc_ms,
        "at_boot_ns": fact.at.boot_ns,
        "network_utc_ms": fact.network_utc_ms,
        "detail": fact.detail,
    }
    marks = ", ".join(f":{name}" for name in row)
    tx.execute(f"INSERT INTO sim_message ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608
    outbox.put(tx, "sim.message", row)


def _known(tx: Transaction, fact: MessageKept) -> bool:
    same = (fact.line, fact.number, fact.text, fact.network_utc_ms)
    query = "SELECT 1 FROM sim_message WHERE line = ? AND number = ? AND text = ? AND network_utc_ms = ?"
    return tx.row(query, same) is not None


# --- PINs ---


def set_pin(tx: Transaction, *, line: str, iccid: str | None, sealed: bytes) -> None:
    tx.execute(
        "INSERT INTO sim_pin (line, iccid, sealed, refused, set_utc_ms) VALUES (?, ?, ?, 0, ?) "
        "ON CONFLICT (line) DO UPDATE SET iccid = excluded.iccid, sealed = excluded.sealed, refused = 0, "
        "set_utc_ms = excluded.set_utc_ms",
        (line, iccid, sealed, tx.now.utc_ms),
    )


def forget_pin(tx: Transaction, *, line: str) -> None:
    tx.execute("DELETE FROM sim_pin WHERE line = ?", (line,))


def pins(db: Database) -> list[Row]:
    return fetch(db, "SELECT line, iccid, sealed, refused FROM sim_pin")


# --- reading ---


def statuses(db: Database) -> list[Row]:
    """SIMs of docs/interfaces.md, by line."""
    rows = fetch(db, "SELECT line, at_utc_ms, status FROM sim_status ORDER BY line")
    return [{"line": row["line"], "at_utc_ms": row["at_utc_ms"]} | json.loads(row["status"]) for row in rows]


def messages(db: Database, *, line: str | None = None, limit: int = 100) -> list[Row]:
    """Newest first."""
    where, values = ("WHERE line = ?", [line]) if line is not None else ("", [])
    return fetch(
        db,
        "SELECT id, line, own_number, state, number, text, at_utc_ms, network_utc_ms, detail FROM sim_message "  # noqa: S608
        f"{where} ORDER BY boot_no DESC, at_boot_ns DESC, id DESC LIMIT ?",
        [*values, limit],
    )


def signal_history(db: Database, *, line: str, since_utc_ms: int = 0) -> list[Row]:
    """Oldest first."""
    return fetch(
        db,
        "SELECT at_utc_ms, dbm, circuit, packet, radio, operator, voice FROM sim_signal "
        "WHERE line = ? AND at_utc_ms >= ? ORDER BY at_utc_ms",
        (line, since_utc_ms),
    )


def balances(db: Database, *, line: str, limit: int = 10) -> list[Row]:
    """Newest first."""
    return fetch(
        db,
        "SELECT at_utc_ms, code, text FROM sim_balance WHERE line = ? ORDER BY at_utc_ms DESC LIMIT ?",
        (line, limit),
    )


def metered_calls(db: Database, *, line: str, since_utc_ms: int) -> list[MeteredCall]:
    """The answered outgoing calls of a SIM. Lengths are measured on the clock that never jumps, where one boot saw both
    ends."""
    rows = fetch(
        db,
        "SELECT number, answered_utc_ms, answered_boot_ns, answered_boot_no, ended_utc_ms, ended_boot_ns, "
        "ended_boot_no FROM call WHERE line = ? AND direction = 'outgoing' AND answered_utc_ms >= ?",
        (line, since_utc_ms),
    )
    return [_metered(row) for row in rows]


def _metered(row: Row) -> MeteredCall:
    ended_ms = row["ended_utc_ms"]
    if ended_ms is not None and row["answered_boot_no"] == row["ended_boot_no"]:
        ended_ms = row["answered_utc_ms"] + (row["ended_boot_ns"] - row["answered_boot_ns"]) / 1_000_000
    return MeteredCall(
        number=row["number"],
        answered=datetime.fromtimestamp(row["answered_utc_ms"] / 1000, UTC),
        ended=None if ended_ms is None else datetime.fromtimestamp(ended_ms / 1000, UTC),
    )


def marks_of(db: Database, calls: Sequence[str]) -> dict[str, list[Row]]:
    """What is worth saying beside these calls."""
    found: dict[str, list[Row]] = {}
    if calls:
        places = ", ".join("?" * len(calls))
        rows = fetch(db, f"SELECT * FROM call_mark WHERE call_id IN ({places}) ORDER BY after_s", calls)  # noqa: S608
        for row in rows:
            found.setdefault(row["call_id"], []).append(row)
    return found
