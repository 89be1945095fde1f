"""Caller-ID messages, byte by byte: what they say, and what is no message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.model import Presentation
from firmware.signals.callerid_message import BadMessageError, CallerIdMessage, parse_message
from tests.signals.generators import mdmf, sdmf, with_checksum

GOOD = mdmf((1, b"11221033"), (2, b"13800138000"), (7, b"WANG XIAO"))


def test_the_sdmf_message_of_the_textbooks():
    message = parse_message(bytes.fromhex("041230393330313232343630393535353132313251"))
    assert message == CallerIdMessage(
        number="6095551212", presentation=Presentation.VALID, month_day=(9, 30), hour_minute=(12, 24)
    )


def test_mdmf_tells_date_number_and_name():
    assert parse_message(GOOD) == CallerIdMessage(
        number="13800138000",
        name="WANG XIAO",
        presentation=Presentation.VALID,
        month_day=(11, 22),
        hour_minute=(10, 33),
    )


@pytest.mark.parametrize(("letter", "presentation"), [(b"P", "withheld"), (b"O", "unavailable")])
@pytest.mark.parametrize("with_name", [False, True])
def test_absence_in_mdmf(letter, presentation, with_name):
    message = parse_message(mdmf((1, b"11221033"), (4, letter), *([(8, letter)] if with_name else [])))
    assert (message.number, message.name, message.presentation) == (None, None, presentation)


@pytest.mark.parametrize(("text", "presentation"), [(b"P", "withheld"), (b"O", "unavailable"), (b"", "unavailable")])
def test_absence_in_the_place_of_the_number(text, presentation):
    for message in (mdmf((2, text), (7, b"P")), *([sdmf(b"11221033", text)] if text else [])):
        told = parse_message(message)
        assert (told.number, told.name, told.presentation) == (None, None, presentation)


@pytest.mark.parametrize(
    ("sent", "number"),
    [(b"(609) 555-1212", "6095551212"), (b"+44 20 7946", "+44207946"), (b" 110 ", "110"), (b"*67#", "*67#")],
)
def test_numbers_lose_their_decoration(sent, number):
    assert parse_message(mdmf((2, sent))).number == number


def test_latin_1_names():
    assert parse_message(mdmf((2, b"42"), (7, "JÜRGEN".encode("latin-1")))).name == "JÜRGEN"


def test_an_exchange_without_a_clock():
    message = parse_message(mdmf((1, b"00000000"), (2, b"42")))
    assert (message.number, message.month_day, message.hour_minute) == ("42", None, None)


def test_parameters_that_say_nothing_about_the_caller_are_passed_over():
    assert parse_message(mdmf((0x11, b"\x01"), (3, b"5551234"), (2, b"42"))).number == "42"


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\x80",
        GOOD[:-1],
        GOOD + b"\x00",
        GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
        with_checksum(0x82, GOOD[2:-1]),
        with_checksum(0x99, GOOD[2:-1]),
        mdmf((1, b"11221033")),
        mdmf((0x7E, b"x"), (2, b"42")),
        mdmf((1, b"13221033"), (2, b"42")),
        mdmf((1, b"1122103"), (2, b"42")),
        mdmf((2, b"12ab")),
        mdmf((2, b"42"), (7, b"A\x07B")),
        with_checksum(0x80, b"\x02\x05123"),
        with_checksum(0x80, b"\x02"),
        sdmf(b"11221033", b""),
        sdmf(b"1122xx33", b"42"),
    ],
)
def test_what_is_no_message(bad):
    with pytest.raises(BadMessageError):
        parse_message(bad)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_one_wrong_byte_is_always_noticed(place, change):
    wrong = bytearray(GOOD)
    wrong[place] ^= change
    with pytest.raises(BadMessageError):
        parse_message(bytes(wrong))


@given(st.integers(0, 255), st.binary(max_size=255))
def test_any_bytes_are_a_message_or_refused(kind, body):
    try:
        message = parse_message(with_checksum(kind, body))
    except BadMessageError:
        return
    assert (message.number is None) == (message.presentation is not Presentation.VALID)
