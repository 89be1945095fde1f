"""Lines come out the same whatever the chunks, the line ends and the noise."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.modem.at_events import Unknown, parse_line
from firmware.modem.at_lines import LONGEST_LINE_BYTES, LineCutter, LineType, line_type

TEXTS = st.sampled_from(
    [
        "OK", "ERROR", "RING", "+CRING: VOICE", '+CLIP: "07712345678",129,"",0,"",0', "VOICE CALL: BEGIN", "NO CARRIER",
        "VOICE CALL: END: 000041", '+CLCC: 1,1,4,0,0,"077",129,""', "+CME ERROR: 10", "RDY", "MISSED_CALL: 11:01AM 077",
    ]
)  # fmt: skip
ENDS = st.sampled_from(["\r\n", "\r\r\n", "\n", "\r", "\r\n\r\n", "\r\r\n\0"])


def cut(data: bytes, places: list[int]) -> list[str]:
    cutter = LineCutter()
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(bounds)]
    return [line.text for chunk in chunks for line in cutter.feed(chunk)]


@given(st.lists(st.tuples(TEXTS, ENDS), max_size=20), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunking_and_any_line_ends_give_the_same_lines(said: list[tuple[str, str]], places: list[int]) -> None:
    data = "".join(text + end for text, end in said).encode()
    assert cut(data, places) == [text for text, _ in said]


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=10))
def test_noise_is_cut_the_same_way_in_any_chunks_and_never_raises(data: bytes, places: list[int]) -> None:
    lines = cut(data + b"\r", places)
    assert lines == cut(data + b"\r", [])
    for line in lines:
        parse_line(line)


@given(st.text(max_size=200))
def test_every_text_has_a_meaning_or_stays_itself(text: str) -> None:
    event = parse_line(text)
    assert not isinstance(event, Unknown) or event.text == text


@given(
    st.sampled_from(
        ["+CLIP: ", "+CLCC: ", "+CCWA: ", "+CREG: ", "+CSQ: ", "VOICE CALL: END: ", "+RXDTMF: ", "+CPCMREG: "]
    ),
    st.text(alphabet='0123456789,"+-: AFx٣', max_size=40),
)
def test_broken_fields_never_raise(prefix: str, rest: str) -> None:
    parse_line(prefix + rest)


def test_a_line_without_end_is_cut_and_does_not_grow() -> None:
    cutter = LineCutter()
    lines = cutter.feed(b"x" * (3 * LONGEST_LINE_BYTES))
    assert [len(line.text) for line in lines] == [LONGEST_LINE_BYTES] * 3


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert LineCutter().feed(b"\xff\xfeOK\r")[0].text == r"\xff\xfeOK"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("OK", LineType.OK),
        ("ERROR", LineType.ERROR),
        ("+CME ERROR: 10", LineType.ERROR),
        ("+CME ERROR:", LineType.ERROR),  # an empty value is an error
        ("+CME ERROR:10", LineType.TEXT),  # without the blank it is not final
        ("+CMS ERROR: 500", LineType.ERROR),
        ("COMMAND NOT SUPPORT", LineType.ERROR),
        ("NO CARRIER", LineType.CALL_RESULT),
        ("NO ANSWER", LineType.CALL_RESULT),
        ("OKAY", LineType.TEXT),
        ("ok", LineType.TEXT),
    ],
)
def test_final_results(text: str, kind: LineType) -> None:
    assert line_type(text) is kind
