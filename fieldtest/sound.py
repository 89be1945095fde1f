"""Levels, hum, noise, clipping and keys in stretches of a recording of which it is known who spoke. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from fieldtest.catalogue import DBM0_OF_DBFS
from firmware.signals.dtmf import DtmfDetector
from firmware.signals.line_health import HealthMeter

Samples = NDArray[np.int16]
"""Frames x channels."""

_FRAME_S = 0.02
_BELOW_PEAK_DB = 16.0
"""Of the loudest frame: quieter ones are the pauses between words (ITU-T P.56 has 15.9 dB)."""
_RAIL = 32700
_FLOOR_DBFS = -96.3
_EDGE_S = 0.4
"""Cut off at both ends of a stretch: people and sound devices are not on time."""


@frozen(kw_only=True)
class Stretch:
    """From ``begins_s`` to ``ends_s`` of the recording."""

    begins_s: float
    ends_s: float

    def of(self, samples: Samples, rate_hz: int) -> Samples:
        """What was certainly said in it."""
        return self._between(samples, rate_hz, _EDGE_S)

    def around(self, samples: Samples, rate_hz: int) -> Samples:
        """What may have been said in it: nothing that was begun too early is lost."""
        return self._between(samples, rate_hz, -_EDGE_S)

    def _between(self, samples: Samples, rate_hz: int, edge_s: float) -> Samples:
        first = max(0, round((self.begins_s + edge_s) * rate_hz))
        return samples[first : max(first, round((self.ends_s - edge_s) * rate_hz))]


@frozen(kw_only=True)
class Quiet:
    """A line on which nobody speaks, dBm0."""

    hum: float
    noise: float


def active_level(channel: NDArray[np.int16], rate_hz: int, gain_db: float = 0.0) -> float:
    """How loud somebody speaks, dBm0: the frames in which he does."""
    frame = round(_FRAME_S * rate_hz)
    count = len(channel) // frame
    if not count:
        return _FLOOR_DBFS + DBM0_OF_DBFS + gain_db
    frames = channel[: count * frame].reshape(count, frame).astype(np.float64)
    power = ((frames - frames.mean(axis=1, keepdims=True)) ** 2).mean(axis=1) / 32768.0**2
    loud = power[power >= power.max() / 10 ** (_BELOW_PEAK_DB / 10)]
    return max(_FLOOR_DBFS, 10 * float(np.log10(max(float(loud.mean()), 1e-12)))) + DBM0_OF_DBFS + gain_db


def quiet(channel: NDArray[np.int16], rate_hz: int, gain_db: float = 0.0) -> Quiet | None:
    """Hum and noise; None when there is less than a second of it."""
    meter = HealthMeter(rate_hz)
    meter.feed(channel)
    found = meter.result()
    if found is None:
        return None
    offset = DBM0_OF_DBFS + gain_db
    return Quiet(hum=max(found.hum_50_dbfs, found.hum_60_dbfs) + offset, noise=found.noise_dbfs + offset)


def clipped_percent(samples: Samples) -> float:
    """Samples at the stops, of all."""
    return 100.0 * float((np.abs(samples.astype(np.int32)) >= _RAIL).mean()) if samples.size else 0.0


def keys_heard(channel: NDArray[np.int16], rate_hz: int) -> str:
    """The keys pressed in this stretch."""
    detector = DtmfDetector(rate_hz)
    silence = np.zeros(rate_hz // 2, dtype=np.int16)
    return "".join(found.digit for found in (*detector.feed(channel), *detector.feed(silence)))


def keys_right(heard: str, pressed: str) -> float:
    """Percent of ``pressed`` that came, in order; keys too many count against it."""
    if not pressed:
        return 0.0
    return 100.0 * max(0, _common(heard, pressed) - max(0, len(heard) - len(pressed))) / len(pressed)


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        above, row = row, [0]
        for n, y in enumerate(b):
            row.append(above[n] + 1 if x == y else max(row[-1], above[n + 1]))
    return row[-1]
