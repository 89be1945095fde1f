"""The street's ears: a prompt that was said is found through codec and double talk; one that was not is never found.

The margins are asserted, and printed with ``pytest -s``: what was said scores at least 0.10 over the threshold,
and what was not said at least 0.10 under it.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from simulator.hearing import HEARD, matches
from simulator.speech import LOCAL, PROMPTS, REMOTE, say

RNG = np.random.default_rng(5)
MARGIN = 0.10


def two_wire(remote: str, local: str, overlap_s: float) -> np.ndarray:
    """A two-wire recording: the far side 5 dB quieter, the near side talking over its last ``overlap_s`` seconds."""
    far, near = say(remote) * 0.56, say(local)
    start = 8000 * 6
    second = start + len(far) - round(overlap_s * 8000)
    line = RNG.standard_normal(second + len(near) + 8000 * 4) * 10 ** (-66 / 20)
    line[start : start + len(far)] += far
    line[second : second + len(near)] += near
    return line


def through_opus(sound: np.ndarray) -> tuple[np.ndarray, int]:
    """Ogg Opus at 16 kbit/s: `compression_level` is libsndfile's bit rate (0.96 is 16 kbit/s)."""
    file = io.BytesIO()
    soundfile.write(file, sound, 8000, format="OGG", subtype="OPUS", compression_level=0.96)
    file.seek(0)
    return soundfile.read(file)


def forms(sound: np.ndarray) -> dict[str, tuple[np.ndarray, int]]:
    quantised = np.round(sound * 32767) / 32767
    return {"flac": (quantised, 8000), "opus": through_opus(sound)}


@pytest.fixture(scope="module")
def scores() -> dict[str, list[float]]:
    said: list[float] = []
    not_said: list[float] = []
    for n in range(0, 12, 4):
        remote, local = REMOTE[n].id, LOCAL[(n * 5 + 1) % 12].id
        for sound, rate in forms(two_wire(remote, local, overlap_s=0.8)).values():
            for prompt in PROMPTS:
                match = matches(sound, rate, say(prompt))
                (said if prompt in (remote, local) else not_said).append(match.score)
    print(f"\nsaid: {len(said)}, worst {min(said):.2f}; not said: {len(not_said)}, best {max(not_said):.2f}; {HEARD=}")
    return {"said": said, "not_said": not_said}


def test_what_was_said_is_heard_with_a_margin(scores):
    assert min(scores["said"]) >= HEARD + MARGIN


def test_what_was_not_said_is_not_heard_with_a_margin(scores):
    assert max(scores["not_said"]) <= HEARD - MARGIN


def test_the_place_is_found_to_the_millisecond(scores):
    sound = np.zeros(8000 * 12)
    sound[8000 * 5 + 123 :][: len(say("r03"))] += say("r03")
    assert matches(sound, 8000, say("r03")).offset_s == pytest.approx(5 + 123 / 8000, abs=0.001)


def test_a_gap_in_the_middle_of_a_prompt_does_not_hide_it():
    said = say("l04")
    hole = len(said) // 2
    sound = np.concatenate([np.zeros(8000), said[:hole], said[hole + 320 :], np.zeros(8000)])
    assert matches(sound, 8000, said).heard


def test_half_a_prompt_is_not_the_prompt():
    said = say("l04")
    sound = np.concatenate([np.zeros(8000), said[: len(said) * 4 // 10], np.zeros(8000 * 4)])
    assert not matches(sound, 8000, said).heard


def test_silence_and_a_recording_shorter_than_the_prompt():
    assert matches(np.zeros(8000 * 5), 8000, say("r01")).score < HEARD - MARGIN
    assert matches(np.zeros(100), 8000, say("r01")).score < HEARD - MARGIN
    assert not matches(RNG.standard_normal(8000 * 10) * 0.1, 8000, say("r01")).heard


def test_a_recording_at_another_rate():
    said = say("r05")
    spectrum = np.fft.rfft(said)
    wide = np.fft.irfft(np.pad(spectrum, (0, len(said) - len(spectrum) + 1)), 2 * len(said)) * 2
    assert matches(np.concatenate([np.zeros(16000), wide]), 16000, said).score > 0.9
