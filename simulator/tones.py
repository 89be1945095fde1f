"""The tones a central office and a telephone make: dial tone, ringback, busy, and the digits of a keypad.

Frequencies and cadences: ITU-T E.180 supplement 2 (tones), ITU-T Q.23 (push-button signals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.fsk import BELL_202_HZ, V23_HZ
from simulator.mixer import RATE_HZ, Sound, level
from simulator.networks import NETWORKS

_TONE_DBFS = -20.0
_DIGIT_DBFS = -14.0


def tone(frequencies_hz: tuple[float, ...], duration_s: float, dbfs: float = _TONE_DBFS) -> Sound:
    """The sum of sines, each at ``dbfs`` peak, with 5 ms ramps so that nothing clicks."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    wave = sum((np.sin(2 * np.pi * f * t) for f in frequencies_hz), np.zeros_like(t)) * level(dbfs)
    ramp = min(40, len(t) // 2)
    if ramp:
        wave[:ramp] *= np.linspace(0, 1, ramp)
        wave[-ramp:] *= np.linspace(1, 0, ramp)
    return wave.astype(np.float32)


def pause(duration_s: float) -> Sound:
    return np.zeros(round(duration_s * RATE_HZ), np.float32)


@dataclass(frozen=True)
class Country:
    """What a country's exchanges sound like. Cadences in seconds: on, off, on, off ..."""

    ring_s: tuple[float, ...]
    dial_hz: tuple[float, ...]
    ringback_hz: tuple[float, ...]
    busy_hz: tuple[float, ...]
    busy_s: tuple[float, float]
    ring_frequency_hz: float = 25.0
    caller_id_hz: tuple[float, float] = BELL_202_HZ
    """Mark and space."""

    def dial_tone(self) -> Sound:
        """One second that loops without a seam: every frequency is a whole number of hertz."""
        t = np.arange(RATE_HZ) / RATE_HZ
        wave = sum((np.sin(2 * np.pi * f * t) for f in self.dial_hz), np.zeros_like(t)) * level(_TONE_DBFS)
        return wave.astype(np.float32)

    def ringback(self) -> Sound:
        """One period of what the caller hears while the other side rings."""
        parts = [tone(self.ringback_hz, s) if n % 2 == 0 else pause(s) for n, s in enumerate(self.ring_s)]
        return np.concatenate(parts)

    def busy(self) -> Sound:
        """One period of the busy tone."""
        on_s, off_s = self.busy_s
        return np.concatenate([tone(self.busy_hz, on_s), pause(off_s)])


COUNTRIES = {
    "CN": Country((1.0, 4.0), (450,), (450,), (450,), (0.35, 0.35)),
    "US": Country((2.0, 4.0), (350, 440), (440, 480), (480, 620), (0.5, 0.5), ring_frequency_hz=20.0),
    "GB": Country((0.4, 0.2, 0.4, 2.0), (350, 440), (400, 450), (400,), (0.375, 0.375)),
    "DE": Country((1.0, 4.0), (425,), (425,), (425,), (0.48, 0.48)),
}

COUNTRIES["CA"] = COUNTRIES["US"]
"""One numbering plan, one set of tones."""


def country_of(code: str) -> Country:
    """What the street knows of a country. Raises KeyError for one it does not know."""
    if code in COUNTRIES:
        return COUNTRIES[code]
    network = NETWORKS[code]
    return Country(
        ring_s=tuple(ms / 1000 for ms in network.ring),
        dial_hz=network.dial_hz,
        ringback_hz=network.dial_hz,
        busy_hz=network.busy_hz,
        busy_s=(network.busy[0] / 1000, network.busy[1] / 1000),
        ring_frequency_hz=network.ring_hz,
        caller_id_hz=V23_HZ if network.caller_id == "v23" else BELL_202_HZ,
    )


_ROWS_HZ = (697, 770, 852, 941)
_COLUMNS_HZ = (1209, 1336, 1477, 1633)
_KEYS = "123A456B789C*0#D"


def digits(number: str, *, on_s: float = 0.1, off_s: float = 0.1) -> Sound:
    """The keys of ``number`` pressed one after the other. Raises ValueError for what no keypad has."""
    parts = []
    for key in number:
        row, column = divmod(_KEYS.index(key), 4)
        parts += [tone((_ROWS_HZ[row], _COLUMNS_HZ[column]), on_s, _DIGIT_DBFS), pause(off_s)]
    return np.concatenate(parts) if parts else pause(0)
