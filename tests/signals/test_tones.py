"""Tones of telephone networks, named by the line's country; none in speech, and no digit is a tone."""

import numpy as np
import pytest

from firmware.signals.countries import ToneName, profile_of, profiles
from firmware.signals.tones import ToneDetector
from tests.signals.generators import RATE_HZ, add_tone, dtmf, rms_of, silence, speech, to_pcm


def tone(hz, ms=(), seconds=12.0, level_dbm0=-16.0, modulated_by_hz=None):
    """``hz``: all at once; ``ms``: on, off, on ..."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound = sum(np.sin(2 * np.pi * f * t + k) for k, f in enumerate(hz)) / np.sqrt(len(hz))
    if modulated_by_hz:
        sound = sound * (1 + np.cos(2 * np.pi * modulated_by_hz * t)) / 1.225
    if ms:
        edges = np.cumsum(ms) / 1000
        sound = sound * (np.searchsorted(edges, t % edges[-1], side="right") % 2 == 0)
    return sound * rms_of(level_dbm0) * np.sqrt(2)


def with_noise(sound, level_dbm0=-26.0, seed=1):
    return sound + np.random.default_rng(seed).normal(0, rms_of(level_dbm0), len(sound))


def heard(sound, country, block=160, rate_hz=RATE_HZ):
    pcm = to_pcm(np.concatenate([silence(0.5), sound, silence(1.5)]))
    detector = ToneDetector(rate_hz, profile_of(country))
    return [h for i in range(0, len(pcm), block) for h in detector.feed(pcm[i : i + block])]


def names(sound, country, **how):
    return [h.name.value for h in heard(sound, country, **how) if not h.lasting]


@pytest.mark.parametrize("code", sorted(profiles()))
def test_every_tone_of_every_country_in_noise(code):
    """A tone may be called by another name that this network gives to the same sound."""
    for name, wanted in profiles()[code].tones:
        if name is ToneName.CALL_WAITING:
            continue
        seconds = max(6, 2.6 * sum(wanted.cadence.ms) / 1000)
        sound = tone(wanted.frequencies_hz, wanted.cadence.ms, seconds, modulated_by_hz=wanted.modulated_by_hz)
        same = {n.value for n, t in profiles()[code].tones if t == wanted}
        told = names(with_noise(sound), code, block=800)
        assert told
        assert set(told) <= same


@pytest.mark.parametrize("off", [0.99, 1.01])
@pytest.mark.parametrize(("hz", "ms", "country", "name"), [
    ((425,), (480, 480), "DE", "busy"), ((480, 620), (250, 250), "US", "congestion"),
    ((440, 480), (2000, 4000), "US", "ringback"), ((400,), (400, 350, 225, 525), "GB", "congestion"),
    ((350, 440), (), "US", "dial"), ((450,), (350, 350), "CN", "busy"),
])  # fmt: skip
def test_frequencies_that_are_off_by_one_percent(hz, ms, country, name, off):
    assert names(with_noise(tone([f * off for f in hz], ms, 20)), country) == [name]


@pytest.mark.parametrize("block", [80, 333, 8000])
def test_blocks_of_any_length(block):
    assert names(tone((450,), (350, 350)), "CN", block=block) == ["busy"]


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_other_rates(rate_hz):
    t = np.arange(8 * rate_hz) / rate_hz
    pcm = to_pcm(np.sin(2 * np.pi * 450 * t) * (t % 0.7 < 0.35) * 4000)
    detector = ToneDetector(rate_hz, profile_of("CN"))
    assert [h.name for h in detector.feed(pcm) if not h.lasting] == [ToneName.BUSY]


def test_a_tone_is_told_once_and_once_more_when_it_lasts():
    told = heard(tone((450,), (350, 350), 60), "CN")
    assert [(h.name, h.lasting) for h in told] == [(ToneName.BUSY, False), (ToneName.BUSY, True)]
    assert told[0].began == pytest.approx(0.5 * RATE_HZ, abs=0.03 * RATE_HZ)


def test_a_busy_tone_of_two_seconds_does_not_last():
    assert [h.lasting for h in heard(tone((450,), (350, 350), 2.2), "CN")] == [False]


def test_the_next_busy_tone_is_told_again():
    busy = tone((450,), (350, 350), 4)
    assert names(np.concatenate([busy, silence(5), busy]), "CN") == ["busy", "busy"]


def test_ringback_and_then_busy():
    sound = np.concatenate([tone((450,), (1000, 4000), 11), silence(1), tone((450,), (350, 350), 5)])
    assert names(sound, "CN") == ["ringback", "busy"]


def test_a_congestion_that_begins_like_the_busy_tone_is_no_busy_tone():
    congestion = tone((425,), (200, 200, 200, 200, 200, 600), 15)
    assert names(congestion, "ES") == ["congestion"]
    assert names(tone((425,), (200, 200), 15), "ES") == ["busy"]


def test_the_special_information_tone():
    parts = [tone((hz,), seconds=0.33) for hz in (950, 1400, 1800)]
    assert names(np.concatenate(parts), "US") == ["sit"]
    assert names(with_noise(np.concatenate(parts)), "DE") == ["sit"]
    assert names(np.concatenate(parts[::-1]), "US") == []


@pytest.mark.parametrize("cadence", [(500, 250), (350, 700), (1000, 1000), (120, 120)])
def test_another_cadence_is_no_tone(cadence):
    assert names(tone((450,), cadence, 12), "CN") == []


def test_another_frequency_is_no_tone():
    assert names(tone((520,), (350, 350)), "CN") == []
    assert names(tone((480, 620), (350, 350)), "CN") == []


def test_hum_beneath_does_not_matter():
    assert names(add_tone(tone((450,), (350, 350)), 50, -16), "CN") == ["busy"]


def test_a_voice_over_it_hides_a_tone_but_makes_none(tmp_path):
    voice = speech(tmp_path, "en-us")
    if voice is None:
        pytest.skip("espeak-ng is not installed")
    for country in ("US", "DE", "GB", "CN"):
        assert names(voice, country) == []


def test_digits_and_noise_are_no_tones():
    assert names(dtmf("0123456789*#" * 3), "US") == []
    assert names(np.random.default_rng(5).normal(0, 2000, 60 * RATE_HZ), "DE") == []
