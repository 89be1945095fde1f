"""The hook of a line found from its sound alone: calls of several countries, and sounds that are no call."""

from __future__ import annotations

import numpy as np
import pytest

from firmware.analog.sound_hook import Heard, SoundHook, SoundTiming
from firmware.model import Instant

RATE = 8000
START = Instant(0, 1_800_000_000_000_000_000)
DICE = np.random.default_rng(8)


def tone(hz: tuple[float, ...], seconds: float, dbfs: float = -20.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * f * t) for f in hz) * 32768 * 10 ** (dbfs / 20)


def nothing(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE))


def talk(seconds: float, dbfs: float = -26.0) -> np.ndarray:
    """Something that is loud, broad and comes in syllables."""
    n = round(seconds * RATE)
    noise = np.convolve(DICE.standard_normal(n + 40), np.ones(6) / 6, "valid")[:n]
    syllables = np.clip(np.sin(2 * np.pi * 3 * np.arange(n) / RATE) + 0.6, 0, 1)
    sound = noise * syllables
    return sound / np.sqrt((sound**2).mean()) * 32768 * 10 ** (dbfs / 20)


def fsk(seconds: float) -> np.ndarray:
    bits = DICE.integers(0, 2, round(seconds * 1200) + 1)
    hz = np.repeat(np.where(bits, 1200.0, 2200.0), RATE // 1200 + 1)[: round(seconds * RATE)]
    return np.sin(2 * np.pi * np.cumsum(hz) / RATE) * 32768 * 10 ** (-14 / 20)


def ringing(seconds: float, hz: float = 25.0) -> np.ndarray:
    """Ringing current behind the diodes of a tap: clipped."""
    return np.clip(tone((hz,), seconds, 0.0) * 3, -20000, 20000)


def cadence(hz: tuple[float, ...], ms: tuple[int, ...], seconds: float) -> np.ndarray:
    parts = [tone(hz, on / 1000) if n % 2 == 0 else nothing(on / 1000) for n, on in enumerate(ms)]
    one = np.concatenate(parts)
    return np.resize(one, round(seconds * RATE))


def heard(*parts: np.ndarray, noise_dbfs: float = -66.0, silence_s: float = 5.0, block: int = 1600) -> list:
    """What it says of these sounds: (what, seconds from the start)."""
    sound = np.concatenate(parts)
    sound = sound + DICE.standard_normal(len(sound)) * 32768 * 10 ** (noise_dbfs / 20)
    pcm = np.clip(sound, -32768, 32767).astype(np.int16)
    hook, told = SoundHook(SoundTiming(silence_s=silence_s)), []
    for at in range(0, len(pcm), block):
        told += hook.hear(pcm[at : at + block], START.plus_s(at / RATE))
    return [(report.what, report.at.seconds_since(START)) for report in told]


def kinds(told: list) -> list[Heard]:
    return [what for what, _ in told]


CALL = [Heard.RING, Heard.RING_PAUSED, Heard.RING, Heard.RING_PAUSED, Heard.OFF_HOOK]


@pytest.mark.parametrize("hz", [16.7, 20.0, 25.0, 30.0])
def test_an_answered_call(hz: float) -> None:
    told = heard(nothing(3), ringing(1, hz), nothing(0.6), fsk(0.4), nothing(3), ringing(0.6, hz), talk(20), nothing(8))
    assert kinds(told) == [*CALL, Heard.ON_HOOK]
    moments = [at for _, at in told]
    assert moments == pytest.approx([3, 4, 8, 8.6, 8.8, 28.6], abs=0.5)


def test_a_missed_call_with_caller_id_is_no_off_hook() -> None:
    told = heard(nothing(2), ringing(1), nothing(0.6), fsk(1.2), nothing(2), ringing(1), nothing(10))
    assert Heard.OFF_HOOK not in kinds(told)


@pytest.mark.parametrize(
    ("hz", "ms"), [((425.0,), (500, 500)), ((480.0, 620.0), (250, 250)), ((450.0,), (350, 350)), ((400.0,), (375, 375))]
)
def test_the_far_end_goes_first(hz: tuple[float, ...], ms: tuple[int, ...]) -> None:
    told = heard(nothing(2), tone((425.0,), 2), talk(15), cadence(hz, ms, 6), nothing(4))
    assert kinds(told) == [Heard.OFF_HOOK, Heard.FAR_END_GONE, Heard.ON_HOOK]
    assert told[1][1] == pytest.approx(19, abs=0.6)


def test_ringback_and_a_dial_tone_at_the_start_end_nothing() -> None:
    back = cadence((425.0,), (1000, 4000), 15)
    told = heard(nothing(2), tone((350.0, 440.0), 2.5), nothing(0.5), back, talk(10), nothing(8))
    assert kinds(told) == [Heard.OFF_HOOK, Heard.ON_HOOK]


def test_dial_tone_after_a_talk_is_its_end() -> None:
    told = heard(nothing(2), talk(10), nothing(1), tone((350.0, 440.0), 5), nothing(4))
    assert kinds(told) == [Heard.OFF_HOOK, Heard.FAR_END_GONE, Heard.ON_HOOK]


@pytest.mark.parametrize(
    "sound",
    [
        nothing(60),
        tone((50.0, 150.0), 60, -35.0),
        np.concatenate([np.concatenate([nothing(4.9), talk(0.1, -10)]) for _ in range(12)]),
    ],
    ids=["silence", "hum", "clicks"],
)
def test_what_is_no_call(sound: np.ndarray) -> None:
    assert heard(nothing(2), sound) == []


def test_a_line_that_always_hisses_is_no_call() -> None:
    assert heard(nothing(60), noise_dbfs=-48.0) == []


def test_quiet_moments_do_not_cut_a_call() -> None:
    parts = [p for _ in range(10) for p in (talk(5), nothing(4))]
    assert kinds(heard(nothing(2), *parts, nothing(8))) == [Heard.OFF_HOOK, Heard.ON_HOOK]


@pytest.mark.parametrize("block", [160, 333, 1600, 16000])
def test_the_size_of_the_blocks_does_not_matter(block: int) -> None:
    told = heard(nothing(2), ringing(1), nothing(2), talk(6), nothing(8), block=block)
    assert kinds(told) == [Heard.RING, Heard.RING_PAUSED, Heard.OFF_HOOK, Heard.ON_HOOK]
