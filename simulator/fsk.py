"""A central office's caller-ID sender: MDMF messages as Bell 202 (or V.23) FSK, with phase that never jumps.

Message: Telcordia GR-30-CORE and GR-31-CORE (parameters 1 date and time, 2 number, 4 reason for no number, 7 name,
8 reason for no name). Signal: 1200 baud, mark 1200 Hz and space 2200 Hz (Bell 202) or 1300 and 2100 Hz (ITU-T V.23).
It shares no code with the box's decoder on purpose: a mistake in one must not hide in the other.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from simulator.mixer import RATE_HZ, Sound, level

_MDMF = 0x80
_BAUD = 1200
_OVERSAMPLE = 6
BELL_202_HZ = (1200.0, 2200.0)
V23_HZ = (1300.0, 2100.0)


def message(number: str | None, at: datetime, *, name: str | None = None, absence: str = "P") -> bytes:
    """An MDMF message; without a number it says why: ``P`` private, ``O`` out of area."""
    parameters = [(1, at.strftime("%m%d%H%M"))]
    parameters.append((2, number) if number is not None else (4, absence))
    if name is not None:
        parameters.append((7, name))
    elif number is None:
        parameters.append((8, absence))
    body = b"".join(bytes([kind, len(text)]) + text.encode("ascii") for kind, text in parameters)
    frame = bytes([_MDMF, len(body)]) + body
    return frame + bytes([-sum(frame) & 0xFF])


def signal(
    data: bytes,
    *,
    frequencies_hz: tuple[float, float] = BELL_202_HZ,
    seizure_bits: int = 300,
    mark_bits: int = 180,
    dbfs: float = -17.0,
) -> Sound:
    """``data`` on the wire: channel seizure (alternating bits), mark, then bytes with start and stop bit, LSB first."""
    bits = [n % 2 for n in range(seizure_bits)] + [1] * mark_bits
    for byte in data:
        bits += [0, *((byte >> n) & 1 for n in range(8)), 1]
    bits += [1] * 10
    rate = RATE_HZ * _OVERSAMPLE
    mark_hz, space_hz = frequencies_hz
    index = np.minimum((np.arange(round(len(bits) / _BAUD * rate)) * _BAUD) // rate, len(bits) - 1)
    frequency = np.where(np.asarray(bits)[index] == 1, mark_hz, space_hz)
    wave = np.sin(2 * np.pi * np.cumsum(frequency) / rate)
    # Down to the line's rate: nothing above 3.4 kHz is left that could fold back.
    spectrum = np.fft.rfft(wave)
    spectrum[np.fft.rfftfreq(len(wave), 1 / rate) > 3400] = 0
    frames = len(wave) // _OVERSAMPLE
    narrow = np.fft.irfft(spectrum[: frames // 2 + 1], frames) / _OVERSAMPLE
    return (narrow * level(dbfs)).astype(np.float32)
