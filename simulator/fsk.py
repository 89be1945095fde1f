"""A central office's caller-ID sender: MDMF messages as Bell 202 (or V.23) FSK, with phase that never jumps.

Message: Telcordia GR-30-CORE and GR-31-CORE (parameters 1 date and time, 2 number, 4 reason for no number, 7 name,
8 reason for no name). Signal: 1200 baud, mark 1200 Hz and space 2200 Hz (Bell 202) or 1300 and 2100 Hz (ITU-T V.23).
Japan's exchanges send other frames at V.23's tones (`frame`), as Realtek's generator for them does: 7 bits and
even parity, DLE SOH header DLE STX, parameters, DLE ETX, CRC-16; 72 bits of mark before it and no seizure.
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


def frame(number: str | None, *, absence: str = "P", dialled: str | None = None) -> bytes:
    """Japan's frame: the caller's number with its kind (a national one of the ISDN plan), or why there is none."""
    parameters = [(2, number.encode()), (0x21, b"\x02\x01\x01")] if number is not None else [(4, absence.encode())]
    if dialled is not None:
        parameters += [(9, dialled.encode()), (0x22, b"\x02\x01\x01")]
    body = b"".join(bytes([kind, len(value)]) + value for kind, value in parameters)
    plain = b"\x07\x10\x02\x40" + bytes([len(body)]) + body.replace(b"\x10", b"\x10\x10") + b"\x10\x03"
    guarded = bytes(_with_even_parity(byte) for byte in plain)
    return bytes(_with_even_parity(byte) for byte in b"\x10\x01") + guarded + _crc(guarded)


def _with_even_parity(byte: int) -> int:
    return byte | (0x80 if bin(byte).count("1") % 2 else 0)


def _crc(data: bytes) -> bytes:
    """x^16 + x^12 + x^5 + 1, each byte with its lowest bit first, as a shift register does it."""
    register = [0] * 16
    for byte in data:
        for n in range(8):
            feedback = register[0] ^ (byte >> n & 1)
            register = [*register[1:], feedback]
            register[10] ^= feedback
            register[3] ^= feedback
    value = sum(bit << n for n, bit in enumerate(register))
    return bytes([value & 0xFF, value >> 8])


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
