"""Coverage-guided fuzzing of the reader of DTMF caller IDs: ``python -m tests.fuzz.dtmf [options] [corpus]``.

Any digits with any pauses, in any pieces: no exception, one word at most for each end mark, and the same words however
the digits were cut.
"""

from __future__ import annotations

from firmware.model import Presentation
from firmware.signals.callerid_dtmf import DtmfCallerId, parse_dtmf
from firmware.signals.dtmf import KeyTone
from tests.fuzz.running import run

_RATE_HZ = 8000
_KEYS = "0123456789*#ABCD"
_PERIOD = 1120
"""An exchange's: 70 ms of tone, 70 ms of pause."""


def one(data: bytes) -> None:
    """Each byte is a digit (low half) and the pause before it (high half, in quarters of a second)."""
    if not data:
        return
    step, data = data[0] % 7 + 1, data[1:]
    at, digits = 0, []
    for byte in data:
        at += _PERIOD + (byte >> 4) * _RATE_HZ // 4
        digits.append(KeyTone(digit=_KEYS[byte & 15], began=at, ended=at + _PERIOD // 2))
    _text("".join(d.digit for d in digits))
    whole, pieces = DtmfCallerId(_RATE_HZ), DtmfCallerId(_RATE_HZ)
    told = [str(whole.feed([digit])) for digit in digits]
    for start in range(0, len(digits), step):
        piece = digits[start : start + step]
        found = pieces.feed(piece)
        alone = [t for t in told[start : start + step] if t != "None"]
        assert str(found) == (alone[-1] if alone else "None")


def _text(text: str) -> None:
    parsed = parse_dtmf(text)
    if parsed is None:
        return
    message, variant = parsed
    assert variant in (1, 2, 3, 4)
    assert (message.number is not None) == (message.presentation is Presentation.VALID)
    assert message.number is None or (message.number.isdigit() and 3 <= len(message.number) <= 20)


if __name__ == "__main__":
    run(one)
