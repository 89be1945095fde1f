"""The jitter buffer on a virtual clock: two crystals that differ, late threads, bursts, and sound that stays itself."""

from __future__ import annotations

import heapq
import random

import numpy as np
import pytest

from firmware.audio.jitter import LONGEST_S, JitterBuffer

RATE_HZ = 8000
FRAME = 160
PERIOD = 80


def run(
    seconds: float, *, ppm: float, jitter_s: float = 0.003, take: int = PERIOD, put: int = FRAME, seed: int = 1
) -> tuple[JitterBuffer, list[float]]:
    """A giver whose crystal is ``ppm`` fast and a taker with an exact one, both late by up to ``jitter_s``."""
    rng = random.Random(seed)
    buffer = JitterBuffer()
    give_every_s, take_every_s = put / RATE_HZ / (1 + ppm / 1e6), take / RATE_HZ
    n_put = n_take = 0
    queue = [(0.0, "put"), (0.005, "take")]
    lengths = []
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(put) / RATE_HZ)).astype(np.int16)
    while queue:
        now_s, what = heapq.heappop(queue)
        if now_s > seconds:
            break
        if what == "put":
            buffer.put(samples, now_s)
            n_put += 1
            heapq.heappush(queue, (max(now_s, n_put * give_every_s + rng.random() * jitter_s), "put"))
        else:
            buffer.take(take, now_s)
            n_take += 1
            heapq.heappush(queue, (max(now_s, 0.005 + n_take * take_every_s + rng.random() * jitter_s), "take"))
            if now_s > 10:
                lengths.append(buffer.length_s(now_s))
    return buffer, lengths


CRYSTALS = [(200, FRAME, PERIOD), (-200, PERIOD, FRAME)]


def stays_short(seconds: float, ppm: float, put: int, take: int) -> None:
    buffer, lengths = run(seconds, ppm=ppm, put=put, take=take)
    assert buffer.underruns == 0
    assert buffer.dropped_frames == 0
    assert max(lengths) < LONGEST_S
    assert buffer.correction_ppm == pytest.approx(ppm, abs=150)


@pytest.mark.parametrize(("ppm", "put", "take"), CRYSTALS)
def test_five_minutes_of_two_crystals_that_differ_have_no_underrun_and_stay_short(
    ppm: float, put: int, take: int
) -> None:
    """Unsteered, 200 ppm of five minutes are 60 ms: it would have run dry."""
    stays_short(300, ppm, put, take)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("ppm", "put", "take"), CRYSTALS)
def test_an_hour_of_them_too(ppm: float, put: int, take: int) -> None:
    stays_short(3600, ppm, put, take)


@pytest.mark.parametrize(("put", "take"), [(80, 160), (160, 160), (160, 240), (80, 80)])
def test_pieces_of_any_usual_size_settle(put: int, take: int) -> None:
    buffer, lengths = run(120, ppm=100, put=put, take=take)
    before = buffer.underruns
    assert before <= 3, "the target grows until it fits"
    assert max(lengths[len(lengths) // 2 :]) < LONGEST_S + take / RATE_HZ


def test_late_threads_make_the_target_longer_and_calm_brings_it_back() -> None:
    buffer = JitterBuffer()
    now_s = 0.0
    for _ in range(50):
        buffer.put(np.ones(FRAME, np.int16), now_s)
        buffer.take(FRAME, now_s)
        now_s += 0.02
    for _ in range(3):  # the giver is away for 60 ms
        buffer.take(FRAME, now_s)
        now_s += 0.02
    assert buffer.underruns == 1
    assert buffer.target_s > 0.040
    for _ in range(round(260 / 0.02)):
        buffer.put(np.ones(FRAME, np.int16), now_s)
        buffer.take(FRAME, now_s)
        now_s += 0.02
    assert buffer.target_s == pytest.approx(0.040)


def test_a_burst_after_a_stall_is_cut_at_once() -> None:
    buffer = JitterBuffer()
    for n in range(20):
        buffer.put(np.zeros(FRAME, np.int16), 0.0 + n * 1e-4)
    buffer.take(PERIOD, 0.01)
    assert buffer.length_s(0.01) < LONGEST_S
    for n in range(20):
        buffer.put(np.zeros(FRAME, np.int16), 0.02 + n * 1e-4)
    buffer.take(PERIOD, 0.03)
    assert buffer.length_s(0.03) < LONGEST_S
    assert buffer.dropped_frames > 2000


@pytest.mark.parametrize("hz", [300, 1000, 3400])
def test_a_tone_goes_through_a_drifting_buffer_clean(hz: float) -> None:
    """Over the telephone band: at least 45 dB above everything the resampling adds."""
    buffer = JitterBuffer()
    out = []
    for n in range(600):
        t = (np.arange(FRAME) + n * FRAME) / RATE_HZ
        now_s = n * 0.02 / 1.0002
        buffer.put((10000 * np.sin(2 * np.pi * hz * t)).astype(np.int16), now_s)
        out.append(buffer.take(FRAME, n * 0.02))
    sound = np.concatenate(out).astype(float)[4 * RATE_HZ : 8 * RATE_HZ]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    peak = int(np.argmax(spectrum))
    near = spectrum[peak - 12 : peak + 13].sum()
    assert abs(peak * RATE_HZ / len(sound) - hz) < 2
    assert 10 * np.log10(near / (spectrum.sum() - near)) > 45
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(10000 / np.sqrt(2), rel=0.1)


def test_equal_clocks_and_the_target_length_pass_every_sample_unchanged() -> None:
    buffer = JitterBuffer()
    rng = np.random.default_rng(1)
    given = rng.integers(-20000, 20000, 320 + 20 * FRAME).astype(np.int16)
    buffer.put(given[:320], 0.0)
    taken = [buffer.take(FRAME, 0.0)]
    for n in range(18):
        buffer.put(given[320 + n * FRAME : 320 + (n + 1) * FRAME], 0.0)
        taken.append(buffer.take(FRAME, 0.0))
    sound = np.concatenate(taken)
    whole = given[: len(sound)]
    shift = next(k for k in range(16) if np.array_equal(sound[200:1000], given[200 + k - 8 : 1000 + k - 8]))
    assert shift is not None
    assert len(whole) == len(sound)
