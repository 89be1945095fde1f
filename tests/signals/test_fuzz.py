"""Whatever comes in, the readers of caller IDs do not fall over, and hardly anything random is believed."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from firmware.model import Presentation
from firmware.signals.callerid_dtmf import DtmfCallerId, parse_dtmf
from firmware.signals.callerid_message import BadMessageError, parse_message
from firmware.signals.callerid_search import CallerIdSearch
from firmware.signals.dtmf import DtmfDetector, KeyTone
from tests.signals.generators import RATE_HZ, mdmf

KEYS = "0123456789*#ABCD"
GOOD = mdmf((1, b"11221033"), (2, b"13800138000"), (7, b"WANG XIAO"))


def believed(raw):
    try:
        parse_message(raw)
    except BadMessageError:
        return False
    return True


@settings(max_examples=400)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw):
    believed(raw)


def test_random_bytes_of_the_right_length_and_type_are_hardly_ever_believed():
    """As a receiver gives them: the type is one of ours, and there are as many as the second says."""
    source = random.Random(8)
    trials, passed = 300_000, 0
    for _ in range(trials):
        length = source.randrange(1, 60)
        passed += believed(bytes([source.choice((0x04, 0x80)), length]) + source.randbytes(length + 1))
    assert passed == 0


def test_random_bytes_with_a_right_checksum_are_hardly_ever_believed():
    """The checksum alone lets 1 of 256 through; the structure must stop the others."""
    source = random.Random(9)
    trials, passed = 100_000, 0
    for _ in range(trials):
        length = source.randrange(1, 60)
        raw = bytes([source.choice((0x04, 0x80)), length]) + source.randbytes(length)
        passed += believed(raw + bytes([-sum(raw) & 0xFF]))
    assert passed / trials / 256 < 1e-6


def test_messages_with_several_flipped_bits():
    source = random.Random(10)
    trials, passed = 60_000, 0
    for _ in range(trials):
        raw = bytearray(GOOD)
        for place in source.sample(range(8 * len(raw)), source.randrange(2, 6)):
            raw[place // 8] ^= 1 << place % 8
        passed += bytes(raw) != GOOD and believed(bytes(raw))
    # Two flips of the same weight cancel in the sum: 8 bits of checksum cannot see them.
    assert passed / trials < 0.04


@settings(max_examples=400)
@given(st.text(alphabet=KEYS, max_size=60))
def test_any_digits_are_read_or_refused(text):
    parsed = parse_dtmf(text)
    if parsed is not None:
        message, variant = parsed
        assert (message.number is None) == (message.presentation is not Presentation.VALID)
        assert variant in (1, 2, 3, 4)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from([1120, 1120, 1120, 1300, 1600, 9000]))))
def test_any_row_of_digits(row):
    reader, at = DtmfCallerId(RATE_HZ), 0
    for key, gap in row:
        at += gap
        found = reader.feed([KeyTone(digit=key, began=at, ended=at + 560)])
        if found is not None:
            assert found.raw[-1] in "C#"


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.int16, st.integers(0, 6000), elements=st.integers(-32768, 32767)), st.integers(1, 3000))
def test_any_sound_in_pieces_of_any_length(pcm, piece):
    search, digits = CallerIdSearch(RATE_HZ), DtmfDetector(RATE_HZ)
    for start in range(0, len(pcm), piece):
        assert search.feed(pcm[start : start + piece]) is None
        digits.feed(pcm[start : start + piece])
