"""Reads a caller ID that is sent as DTMF digits before the first ring; four variants, nothing else is believed.

The digits carry no checksum, but a machine sends them: every tone and every pause is as long as the others (ETSI
EN 300 659-1: 70 ms; exchanges and adapters have 50 to 100). What a hand keys, or a voice happens to make, is not; and
where a digit was not heard the gap shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from firmware.model import Presentation
from firmware.signals.callerid_message import CallerIdMessage
from firmware.signals.dtmf import KeyTone

_LONGEST_PAUSE_S = 3.0
"""Between two digits; what comes later belongs to something else."""
_MOST_DIGITS = 48
_FEWEST_DIGITS = 3

_TONE_S: Final = (0.03, 0.14)
_PERIOD_S: Final = (0.08, 0.24)
"""From the start of a digit to that of the next one."""
_UNEVEN_S: Final = 0.02
"""So far a tone's length or period may lie from the middle one: the detector is off by up to 0.016 at 5 dB SNR."""

_FEW_TONES: Final = 4
_BEFORE_S: Final = 0.5
"""No key comes so shortly before a message: what follows an end mark at once is the rest of something else."""

_NUMBER = r"\d{4,20}"
"""Shorter ones would let random keys through that happen to be even: no network is known to send any."""
_VARIANT_1 = re.compile(
    rf"(?=.*[AB])(?:A(?P<number>{_NUMBER}))?(?:D(?P<redirected>\d{{1,20}}))?(?:B(?P<code>\d{{2}}))?C"
)
"""ETSI EN 300 659-1 annex A; Sweden, Finland, India, Brazil, ...: the caller, a diverting number, why there is none."""
_VARIANT_2 = re.compile(rf"A(?P<number>{_NUMBER})#|D(?P<code>[123])#")
"""Denmark, the Netherlands."""
_VARIANT_3 = re.compile(rf"D(?P<number>{_NUMBER})C")
"""Taiwan, Kuwait."""
_VARIANT_4 = re.compile(r"(?P<number>\d{5,20})#")
"""Denmark, the Netherlands, older exchanges: national numbers, of eight and nine digits. Shorter ones have nothing that
tells them from keys that happen to be even."""
BARE_VARIANT = 4
_CODES = {
    "00": Presentation.UNAVAILABLE,
    "10": Presentation.WITHHELD,
    "1": Presentation.WITHHELD,
    "2": Presentation.UNAVAILABLE,
    "3": Presentation.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfMessage:
    message: CallerIdMessage
    raw: str
    variant: int
    began: int
    """Sample at which its first digit began."""
    ended: int
    """Sample at which its last digit began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedDigits:
    """Digits that came in like a caller ID and are none."""

    reason: str
    """Without the digits themselves."""
    ended: int


def parse_dtmf(digits: str) -> tuple[CallerIdMessage, int] | None:
    """What a whole string of digits says, and the variant it is written in; None: it is no caller ID."""
    for variant, pattern in enumerate((_VARIANT_1, _VARIANT_2, _VARIANT_3, _VARIANT_4), 1):
        match = pattern.fullmatch(digits)
        if match is None:
            continue
        groups = match.groupdict()
        number, code = groups.get("number"), groups.get("code")
        if number is not None:
            return CallerIdMessage(number=number, presentation=Presentation.VALID), variant
        if code in _CODES:
            return CallerIdMessage(presentation=_CODES[code]), variant
    return None


def sent_by_machine(tones: Sequence[KeyTone], rate_hz: int) -> bool:
    """Whether the tones are as even as only a machine keys them."""
    lengths = [(tone.ended - tone.began) / rate_hz for tone in tones]
    periods = [(after.began - tone.began) / rate_hz for tone, after in pairwise(tones)]
    # So few tones may be even by chance: they must be as even as the detector can tell.
    off_s = _UNEVEN_S if len(tones) > _FEW_TONES else _UNEVEN_S / 2
    return _even(lengths, _TONE_S, off_s) and _even(periods, _PERIOD_S, off_s)


def _even(times_s: Sequence[float], bounds_s: tuple[float, float], off_s: float) -> bool:
    if not times_s:
        return True
    usual_s = median(times_s)
    return bounds_s[0] <= usual_s <= bounds_s[1] and all(abs(time_s - usual_s) <= off_s for time_s in times_s)


class DtmfCallerId:
    """Feed it the tones in order, each when it has ended; it tells the message with its last one."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._pause = _LONGEST_PAUSE_S * rate_hz
        self._digits: list[KeyTone] = []
        self._last_ended: int | None = None
        self._alone = True
        """Nothing was keyed shortly before the first of `_digits`."""
        self._rejected: list[RejectedDigits] = []

    def feed(self, tones: Sequence[KeyTone]) -> DtmfMessage | None:
        found: DtmfMessage | None = None
        for tone in tones:
            self.heard_until(tone.began)
            if not self._digits:
                before = self._last_ended
                self._alone = before is None or tone.began - before >= _BEFORE_S * self._rate_hz
            self._digits.append(tone)
            self._last_ended = tone.ended
            if tone.digit in "C#":
                found = self._told() or found
                self._digits.clear()
            if len(self._digits) > _MOST_DIGITS:
                self._reject("more than a message has")
                self._digits.clear()
        return found

    def heard_until(self, sample: int) -> None:
        """The sound up to ``sample`` has been listened to: digits that nothing followed are no message."""
        if self._digits and sample - self._digits[-1].began > self._pause:
            self._reject("without an end mark")
            self._digits.clear()

    def take_rejected(self) -> list[RejectedDigits]:
        """What came since the last call and was no caller ID."""
        rejected, self._rejected = self._rejected, []
        return rejected

    def _reject(self, why: str) -> None:
        if len(self._digits) < _FEWEST_DIGITS:  # a word may sound like a digit or two
            return
        raw = "".join(d.digit for d in self._digits)
        shape = re.sub(r"\d+", lambda run: f" {len(run[0])} digits ", raw).strip()
        self._rejected.append(RejectedDigits(reason=f"digits {why} (DTMF, {shape})", ended=self._digits[-1].began))

    def _told(self) -> DtmfMessage | None:
        raw = "".join(d.digit for d in self._digits)
        parsed = parse_dtmf(raw)
        if parsed is None:
            self._reject("in no order that is known")
            return None
        if not self._alone:
            self._reject("behind others")
            return None
        if not sent_by_machine(self._digits, self._rate_hz):
            self._reject("too uneven for a machine, or with one missing")
            return None
        message, variant = parsed
        return DtmfMessage(
            message=message, raw=raw, variant=variant, began=self._digits[0].began, ended=self._digits[-1].began
        )
