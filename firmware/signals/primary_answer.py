"""Tells a telephone that answers to be told who calls from one that answers to talk (Japan's Number Display). No I/O.

Before it rings, the exchange sends short bursts (0.5 s on and off, where ringing has 1 s and 2 s). A number display
takes the line in one of them ("primary answer"), gets the caller ID as a modem signal, and puts the line back, for
which the exchange waits 7 s; then it rings, and who lifts now ("secondary answer") wants to talk.
"""

from __future__ import annotations

from typing import Final

from firmware.model import Instant
from firmware.signals.countries import CallerIdStandard, CountryProfile

LONGEST_S: Final = 7.0
"""Whoever holds the line for longer than the exchange waits talks."""
_SHORT_S: Final = (0.25, 0.7)
"""Half a second, give or take two cycles of 16 Hz; ringing lasts 1 s."""
_NEXT_BURST_S: Final = 1.3
"""After the end of a burst the next one is over by then: 0.5 s off, 0.5 s on."""
_CUT_S: Final = 0.12
"""A burst that ended so shortly before was cut by the lifted handset: how long it would have been is not known."""


class PrimaryAnswers:
    """Feed it the bursts of ringing; ask it when the line is taken."""

    def __init__(self, *, used: bool) -> None:
        """``used``: there is such a thing on this line."""
        self._used = used
        self._short: tuple[Instant, ...] = ()
        """When the short bursts of this call ended."""
        self._ended: Instant | None = None

    def burst_ended(self, began: Instant, ended: Instant) -> None:
        again = self._ended is not None and began.seconds_since(self._ended) <= _NEXT_BURST_S
        short = _SHORT_S[0] <= ended.seconds_since(began) <= _SHORT_S[1]
        self._short = ((*self._short[-1:], ended) if again else (ended,)) if short else ()
        self._ended = ended

    def wanted(self, at: Instant) -> bool:
        """Whether who takes the line at ``at`` is told who calls."""
        whole = [ended for ended in self._short if at.seconds_since(ended) > _CUT_S]
        return self._used and bool(whole) and at.seconds_since(whole[-1]) <= _NEXT_BURST_S

    def over(self) -> None:
        """The line was taken, or put back: the next bursts are other ones."""
        self._short, self._ended = (), None


def has_primary_answers(country: CountryProfile) -> bool:
    return CallerIdStandard.NTT in country.caller_id
