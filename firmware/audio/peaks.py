"""The waveform of a recording for the page: max-abs per bucket and channel as base64 bytes in JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import numpy as np

LONG_S = 600.0
"""Above this the page draws several points in one pixel anyway: a tenth of them is kept."""
THINNING = 5


def peaks_document(points: Sequence[bytes], points_per_s: float) -> bytes:
    """``{"version": 1, "points_per_s", "points", "channels": [base64 of uint8, ...]}``; 255 is full scale."""
    rows = [np.frombuffer(row, dtype=np.uint8) for row in points]
    if rows and len(rows[0]) > LONG_S * points_per_s:
        rows = [_thinned(row) for row in rows]
        points_per_s /= THINNING
    document = {
        "version": 1,
        "points_per_s": points_per_s,
        "points": len(rows[0]) if rows else 0,
        "channels": [base64.b64encode(row.tobytes()).decode() for row in rows],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _thinned(row: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    padded = np.pad(row, (0, -len(row) % THINNING))
    thin: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = padded.reshape(-1, THINNING).max(axis=1)
    return thin
