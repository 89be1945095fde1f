"""The completeness ledger: every event of a line, and the call or the named fault it belongs to."""

from __future__ import annotations

from sqlite_utils import Database

from firmware.effects import Account
from firmware.store import alarms, boot, outbox
from firmware.store.boot import corrected
from firmware.store.facts import HoleBegun, HoleEnded
from firmware.store.transaction import Row, Transaction, fetch

DISPOSITION = """CASE
    WHEN l.fault IS NOT NULL THEN 'fault'
    WHEN c.id IS NULL THEN 'unexplained'
    WHEN c.status <> 'ended' THEN 'open'
    WHEN c.direction = 'incoming' AND c.outcome IN ('missed', 'rejected') THEN 'missed'
    ELSE 'call' END"""
"""SQL for what entry ``l`` ended as, its call (if any) being joined as ``c``."""

ENTRY = f"""
    SELECT l.id, l.line, l.kind, {corrected("l.at_utc_ms", "l.at_boot_ns", "b")} AS at_utc_ms, l.until_utc_ms,
        {DISPOSITION} AS disposition, l.call_id, l.fault, l.detail
    FROM ledger l JOIN boot b ON b.boot_no = l.boot_no LEFT JOIN call c ON c.id = l.call_id
"""  # noqa: S608
"""ENTRY of docs/interfaces.md."""


_OPEN = "kind = 'hole' AND until_utc_ms IS NULL"
_OPEN_HOLE = f"SELECT * FROM ledger WHERE line = ? AND {_OPEN}"  # noqa: S608


def account(tx: Transaction, fact: Account) -> str | None:
    """Enters an event. Returns its id, or None when exactly this entry is there already."""
    if fact.claims and (claimed := _claim(tx, fact)) is not None:
        return claimed
    return _enter(
        tx,
        {
            "line": fact.line,
            "kind": fact.kind,
            "boot_no": boot.which(tx, fact.at),
            "at_utc_ms": fact.at.utc_ms,
            "at_boot_ns": fact.at.boot_ns,
            "until_utc_ms": fact.until.utc_ms if fact.until else None,
            "call_id": fact.call,
            "fault": fact.fault.value if fact.fault else None,
            "detail": fact.detail,
        },
    )


def _claim(tx: Transaction, fact: Account) -> str | None:
    """The entry that was a fault for want of this call becomes part of it, and the cloud is told; None without one."""
    entry_id = _id(fact.line, boot.which(tx, fact.at), fact.at.boot_ns, fact.kind)
    row = tx.row("SELECT * FROM ledger WHERE id = ? AND fault IS NOT NULL", (entry_id,))
    if row is None:
        return None
    tx.execute("UPDATE ledger SET call_id = ?, fault = NULL WHERE id = ?", (fact.call, row["id"]))
    outbox.put(tx, "ledger.fault", {**row, "call_id": fact.call, "fault": None, "disposition": "call"})
    return str(row["id"])


def hole_begins(tx: Transaction, fact: HoleBegun) -> None:
    """Enters a stretch of time in which nobody watches the line; its end is not known yet."""
    if tx.row(f"{_OPEN_HOLE} AND fault = ?", (fact.line, fact.fault.value)) is not None:
        return
    _enter(
        tx,
        {
            "line": fact.line,
            "kind": "hole",
            "boot_no": boot.which(tx, fact.since),
            "at_utc_ms": fact.since.utc_ms,
            "at_boot_ns": fact.since.boot_ns,
            "until_utc_ms": None,
            "call_id": None,
            "fault": fact.fault.value,
            "detail": fact.detail,
        },
    )


def holes_end(tx: Transaction, fact: HoleEnded) -> None:
    """The line is watched again: its open holes get their end, and the cloud is told of each once more."""
    for row in tx.rows(_OPEN_HOLE, (fact.line,)):
        until = max(fact.until.utc_ms, row["at_utc_ms"])
        tx.execute("UPDATE ledger SET until_utc_ms = ? WHERE id = ?", (until, row["id"]))
        outbox.put(tx, "ledger.fault", {**row, "until_utc_ms": until, "disposition": "fault"})


def lines_with_open_holes(db: Database) -> list[str]:
    """Lines that nobody watches, as far as the ledger knows."""
    return [row["line"] for row in fetch(db, f"SELECT DISTINCT line FROM ledger WHERE {_OPEN}")]  # noqa: S608


def check_explained(tx: Transaction, entry_ids: list[str]) -> None:
    """At the end of a transaction: an entry with neither fault nor a call that is stored raises an alarm."""
    for entry_id in entry_ids:
        entry = tx.row(f"{ENTRY} WHERE l.id = ?", (entry_id,))
        if entry is not None and entry["disposition"] == "unexplained":
            what = f"{entry['kind']} {entry['id']}" + (f" → {entry['call_id']}" if entry["call_id"] else "")
            alarms.raise_alarm(tx, key="ledger_unexplained", subject=entry["line"], at=tx.now, params={"what": what})


def _id(line: str, boot_no: int, at_boot_ns: int, kind: str) -> str:
    return f"{line}.{boot_no}.{at_boot_ns}.{kind}"


def _enter(tx: Transaction, entry: Row) -> str | None:
    """Two different events of one kind may share a moment: the second gets a number, the same again gets none."""
    base = _id(entry["line"], entry["boot_no"], entry["at_boot_ns"], entry["kind"])
    entry_id, copy = base, 1
    while (old := tx.row("SELECT * FROM ledger WHERE id = ?", (entry_id,))) is not None:
        if all(old[name] == value for name, value in entry.items()):
            return None
        copy += 1
        entry_id = f"{base}.{copy}"
    row = {"id": entry_id, **entry}
    names = ", ".join(row)
    tx.execute(f"INSERT INTO ledger ({names}) VALUES ({', '.join(f':{name}' for name in row)})", row)  # noqa: S608
    if entry["fault"]:
        outbox.put(tx, "ledger.fault", {**row, "disposition": "fault"})
    return entry_id
