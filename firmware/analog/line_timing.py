"""Fits a board's debounce times to a country: how long its hook flashes are, and how its exchanges end a call. Pure."""

from __future__ import annotations

from dataclasses import replace

from firmware.analog.profile import Debounce
from firmware.signals.countries import CountryProfile, Disconnect
from firmware.signals.loop_watch import LoopTiming
from firmware.signals.primary_answer import has_primary_answers
from firmware.signals.ring_pattern import patterns_of

SHORTEST_CPC_MS = 250
LONGEST_CPC_MS = 960
"""An exchange that clears opens the loop for 250 to 900 ms (telephone system manuals; 500 is usual)."""
_BEYOND_FLASH_MS = 60


def loop_timing(
    board: Debounce,
    country: CountryProfile | None,
    *,
    on_hook_ms: int | None = None,
    open_loop_ms: int | None = None,
    reversal_ends: bool | None = None,
) -> LoopTiming:
    """What is given goes before the country's, and that before the board's. ``open_loop_ms`` 0: no break ends a call.

    A break that may be a hook flash never ends a call: where flashes are as long as the exchange's open loop, only a
    board that senses battery tells them apart.
    """
    ends_ms = open_loop_ms or None
    if country is not None:
        beyond_ms = country.flash_ms[1] + _BEYOND_FLASH_MS
        by_loop = Disconnect.LOOP_OPEN in country.disconnect and beyond_ms <= SHORTEST_CPC_MS + _BEYOND_FLASH_MS
        if open_loop_ms is None and by_loop:
            ends_ms = max(SHORTEST_CPC_MS, beyond_ms)
        if on_hook_ms is None:
            on_hook_ms = max(board.on_hook_ms, beyond_ms, LONGEST_CPC_MS if ends_ms is not None else 0)
        if reversal_ends is None:
            reversal_ends = Disconnect.REVERSAL in country.disconnect
    timing = board.timing(on_hook_ms, open_loop_ms=ends_ms, reversal_ends=bool(reversal_ends))
    if country is None:
        return timing
    return replace(
        timing,
        patterns=patterns_of(country),
        ordinary_ring=country.ring,
        primary_answers=has_primary_answers(country),
    )
