"""Caller ID out of the sound of a line: clean, noisy, faint, tilted, clipped; and never out of speech."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from firmware.signals.callerid_fsk import find_message
from firmware.signals.callerid_search import CallerIdSearch
from tests.signals import spandsp
from tests.signals.generators import (
    RATE_HZ,
    add_noise,
    add_tone,
    fsk,
    mdmf,
    sdmf,
    silence,
    speech,
    to_pcm,
    uart,
)

MESSAGES = [mdmf((1, b"11221033"), (2, b"1380013800%d" % i), (7, b"CALLER %d" % i)) for i in range(4)]
BOTH = pytest.mark.parametrize("standard", ["bell", "v23"])


def on_the_line(message, standard="bell", *, seizure_bits=300, mark_bits=180, stop_bits=1, **how):
    bits = uart(message, seizure_bits, mark_bits, stop_bits)
    return np.concatenate([silence(0.5), fsk(bits, standard, **how), silence(0.5)])


def search(pcm, block=160):
    looking = CallerIdSearch(RATE_HZ)
    found = [looking.feed(pcm[i : i + block]) for i in range(0, len(pcm), block)]
    return [message for message in found if message is not None]


def heard(spoil):
    """How many of the messages come through, block by block and through the gate as on a real line."""
    lines = [(message, to_pcm(spoil(message, seed))) for seed, message in enumerate(MESSAGES)]
    return sum([m.raw for m in search(pcm)] == [message] for message, pcm in lines)


@BOTH
@pytest.mark.parametrize("snr_db", [20, 12, 10])
def test_noise(standard, snr_db):
    assert heard(lambda m, seed: add_noise(on_the_line(m, standard), snr_db, seed)) == len(MESSAGES)


@BOTH
@pytest.mark.parametrize("level_dbm0", [0, -30, -45])
def test_level(standard, level_dbm0):
    assert heard(lambda m, _: on_the_line(m, standard, level_dbm0=level_dbm0)) == len(MESSAGES)


@BOTH
@pytest.mark.parametrize(
    "how",
    [
        {"twist_db": -10},
        {"twist_db": 10},
        {"baud": 1182},
        {"baud": 1218},
        {"offset_hz": -30},
        {"offset_hz": 30},
        {"seizure_bits": 30, "mark_bits": 12},
        {"mark_bits": 10},
        {"stop_bits": 3},
        {"stretch": 0.4},
    ],
)
def test_senders_that_are_off(standard, how):
    assert heard(lambda m, _: on_the_line(m, standard, **how)) == len(MESSAGES)


@BOTH
def test_hum_ten_db_above_the_signal(standard):
    assert heard(lambda m, _: add_tone(on_the_line(m, standard), 50, -4)) == len(MESSAGES)


@BOTH
def test_clipping(standard):
    assert heard(lambda m, _: np.clip(on_the_line(m, standard, level_dbm0=14), -30000, 30000)) == len(MESSAGES)


def test_where_the_message_was():
    pcm = to_pcm(on_the_line(MESSAGES[0]))
    (message,) = search(pcm)
    first = (0.5 + 480 / 1200) * RATE_HZ
    assert message.began == pytest.approx(first, abs=0.002 * RATE_HZ)
    assert message.ended == pytest.approx(first + len(MESSAGES[0]) * 10 / 1200 * RATE_HZ, abs=0.002 * RATE_HZ)


def test_a_message_is_found_once_and_the_next_one_too():
    pcm = to_pcm(np.concatenate([on_the_line(MESSAGES[0]), on_the_line(MESSAGES[1], "v23")]))
    assert [m.raw for m in search(pcm)] == MESSAGES[:2]


def test_the_shortest_message():
    message = sdmf(b"11221033", b"O")
    assert [m.raw for m in search(to_pcm(on_the_line(message, mark_bits=80, seizure_bits=0)))] == [message]


def test_a_message_that_speech_follows_at_once(tmp_path):
    voice = speech(tmp_path)
    if voice is None:
        pytest.skip("espeak-ng is not installed")
    sound = np.concatenate([silence(0.3), fsk(uart(MESSAGES[0])), voice[4000:32000]])
    assert [m.raw for m in search(to_pcm(sound))] == [MESSAGES[0]]


def test_a_message_cut_in_half_is_none():
    sound = on_the_line(MESSAGES[0])
    assert search(to_pcm(np.concatenate([sound[: round(1.1 * RATE_HZ)], silence(1)]))) == []


def test_other_rates():
    sound = resample_poly(on_the_line(MESSAGES[0]), 6, 1)
    found = find_message(to_pcm(sound), 48_000)
    assert found is not None
    assert found.raw == MESSAGES[0]


@pytest.mark.skipif(not spandsp.available, reason="libspandsp2 is not installed")
@pytest.mark.parametrize("standard", [spandsp.CLASS, spandsp.CLIP])
def test_another_generator(standard):
    pcm = spandsp.caller_id(standard, 0x80, (1, b"11221033"), (2, b"02087654321"), (7, b"SPAN DSP"))
    (found,) = search(pcm)
    assert (found.message.number, found.message.name) == ("02087654321", "SPAN DSP")


def test_noise_tones_and_silence_hold_no_message():
    noise = np.random.default_rng(7).normal(0, 3000, 5 * RATE_HZ)
    assert find_message(to_pcm(noise), RATE_HZ) is None
    assert find_message(to_pcm(silence(2)), RATE_HZ) is None
    assert find_message(to_pcm(add_tone(silence(2), 1200, -10)), RATE_HZ) is None
    assert find_message(to_pcm(silence(0.01)), RATE_HZ) is None


@pytest.mark.parametrize("voice", ["en-us", "cmn"])
def test_speech_holds_no_message(tmp_path, voice):
    sound = speech(tmp_path, voice)
    if sound is None:
        pytest.skip("espeak-ng is not installed")
    assert find_message(to_pcm(sound), RATE_HZ) is None
    assert search(to_pcm(sound)) == []
