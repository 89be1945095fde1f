"""Digits out of the sound of a line, and none out of speech."""

import numpy as np
import pytest

from firmware.signals.dtmf import DtmfDetector
from tests.signals import spandsp
from tests.signals.generators import RATE_HZ, add_noise, add_tone, dtmf, speech, to_pcm

KEYS = "0123456789*#ABCD"


def detect(sound, block=160):
    detector, pcm = DtmfDetector(RATE_HZ), to_pcm(sound)
    return [digit for i in range(0, len(pcm), block) for digit in detector.feed(pcm[i : i + block])]


def digits(sound, block=160):
    return "".join(d.digit for d in detect(sound, block))


@pytest.mark.parametrize("block", [80, 160, 333, 8000, 1_000_000])
def test_all_keys_in_blocks_of_any_length(block):
    assert digits(dtmf(KEYS), block) == KEYS


def test_where_each_digit_began():
    for number, digit in enumerate(detect(dtmf("159D", on_ms=80, off_ms=120, lead_s=0.3))):
        assert digit.began == pytest.approx((0.3 + 0.2 * number) * RATE_HZ, abs=0.02 * RATE_HZ)


@pytest.mark.parametrize("how", [
    {"level_dbm0": -4}, {"level_dbm0": -30}, {"level_dbm0": -42}, {"twist_db": 8}, {"twist_db": -8},
    {"shift": 0.018}, {"shift": -0.018}, {"on_ms": 40, "off_ms": 40}, {"on_ms": 1000}, {"on_ms": 50, "off_ms": 500},
])  # fmt: skip
def test_senders_of_every_kind(how):
    assert digits(dtmf(KEYS, **how)) == KEYS


@pytest.mark.parametrize("how", [{"shift": 0.035}, {"shift": -0.035}, {"on_ms": 20}, {"twist_db": 15}])
def test_what_is_no_digit(how):
    assert digits(dtmf(KEYS, **how)) == ""


@pytest.mark.parametrize(("snr_db", "on_ms"), [(10, 60), (5, 70)])
@pytest.mark.parametrize("seed", range(4))
def test_noise(seed, snr_db, on_ms):
    assert digits(add_noise(dtmf(KEYS, on_ms=on_ms, off_ms=60), snr_db, seed)) == KEYS


@pytest.mark.parametrize("tones", [(350, 440), (425,), (450,), (400,), (50,), (60, 180)])
@pytest.mark.parametrize("above_db", [-5, 5])
def test_dial_tone_and_hum_beneath(tones, above_db):
    sound = dtmf(KEYS, level_dbm0=-16)
    for hz in tones:
        level = -16 + above_db if hz < 100 or hz > 300 else -40
        sound = add_tone(sound, hz, level)
    assert digits(sound) == KEYS


def test_the_same_digit_twice_needs_a_pause_between():
    assert digits(dtmf("5555", on_ms=50, off_ms=50)) == "5555"


def test_a_drop_out_does_not_make_two_digits_of_one():
    sound = dtmf("5", on_ms=200)
    gap = slice(round(0.29 * RATE_HZ), round(0.30 * RATE_HZ))
    sound[gap] = 0
    assert digits(sound) == "5"


@pytest.mark.skipif(not spandsp.available, reason="libspandsp2 is not installed")
def test_another_generator():
    assert digits(spandsp.dtmf(KEYS).astype(float)) == KEYS


@pytest.mark.parametrize(("voice", "pitch"), [("en-us", 20), ("en-us", 80), ("de", 99), ("cmn", 50), ("en-us+f3", 50)])
def test_speech_is_no_digit(tmp_path, voice, pitch):
    sound = speech(tmp_path, voice, pitch)
    if sound is None:
        pytest.skip("espeak-ng is not installed")
    assert digits(sound, 800) == ""
    assert digits(add_noise(sound, 5, 1), 800) == ""


def test_noise_is_no_digit():
    assert digits(np.random.default_rng(3).normal(0, 3000, 30 * RATE_HZ), 800) == ""
