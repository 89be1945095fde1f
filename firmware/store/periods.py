"""Finds the rows of a period by index, although a wall clock that was set has to be corrected for row by row."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from firmware.store.boot import STEP_MS, corrected
from firmware.store.transaction import Boot, fetch

_SLACK_MS = 10 * STEP_MS
"""A corrected moment is never further than `STEP_MS` from what the boot clock says; more costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """``since_utc_ms`` belongs to it, ``until_utc_ms`` does not; None is open."""

    since_utc_ms: int | None = None
    until_utc_ms: int | None = None


ALWAYS = Period()


def within(db: Database, period: Period, *, row: str, moment: str) -> tuple[list[str], list[int]]:
    """SQL conditions (and their values) for rows ``row`` whose moment, in columns ``<moment>_utc_ms`` and
    ``<moment>_boot_ns`` with the boot joined as ``b``, lies in ``period``.

    The exact condition is computed per row; one on (boot_no, boot_ns), which has an index, goes before it.
    """
    exact = corrected(f"{row}.{moment}_utc_ms", f"{row}.{moment}_boot_ns", "b")
    rows = fetch(db, "SELECT boot_no, boot_id, first_utc_ms, first_boot_ns, offset_ms FROM boot")
    boots = sorted((Boot(**found) for found in rows), key=_begin_ms)
    where: list[str] = []
    values: list[int] = []
    if period.since_utc_ms is not None:
        boot_no, boot_ns = _first_that_matters(boots, period.since_utc_ms)
        where += [f"({row}.boot_no, {row}.{moment}_boot_ns) >= (?, ?)", f"({exact}) >= ?"]
        values += [boot_no, boot_ns, period.since_utc_ms]
    if period.until_utc_ms is not None:
        # No index here: what a boot finds of the time before it is stored as its own, so any later boot may matter.
        where.append(f"({exact}) < ?")
        values.append(period.until_utc_ms)
    return where, values


def _begin_ms(boot: Boot) -> int:
    return boot.utc_ms_at(boot.first_boot_ns)


def _first_that_matters(boots: list[Boot], since_ms: int) -> tuple[int, int]:
    """The boot that was running at ``since_ms``, at that moment; an earlier number that began later comes before it."""
    running = [boot for boot in boots if _begin_ms(boot) <= since_ms]
    later = [boot.boot_no for boot in boots if _begin_ms(boot) > since_ms]
    if not running:
        return 0, 0
    at = running[-1]
    if later and min(later) < at.boot_no:
        return 0, 0
    return at.boot_no, at.first_boot_ns + (since_ms - _SLACK_MS - _begin_ms(at)) * 1_000_000
