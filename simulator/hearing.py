"""Tells whether a prompt was said in a recording, and when: normalised cross-correlation, piece by piece.

Pure. A prompt is cut into pieces of about 0.7 s. All pieces together find where the prompt is; then each piece is
looked for near its place by itself, so that a short gap, a codec's phase or the other side talking over a part of it
does not spoil the whole. The score is the middle one (median) of the pieces' correlations: 1 is the same sound, a voice
that says something else stays under 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from simulator.speech import to_line

RATE_HZ = 8000
HEARD = 0.33
"""From this score on a prompt counts as said; tests/simulator/test_hearing.py shows the margins on both sides."""

_PIECE_S = 0.7
_SLACK_S = 0.06

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Match:
    """How well a prompt was found, and where its first sample is."""

    score: float
    offset_s: float

    @property
    def heard(self) -> bool:
        return self.score >= HEARD


def matches(recording: npt.NDArray[np.floating], rate_hz: int, prompt: npt.NDArray[np.floating]) -> Match:
    """Looks for ``prompt`` (8 kHz) in one channel of a recording at ``rate_hz``."""
    heard = _flatten(to_line(np.asarray(recording, dtype=np.float64), rate_hz))
    said = _flatten(np.asarray(prompt, dtype=np.float64))
    if len(heard) < len(said):
        heard = np.pad(heard, (0, len(said) - len(heard)))
    count = max(1, round(len(said) / (_PIECE_S * RATE_HZ)))
    edges = np.linspace(0, len(said), count + 1).astype(int)
    pieces = [(int(a), said[a:b]) for a, b in pairwise(edges)]
    curves = _correlations(heard, [piece for _, piece in pieces])
    last = len(heard) - len(said)
    together = np.mean([curve[at : at + last + 1] for (at, _), curve in zip(pieces, curves, strict=True)], axis=0)
    offset = int(np.argmax(together))
    slack = round(_SLACK_S * RATE_HZ)
    scores = []
    for (at, _), curve in zip(pieces, curves, strict=True):
        near = curve[max(0, offset + at - slack) : offset + at + slack + 1]
        scores.append(float(np.max(near)) if len(near) else 0.0)
    return Match(round(float(np.median(scores)), 3), offset / RATE_HZ)


def _flatten(samples: Samples) -> Samples:
    """Pre-emphasis: without it the two loudest harmonics decide, and every deep voice looks like every other."""
    out = np.copy(samples)
    out[1:] -= 0.95 * samples[:-1]
    return out


def _correlations(heard: Samples, pieces: list[Samples]) -> list[Samples]:
    """The normalised correlation of each piece with ``heard`` at every place where it fits."""
    size = _good_size(len(heard) + max(map(len, pieces)))
    # Single precision is half the work, and three digits of a correlation are plenty.
    spectrum = np.fft.rfft(heard.astype(np.float32), size)
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    curves = []
    for piece in pieces:
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece.astype(np.float32), size)), size)
        places = len(heard) - len(piece) + 1
        window = energy[len(piece) :] - energy[:places]
        # In near-silence a correlation is made of rounding errors: it gets a floor 60 dB under the loudest stretch.
        floor = max(float(np.max(window)) * 1e-6, 1e-12)
        norm = np.sqrt(np.maximum(window, floor) * max(float(np.sum(piece**2)), 1e-12))
        curves.append(product[:places] / norm)
    return curves


def _good_size(at_least: int) -> int:
    """A length of a fast transform: 2, 3 or 5 times a power of two, or one itself."""
    return min(factor << max(0, (-(-at_least // factor) - 1).bit_length()) for factor in (1, 3, 5))
