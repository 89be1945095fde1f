"""Japan's caller-ID frame, from the street's sound and from bytes written down here."""

from __future__ import annotations

import random

import numpy as np
import pytest

from firmware.model import Presentation
from firmware.signals.callerid_fsk import find_message
from firmware.signals.callerid_message import BadMessageError
from firmware.signals.callerid_ntt import parse_frame
from firmware.signals.callerid_search import CallerIdSearch
from firmware.signals.countries import CallerIdStandard
from simulator import fsk

SPOKEN = bytes.fromhex("90 81 87 90 82 c0 88 82 06 30 b1 b2 33 b4 35 90 03".replace(" ", ""))
"""DLE SOH 07 DLE STX 40, 8 bytes: number of 6 digits; DLE ETX. spandsp's receiver (JCLIP) reads it with its CRC."""


def sound(frame: bytes, snr_db: float = 40.0, seed: int = 8) -> np.ndarray:
    wave = fsk.signal(frame, frequencies_hz=fsk.V23_HZ, seizure_bits=0, mark_bits=72)
    hiss = np.random.default_rng(seed).normal(0, 10 ** (-(20 + snr_db) / 20), len(wave) + 8000)
    hiss[4000:-4000] += wave
    return (np.clip(hiss, -1, 1) * 32767).astype(np.int16)


@pytest.mark.parametrize("snr_db", [40.0, 15.0])
def test_a_number_is_read(snr_db: float) -> None:
    found = find_message(sound(fsk.frame("0312345678", dialled="0355550000"), snr_db), 8000, ntt=True)
    assert found is not None
    assert (found.message.number, found.message.presentation) == ("0312345678", Presentation.VALID)
    assert (found.standard, found.format, found.doubtful) == (CallerIdStandard.NTT, "NTT", False)


@pytest.mark.parametrize(
    ("letter", "presentation"), [("P", Presentation.WITHHELD), *((x, Presentation.UNAVAILABLE) for x in "OCS")]
)
def test_why_there_is_no_number(letter: str, presentation: Presentation) -> None:
    message = parse_frame(fsk.frame(None, absence=letter))
    assert (message.number, message.presentation) == (None, presentation)


@pytest.mark.parametrize("number", ["0", "09012345678", "1234567890123456", "12345678901234567890"])
def test_numbers_of_any_length_even_where_the_length_looks_like_a_control_character(number: str) -> None:
    assert parse_frame(fsk.frame(number)).number == number


def test_it_is_no_message_of_other_countries_nor_they_of_japan() -> None:
    pcm = sound(fsk.frame("0312345678"))
    assert find_message(pcm, 8000) is None
    search = CallerIdSearch(8000, ntt=True)
    mdmf = bytes.fromhex("800f0102333002093331323334353637388e")
    assert all(search.feed(piece) is None for piece in np.array_split(sound(mdmf), 10))


def test_a_spoilt_frame_is_rejected_with_its_reason() -> None:
    frame = bytearray(fsk.frame("0312345678"))
    frame[10] ^= 0x03  # two bits: the parity is right
    rejected: list = []
    assert find_message(sound(bytes(frame)), 8000, rejected, ntt=True) is None
    assert [(one.reason, one.format) for one in rejected] == [("wrong CRC", "NTT")]


def _with_crc(frame: bytes) -> bytes:
    return frame + fsk._crc(frame[2:])


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"", "whole"),
        (SPOKEN, "whole"),
        (_with_crc(SPOKEN[:-3] + b"\xb5" + SPOKEN[-2:]), "parity"),
        (_with_crc(SPOKEN.replace(b"\x82\xc0", b"\x82\x41")), "names no caller"),
        (_with_crc(SPOKEN.replace(b"\x88\x82\x06", b"\x87\x82\x06")), "length"),
        (_with_crc(SPOKEN.replace(b"\x82\x06", b"\x82\x09")), "runs over"),
        (_with_crc(SPOKEN.replace(b"\x82\x06", b"\x77\x06")), "unknown parameter"),
        (_with_crc(SPOKEN.replace(b"\x30\xb1", b"\x41\xb1")), "other characters"),
        (_with_crc(SPOKEN.replace(b"\x82\x06", b"\x84\x06")), "reason"),
        (_with_crc(SPOKEN.replace(b"\x82\x06", b"\x09\x06")), "nothing about the caller"),
    ],
)
def test_what_is_not_believed(frame: bytes, why: str) -> None:
    with pytest.raises(BadMessageError, match=why):
        parse_frame(frame)


def test_the_frame_written_down_here() -> None:
    assert parse_frame(_with_crc(SPOKEN)).number == "012345"


def test_random_frames_and_flipped_bits() -> None:
    dice, good, passed = random.Random(8), fsk.frame("0312345678"), 0
    for _ in range(20_000):
        raw = bytearray(good)
        for place in dice.sample(range(8 * len(raw)), dice.choice((1, 2, 3, 4, 5))):
            raw[place // 8] ^= 1 << place % 8
        for one in (bytes(raw), good[:7] + dice.randbytes(len(good) - 7)):
            try:
                parse_frame(one)
            except BadMessageError:
                continue
            passed += 1
    assert passed == 0
