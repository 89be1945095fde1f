"""A call's place in the list as one number, and the stretches of numbers that a period of time is.

The place counts boots and the clock that never jumps, so a clock that is set moves no call to another page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MS_BITS = 40
_LAST_MS = (1 << _MS_BITS) - 1
"""34 years without a restart."""


@dataclass(frozen=True, slots=True)
class BootRow:
    """One start of the machine: what its wall clock said when, and how wrong it was."""

    boot_no: int
    first_utc_ms: int
    first_boot_ns: int
    offset_ms: int | None


def place(boot_no: int, started_boot_ns: int) -> int:
    """Calls of one millisecond need different places: the next free one is taken."""
    return (boot_no << _MS_BITS) | min(max(0, started_boot_ns // 1_000_000), _LAST_MS)


def stretches(boots: Sequence[BootRow], since_ms: int | None, until_ms: int | None) -> list[tuple[int, int]]:
    """Places (first, last) of the calls that started in a period; boots in their order, neighbours joined."""
    found: list[tuple[int, int]] = []
    for boot in boots:
        zero_ms = boot.first_utc_ms + (boot.offset_ms or 0) - boot.first_boot_ns // 1_000_000
        low = 0 if since_ms is None else since_ms - zero_ms
        high = _LAST_MS if until_ms is None else until_ms - zero_ms - 1
        if low > _LAST_MS or high < 0:
            continue
        first = (boot.boot_no << _MS_BITS) | max(0, low)
        last = (boot.boot_no << _MS_BITS) | min(high, _LAST_MS)
        if first > last:
            continue
        if found and found[-1][1] + 1 == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found
