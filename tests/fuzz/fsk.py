"""Coverage-guided fuzzing of what reads a caller ID out of FSK: ``python -m tests.fuzz.fsk [options] [corpus]``.

The first byte says how the rest comes in: as the bytes of a message, as bits on the wire, or as raw sound. No
exception, and whatever is believed has every property that a message must have.
"""

from __future__ import annotations

import numpy as np

from firmware.model import Presentation
from firmware.signals.callerid_fsk import find_message
from firmware.signals.callerid_message import BadMessageError, CallerIdMessage, message_length, parse_message
from firmware.signals.callerid_search import CallerIdSearch
from tests.fuzz.running import run

_RATE_HZ = 8000
_BAUD = 1200


def one(data: bytes) -> None:
    """Runs the reader over ``data``."""
    if not data:
        return
    how, data = data[0], data[1:]
    _bytes(data)
    if how % 4 == 1:
        _sound(_wire(data[:48]), how)
    elif how % 4 == 2 and len(data) >= 2:
        _sound(np.frombuffer(data[: len(data) & ~1], dtype="<i2"), how)


def _bytes(raw: bytes) -> None:
    if len(raw) >= 2:
        message_length(raw)
    try:
        message = parse_message(raw)
    except BadMessageError:
        return
    assert sum(raw) & 0xFF == 0
    assert len(raw) == raw[1] + 3
    _sound_structure(message)


def _sound_structure(message: CallerIdMessage) -> None:
    assert (message.number is not None) == (message.presentation is Presentation.VALID) or message.number is None
    if message.number is not None:
        assert set(message.number) <= set("0123456789*#+ABCD")
    if message.month_day is not None:
        assert 1 <= message.month_day[0] <= 12
        assert 1 <= message.month_day[1] <= 31


def _wire(data: bytes) -> np.ndarray:
    """``data`` as bytes of 8N1 after a stretch of mark; 12 samples of 9600 Hz would be exact, 8 kHz is not."""
    bits = [1] * 30
    for byte in data:
        bits += [0, *((byte >> n) & 1 for n in range(8)), 1]
    index = (np.arange(len(bits) * _RATE_HZ // _BAUD) * _BAUD) // _RATE_HZ
    hz = np.where(np.asarray(bits)[index] == 1, 1200.0, 2200.0)
    return (8000 * np.sin(2 * np.pi * np.cumsum(hz) / _RATE_HZ)).astype("<i2")


def _sound(pcm: np.ndarray, how: int) -> None:
    found = find_message(pcm, _RATE_HZ)
    if found is not None:
        _bytes(found.raw)
    search, step = CallerIdSearch(_RATE_HZ), 200 + 37 * how
    for at in range(0, len(pcm), step):
        search.feed(pcm[at : at + step])
        search.take_rejected()


if __name__ == "__main__":
    run(one)
