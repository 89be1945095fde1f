"""The boots of this machine, and what a jump of the wall clock means for moments that are already stored."""

from __future__ import annotations

from sqlite_utils import Database

from firmware.model import Instant
from firmware.store import outbox
from firmware.store.transaction import Boot, Transaction, fetch

STEP_MS = 1000
"""A wall clock that moves this far against the boot clock was set; NTP's slewing stays far below."""

_BOOT = "SELECT boot_no, boot_id, first_utc_ms, first_boot_ns, offset_ms FROM boot"


def find(db: Database, boot_id: str) -> Boot | None:
    rows = fetch(db, f"{_BOOT} WHERE boot_id = ?", (boot_id,))
    return Boot(**rows[0]) if rows else None


def ensure(db: Database, boot_id: str, now: Instant) -> Boot:
    """The row of the boot ``boot_id``, made at its first use. Call it inside a transaction."""
    known = find(db, boot_id)
    if known is not None:
        return known
    db.conn.execute(
        "INSERT INTO boot (boot_id, first_utc_ms, first_boot_ns) VALUES (?, ?, ?)", (boot_id, now.utc_ms, now.boot_ns)
    )
    made = find(db, boot_id)
    assert made is not None
    return made


def drift_ms(boot: Boot, now: Instant) -> int:
    """How far the wall clock has jumped since the last look; 0 for less than `STEP_MS`."""
    drift = now.utc_ms - boot.utc_ms_at(now.boot_ns)
    return drift if abs(drift) >= STEP_MS else 0


def follow_clock(tx: Transaction, *, source: str | None = None) -> None:
    """Stores the offset when the wall clock was set since the last look, and tells the cloud.

    Moments stored before the step stay as they are: readers add the offset of their boot; an ended call never changes.
    """
    jump_ms = drift_ms(tx.boot, tx.now)
    if not jump_ms and source is None:
        return
    offset_ms = (tx.boot.offset_ms or 0) + jump_ms if jump_ms else tx.boot.offset_ms
    tx.execute(
        "UPDATE boot SET offset_ms = ?, source = coalesce(?, source), told_by = coalesce(?, told_by) WHERE boot_no = ?",
        # A SIM is no source that the first schema could name: it stands beside.
        (offset_ms, None if _is_sim(source) else source, source if _is_sim(source) else None, tx.boot.boot_no),
    )
    tx.boot = Boot(tx.boot.boot_no, tx.boot.boot_id, tx.boot.first_utc_ms, tx.boot.first_boot_ns, offset_ms)
    body = {
        "boot_no": tx.boot.boot_no,
        "boot_id": tx.boot.boot_id,
        "first_utc_ms": tx.boot.first_utc_ms,
        "first_boot_ns": tx.boot.first_boot_ns,
        "offset_ms": offset_ms or 0,
        "source": source or "none",
    }
    outbox.put(tx, "clock.fixed", body)


def _is_sim(source: str | None) -> bool:
    return source is not None and source.startswith("sim:")


def which(tx: Transaction, at: Instant) -> int:
    """The boot ``at`` belongs to: mostly this one; what was found after a restart may belong to one of the last few.

    Two boots cannot be mixed up: at one value of the boot clock their wall clocks differ by the time between starts.
    """
    if _disagreement_ms(tx.boot, at) < STEP_MS:
        return tx.boot.boot_no
    recent = tx.rows(f"{_BOOT} WHERE boot_no <= ? ORDER BY boot_no DESC LIMIT 5", (tx.boot.boot_no,))
    return min((Boot(**row) for row in recent), key=lambda boot: _disagreement_ms(boot, at)).boot_no


def _disagreement_ms(boot: Boot, at: Instant) -> int:
    as_it_was = boot.first_utc_ms + (at.boot_ns - boot.first_boot_ns) // 1_000_000
    return min(abs(at.utc_ms - as_it_was), abs(at.utc_ms - boot.utc_ms_at(at.boot_ns)))


def corrected(utc_ms: str, boot_ns: str, boot: str) -> str:
    """SQL for the moment in columns ``utc_ms`` and ``boot_ns``, with the row ``boot`` (an alias) of its boot joined.

    A boot whose clock never jumped, and a moment stored after the clock was set, stay as stored.
    """
    derived = f"({boot}.first_utc_ms + {boot}.offset_ms + ({boot_ns} - {boot}.first_boot_ns) / 1000000)"
    return (
        f"CASE WHEN {boot}.offset_ms IS NULL OR {boot_ns} IS NULL OR abs({derived} - {utc_ms}) < {STEP_MS} "
        f"THEN {utc_ms} ELSE {derived} END"
    )
