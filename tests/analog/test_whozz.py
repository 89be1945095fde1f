"""Records of a Whozz Calling monitor: those of the manual are read, everything else is refused without a guess."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.analog.whozz import CallRecord, Detail, Doing, RecordReader, Strange, parse
from firmware.model import Direction, Presentation

MANUAL = "01 I S 0000 G B3 09/26 11:28 AM 800-555-1212   AT&T INFORMATIO"
ON_HOOK = "04 N     11/07 17:45:04"


def test_the_records_of_the_manual() -> None:
    assert parse(MANUAL) == CallRecord(
        line=1,
        direction=Direction.INCOMING,
        begins=True,
        duration_s=0,
        checksum_ok=True,
        number="8005551212",
        name="AT&T INFORMATIO",
        presentation=Presentation.VALID,
    )
    assert parse(ON_HOOK) == Detail(4, Doing.ON_HOOK)
    assert [parse(f"01 {letter}     11/07 17:45:04") for letter in "RFNH"] == [Detail(1, what) for what in Doing]
    ended = parse("12 O E 0276 G A0 10/18 04:15 PM 7702637111                    ")
    assert isinstance(ended, CallRecord)
    assert (ended.line, ended.direction, ended.begins, ended.duration_s) == (12, Direction.OUTGOING, False, 276)


@pytest.mark.parametrize(
    ("field", "presentation"),
    [
        ("Private", Presentation.WITHHELD),
        ("Out-of-Area", Presentation.UNAVAILABLE),
        ("800-CALL-NOW", Presentation.UNKNOWN),
    ],
)
def test_words_in_the_number_field_are_reasons_and_never_a_number(field: str, presentation: Presentation) -> None:
    record = parse(f"01 I S 0000 G A0 09/26 11:28 AM {field:<14} {'':15}")
    assert isinstance(record, CallRecord)
    assert (record.number, record.presentation) == (None, presentation)


def test_a_bad_checksum_tells_nobody() -> None:
    record = parse(MANUAL.replace(" G ", " B "))
    assert isinstance(record, CallRecord)
    assert (record.checksum_ok, record.number, record.name) == (False, None, None)


@pytest.mark.parametrize(
    "text",
    [
        MANUAL.replace("01 I", "1 I"),
        MANUAL.replace(" S ", " X "),
        MANUAL[:30],
        MANUAL + " and a good deal more",
        ON_HOOK.replace("N", "Z"),
        ON_HOOK.replace("11/07", "11-07"),
        "०१ N     11/07 17:45:04",
    ],
)
def test_what_is_no_record_is_strange(text: str) -> None:
    assert isinstance(parse(text), Strange)


@given(st.lists(st.integers(1, 40), max_size=30))
def test_the_pieces_do_not_matter(sizes: list[int]) -> None:
    stream = f"{MANUAL}\r\n{ON_HOOK}\r\n\0{MANUAL}\r\n".encode()
    reader, records, at = RecordReader(), [], 0
    for size in [*sizes, len(stream)]:
        records += reader.feed(stream[at : at + size])
        at += size
    assert records == RecordReader().feed(stream)
    assert len(records) == 3


@given(st.binary(max_size=2000))
def test_no_bytes_raise(data: bytes) -> None:
    RecordReader().feed(data)


def test_an_endless_line_is_told_once_and_what_follows_is_read() -> None:
    reader = RecordReader()
    told = [record for _ in range(50) for record in reader.feed(b"x" * 100)]
    assert [type(record) for record in told] == [Strange]
    assert reader.feed(f"\r\n{ON_HOOK}\r\n".encode()) == [Detail(4, Doing.ON_HOOK)]


def test_random_lines_are_not_believed() -> None:
    dice = random.Random(8)
    printable = string.printable[:95]
    believed = sum(
        not isinstance(parse("".join(dice.choices(printable, k=dice.choice((23, 62))))), Strange) for _ in range(20_000)
    )
    assert believed == 0
