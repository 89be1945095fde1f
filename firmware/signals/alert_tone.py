"""Hears the alerting signal that comes before a caller ID in a call (CAS) or before the first ring (DT-AS)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HZ = (2130.0, 2750.0)
"""ETSI EN 300 659-1 and -2, GR-30: both at once, for 80 ms in a call, for 110 ms on an idle line."""
_WINDOW_S = 0.04
_STEP_S = 0.01
_SHARE = 0.7
_QUIETEST_RMS = 60.0
_NEEDED = 3
"""Windows in a row: 60 ms of it."""


def alert_tone_in(pcm: NDArray[np.int16], rate_hz: int) -> bool:
    """Whether the tone is somewhere in ``pcm``."""
    window, step = round(_WINDOW_S * rate_hz), round(_STEP_S * rate_hz)
    if len(pcm) < window:
        return False
    frames = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), window)[::step] * np.hanning(window)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(window) / rate_hz, _HZ))
    taper = np.hanning(window)
    power = 2 * np.abs(frames @ turns) ** 2 / taper.sum() ** 2  # mean square of each tone
    total = (frames**2).sum(axis=1) / (taper**2).sum()
    hits = (power.sum(axis=1) >= _SHARE * total) & (power.min(axis=1) >= 0.1 * power.max(axis=1))
    hits &= total >= _QUIETEST_RMS**2
    return bool((np.convolve(hits, np.ones(_NEEDED)) >= _NEEDED).any())
