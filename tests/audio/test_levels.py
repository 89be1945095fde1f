"""What the meters say about sound whose levels are known on paper."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from firmware.audio.levels import SILENCE_DBFS, Meter, Samples, levels_now, samples_of
from firmware.audio.live_levels import LiveLevels
from firmware.ports import Block, ChannelLevels
from tests.audio.world import LINE, START

RATE = 8000


def sine(amplitude: int, seconds: float = 2.0, hz: int = 400) -> Samples:
    """Whole periods, so that its RMS is exactly the amplitude over the root of two."""
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def square(amplitude: int, seconds: float = 2.0) -> Samples:
    return np.where(np.arange(round(seconds * RATE)) % 8 < 4, amplitude, -amplitude).astype(np.int16)


def measured(
    samples: Samples, *, channels: int = 1, portion_frames: Callable[[], int] = lambda: 4000
) -> tuple[ChannelLevels, ...]:
    """Of a recording that is written in portions."""
    meter = Meter(rate_hz=RATE, channels=channels)
    pcm = samples.astype("<i2").tobytes()
    while pcm:
        size = 2 * channels * portion_frames()
        meter.feed(pcm[:size])
        pcm = pcm[size:]
    return meter.finish()


def db(amplitude: float) -> float:
    return round(20 * math.log10(amplitude / 32768), 1)


@pytest.mark.parametrize("amplitude", [32767, 16384, 3277, 328, 33])
def test_sine_and_square(amplitude: int) -> None:
    (of_sine,), (of_square,) = measured(sine(amplitude)), measured(square(amplitude))
    assert (of_sine.rms_dbfs, of_sine.peak_dbfs) == (
        pytest.approx(db(amplitude / math.sqrt(2)), abs=0.11),
        db(amplitude),
    )
    assert (of_square.rms_dbfs, of_square.peak_dbfs) == (db(amplitude), db(amplitude))
    now = levels_now(samples_of(square(amplitude).tobytes(), 1))
    assert (now.rms_dbfs, now.peak_dbfs, now.dead) == ((db(amplitude),), (db(amplitude),), False)


def test_lowest_sample_is_full_scale_and_nothing_is_silence() -> None:
    low = np.zeros(RATE, np.int16)
    low[1234] = -32768
    assert measured(low)[0].peak_dbfs == 0.0
    assert levels_now(low.reshape(-1, 1)).peak_dbfs == (0.0,)
    (silent,) = measured(np.zeros(RATE, np.int16))
    assert (silent.rms_dbfs, silent.peak_dbfs, silent.active_s) == (SILENCE_DBFS, SILENCE_DBFS, 0.0)


def with_runs(*runs: tuple[int, int], rail: int = 32767) -> Samples:
    """Quiet sound of 3 s with ``(place, length)`` stretches at the rail."""
    samples = sine(1000, 3.0)
    for place, length in runs:
        samples[place : place + length] = rail
    return samples


@pytest.mark.parametrize(
    ("samples", "runs"),
    [
        (with_runs((100, 1), (200, 2)), 0),  # a loud sample, and two
        (with_runs((100, 3)), 1),
        (with_runs((100, 3), (104, 3)), 2),  # one sample between them
        (with_runs((0, 5), (3 * RATE - 4, 4)), 2),  # at both ends
        (with_runs((3998, 4)), 1),  # over the end of a portion of half a second
        (with_runs((2000, 15_000)), 1),  # over many portions
        (with_runs((799, 3), rail=-32768), 1),
        (with_runs((799, 300), rail=32699), 0),  # loud, but not at the rail
    ],
)
def test_clipped_runs(samples: Samples, runs: int) -> None:
    assert measured(samples)[0].clipped_runs == runs


def test_portions_change_nothing() -> None:
    dice = random.Random(5)
    speech = with_runs((3990, 30), (9000, 2), (12_345, 4000))
    both = np.stack([speech, np.zeros_like(speech)], axis=1)
    whole = measured(both, channels=2)
    assert [channel.clipped_runs for channel in whole] == [2, 0]
    for _ in range(20):
        assert measured(both, channels=2, portion_frames=lambda: dice.randint(1, 9000)) == whole


def test_active_time_leaves_out_silence_and_offset() -> None:
    offset = np.full(2 * RATE, 900, np.int16)  # a cheap converter's, as strong as quiet speech
    (channel,) = measured(np.concatenate([sine(1000, 1.5), offset, sine(1000, 0.7)]))
    assert channel.active_s == pytest.approx(2.2, abs=0.11)  # one window of 100 ms holds the step


def test_waveform_is_the_largest_sample_of_each_20_ms() -> None:
    meter = Meter(rate_hz=RATE, channels=1)
    ladder = np.repeat(np.arange(0, 100, dtype=np.int16) * -327, 160)
    meter.feed(ladder.astype("<i2").tobytes())
    meter.finish()
    assert list(meter.points[0]) == [min(255, n * 327 * 255 // 32767) for n in range(100)]


def test_live_levels_know_since_when_nothing_is_heard() -> None:
    live = LiveLevels(LINE)
    tone = sine(1000, 0.1)

    def feed(n: int, samples: Samples) -> None:
        block = Block(pcm=samples.tobytes(), frames=len(samples), at=START.plus_s(n / 10))
        live.feed(block, rate_hz=RATE, channels=1)

    for n, samples in enumerate([tone, tone, tone * 0, tone * 0 + 1, tone * 0, tone * 0]):
        feed(n, samples)
    assert live.quiet_since_ns == START.plus_s(0.2).boot_ns
    feed(6, tone)
    feed(7, tone)
    assert live.quiet_since_ns is None
