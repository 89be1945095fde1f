"""The central office's signals, judged by a decoder that is not ours (spandsp), and by their figures."""

from __future__ import annotations

import ctypes
from datetime import datetime

import numpy as np
import pytest

from simulator import fsk
from simulator.mixer import Mixer
from simulator.tones import COUNTRIES, digits

try:
    LIBRARY = ctypes.CDLL("libspandsp.so.2")
except OSError:
    LIBRARY = None
needs_spandsp = pytest.mark.skipif(LIBRARY is None, reason="libspandsp2 is not installed")

ADSI_STANDARD_CLASS = 1
MESSAGE_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_int)


def as_s16(sound: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((sound * 32767).astype(np.int16))


def adsi_decode(sound: np.ndarray) -> list[bytes]:
    got: list[bytes] = []
    callback = MESSAGE_CALLBACK(lambda _user, message, length: got.append(bytes(message[:length])))
    LIBRARY.adsi_rx_init.restype = ctypes.c_void_p
    LIBRARY.adsi_rx_init.argtypes = [ctypes.c_void_p, ctypes.c_int, MESSAGE_CALLBACK, ctypes.c_void_p]
    LIBRARY.adsi_rx.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    LIBRARY.adsi_rx_free.argtypes = [ctypes.c_void_p]
    state = LIBRARY.adsi_rx_init(None, ADSI_STANDARD_CLASS, callback, None)
    samples = as_s16(np.concatenate([np.zeros(1600), sound, np.zeros(4000)]))
    LIBRARY.adsi_rx(state, samples.ctypes.data, len(samples))
    LIBRARY.adsi_rx_free(state)
    return got


def dtmf_decode(sound: np.ndarray) -> str:
    LIBRARY.dtmf_rx_init.restype = ctypes.c_void_p
    LIBRARY.dtmf_rx_init.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    LIBRARY.dtmf_rx.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    LIBRARY.dtmf_rx_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    LIBRARY.dtmf_rx_get.restype = ctypes.c_size_t
    LIBRARY.dtmf_rx_free.argtypes = [ctypes.c_void_p]
    state = LIBRARY.dtmf_rx_init(None, None, None)
    samples = as_s16(sound)
    LIBRARY.dtmf_rx(state, samples.ctypes.data, len(samples))
    buffer = ctypes.create_string_buffer(129)
    LIBRARY.dtmf_rx_get(state, buffer, 128)
    LIBRARY.dtmf_rx_free(state)
    return buffer.value.decode()


def test_a_message_is_laid_out_as_gr_30_says():
    message = fsk.message("6095551212", datetime(2026, 9, 30, 12, 24))
    assert message[:2] == bytes([0x80, len(message) - 3])
    assert message[2:12] == b"\x01\x0809301224"
    assert message[12:-1] == b"\x02\x0a6095551212"
    assert sum(message) % 256 == 0


def test_a_withheld_number_is_told_as_absence_p():
    message = fsk.message(None, datetime(2026, 9, 30, 12, 24))
    assert b"\x04\x01P" in message
    assert b"\x02" not in message[2:-1].replace(b"09301224", b"")


@needs_spandsp
@pytest.mark.parametrize("number", ["13800550123", None])
def test_spandsp_reads_our_caller_id(number):
    message = fsk.message(number, datetime(2026, 11, 22, 9, 5), name="LI LEI" if number else None)
    assert message in [m + bytes([-sum(m) & 0xFF]) for m in adsi_decode(fsk.signal(message))] + adsi_decode(
        fsk.signal(message)
    )


@needs_spandsp
def test_spandsp_reads_our_digits():
    assert dtmf_decode(digits("0123456789*#ABCD")) == "0123456789*#ABCD"


def test_a_key_that_no_keypad_has_is_refused():
    with pytest.raises(ValueError, match="substring"):
        digits("12x")


@pytest.mark.parametrize(("country", "busy_on_s", "hz"), [("CN", 0.35, 450), ("US", 0.5, 480)])
def test_tones_have_the_country_s_figures(country, busy_on_s, hz):
    busy = COUNTRIES[country].busy()
    loud = np.abs(busy) > 0.02
    assert np.flatnonzero(loud)[-1] / 8000 == pytest.approx(busy_on_s, abs=0.02)
    on = busy[: round(busy_on_s * 8000)]
    spectrum = np.abs(np.fft.rfft(on))
    assert spectrum[round(hz * len(on) / 8000)] > 0.5 * spectrum.max()


def test_the_mixer_adds_loops_and_stops():
    mixer = Mixer(noise=False)
    once = mixer.play(np.full(500, 0.25, np.float32))
    loop = mixer.play(np.full(100, 0.5, np.float32), loop=True)
    first = np.frombuffer(mixer.block(320), "<i2") / 32767
    assert first == pytest.approx(0.75, abs=1e-3)
    second = np.frombuffer(mixer.block(320), "<i2") / 32767
    assert second[:180] == pytest.approx(0.75, abs=1e-3)
    assert second[180:] == pytest.approx(0.5, abs=1e-3)
    assert once.whole
    loop.stop()
    assert np.frombuffer(mixer.block(320), "<i2").max() == 0
    assert not loop.whole


def test_an_idle_line_is_never_digital_silence():
    assert np.count_nonzero(np.frombuffer(Mixer().block(8000), "<i2")) > 4000
