"""How loud each channel of a recording was, measured on whole 100 ms windows while it is written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.ports import ChannelLevels

SILENCE_DBFS = -96.3
ACTIVE_DBFS = -50.0
CLIPPED_AT = 32700
CLIPPED_RUN = 3
"""Samples in a row at the rail that make one clipped run; a lone full-scale sample is just a loud one."""
POINTS_PER_S = 50
"""Waveform points per second while recording (20 ms); long recordings are thinned when they are sealed."""
DEAD_SWING = 2
"""Sound whose samples span no more than this is digital silence: nothing is connected, or all is muted."""

_ACTIVE_POWER = (32768.0 * 10 ** (ACTIVE_DBFS / 20)) ** 2

Samples = NDArray[np.int16]


def dbfs(rms: float) -> float:
    """Level of an s16 amplitude, floored at `SILENCE_DBFS`, rounded to 0.1 dB."""
    if rms <= 0.5:
        return SILENCE_DBFS
    return round(20 * math.log10(rms / 32768.0), 1)


def samples_of(pcm: bytes | bytearray | memoryview, channels: int) -> Samples:
    """Interleaved s16le as an array of frames x channels, without copying."""
    return np.frombuffer(pcm, dtype="<i2").reshape(-1, channels)


@dataclass(frozen=True, slots=True)
class LevelsNow:
    """Levels of each channel over a fraction of a second, dBFS."""

    rms_dbfs: tuple[float, ...]
    peak_dbfs: tuple[float, ...]
    dead: bool
    """Every channel is digital silence."""


def levels_now(samples: Samples) -> LevelsNow:
    """Measures all of ``samples``, at least one frame."""
    rms, peak = [], []
    dead = True
    for column in samples.T:
        wide = column.astype(np.float32)
        power = float(wide.dot(wide)) / len(wide)
        # The ufuncs themselves: the array's methods go through Python, which is what this costs in a cold cache.
        high, low = int(np.maximum.reduce(column)), int(np.minimum.reduce(column))
        rms.append(dbfs(math.sqrt(power)))
        peak.append(dbfs(max(high, -low)))
        dead = dead and high - low <= DEAD_SWING
    return LevelsNow(tuple(rms), tuple(peak), dead)


class ChannelMeter:
    """Adds up one channel."""

    def __init__(self, *, bucket_frames: int, buckets_per_window: int) -> None:
        self._bucket = bucket_frames
        self._per_window = buckets_per_window
        self._power_sum = 0.0
        self._frames = 0
        self._peak = 0
        self._active_windows = 0
        self._clipped_runs = 0
        self._run = 0
        self.points = bytearray()

    def feed(self, column: Samples) -> None:
        """``column`` is a whole number of windows."""
        window = self._bucket * self._per_window
        buckets = column.reshape(-1, self._bucket)
        high = buckets.max(axis=1).astype(np.int32)
        low = buckets.min(axis=1).astype(np.int32)
        peaks = np.maximum(high, -low)
        self.points += np.minimum(peaks * 255 // 32767, 255).astype(np.uint8).tobytes()
        peak = int(peaks.max())
        self._peak = max(self._peak, peak)

        windows = column.reshape(-1, window).astype(np.float32)
        square = np.einsum("ij,ij->i", windows, windows)
        mean = windows.mean(axis=1)
        # A cheap converter's DC offset is not speech.
        alternating = square / window - mean * mean
        self._power_sum += float(square.sum())
        self._frames += column.size
        self._active_windows += int((alternating > _ACTIVE_POWER).sum())

        if peak >= CLIPPED_AT or self._run:
            self._count_clipping(column)

    def finish(self, rest: Samples) -> None:
        """The last frames, fewer than a window."""
        if not rest.size:
            return
        wide = rest.astype(np.float64)
        self._power_sum += float(np.dot(wide, wide))
        self._frames += rest.size
        for start in range(0, rest.size, self._bucket):
            part = rest[start : start + self._bucket].astype(np.int32)
            peak = int(np.abs(part).max())
            self._peak = max(self._peak, peak)
            self.points.append(min(255, peak * 255 // 32767))
        self._count_clipping(rest)

    def _count_clipping(self, column: Samples) -> None:
        railed = np.abs(column.astype(np.int32)) >= CLIPPED_AT
        # Run lengths: positions where the state changes, with the run carried over from the last call in front.
        edges = np.flatnonzero(np.diff(np.concatenate(([0], railed.view(np.int8), [0]))))
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            carried = self._run if begin == 0 else 0
            length = end - begin + carried
            if length >= CLIPPED_RUN > carried:
                self._clipped_runs += 1
            self._run = length if end == column.size else 0
        if not (railed.size and railed[-1]):
            self._run = 0

    def levels(self, window_s: float) -> ChannelLevels:
        rms = math.sqrt(self._power_sum / self._frames) if self._frames else 0.0
        return ChannelLevels(
            rms_dbfs=dbfs(rms),
            peak_dbfs=dbfs(self._peak),
            clipped_runs=self._clipped_runs,
            active_s=round(self._active_windows * window_s, 1),
        )


class Meter:
    """Measures what is written into a recording; feed it in any portions of whole frames."""

    def __init__(self, *, rate_hz: int, channels: int) -> None:
        self._channels = channels
        bucket_frames = max(1, rate_hz // POINTS_PER_S)
        self.points_per_s = rate_hz / bucket_frames
        buckets_per_window = max(1, round(self.points_per_s / 10))
        self._window_bytes = bucket_frames * buckets_per_window * channels * 2
        self.window_s = bucket_frames * buckets_per_window / rate_hz
        self._rest = bytearray()
        self._meters = [
            ChannelMeter(bucket_frames=bucket_frames, buckets_per_window=buckets_per_window) for _ in range(channels)
        ]

    def feed(self, pcm: bytes | bytearray | memoryview) -> None:
        self._rest += pcm
        whole = len(self._rest) - len(self._rest) % self._window_bytes
        # Half a second at a time: numpy's cost per call is the larger part of the work.
        if whole < 5 * self._window_bytes:
            return
        samples = samples_of(bytes(self._rest[:whole]), self._channels)
        del self._rest[:whole]
        for meter, column in zip(self._meters, samples.T, strict=True):
            meter.feed(np.ascontiguousarray(column))

    def finish(self) -> tuple[ChannelLevels, ...]:
        """Takes in what is left and says how loud it all was. Nothing may be fed after this."""
        whole = len(self._rest) - len(self._rest) % self._window_bytes
        samples = samples_of(bytes(self._rest), self._channels)
        self._rest.clear()
        split = whole // (2 * self._channels)
        for meter, column in zip(self._meters, samples.T, strict=True):
            if split:
                meter.feed(np.ascontiguousarray(column[:split]))
            meter.finish(np.ascontiguousarray(column[split:]))
        return tuple(meter.levels(self.window_s) for meter in self._meters)

    @property
    def points(self) -> tuple[bytes, ...]:
        """Waveform: max-abs per bucket and channel, 0..255."""
        return tuple(bytes(meter.points) for meter in self._meters)
