"""Captured conversations: whatever way they were cut, the same events come out."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.modem.at_capture import CaptureError, events, records, unescaped

SPOKEN = (
    b'\r\r\n+CRING: VOICE\r\r\n\r\n+CLIP: "+8613800138000",145,,,,0\r\nAT+CLCC\r\r\n'
    b'+CLCC: 1,1,4,0,0,"8613800138000",145,"",,0\r\n+CSQ: 20,99\r\n\r\nOK\r\n\0\0\r\nVOICE CALL: END: 000012\r\n'
)
KINDS = ["ring", "clip", "clcc", "csq", "ok", "call_ended"]


def escaped(data: bytes) -> bytes:
    return b"".join(bytes([b]) if 32 <= b < 127 and b != 0x5C else b"\\x%02x" % b for b in data)


@given(st.lists(st.integers(0, len(SPOKEN)), max_size=12))
def test_the_cuts_do_not_matter(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(SPOKEN)]
    pieces = [SPOKEN[a:b] for a, b in itertools.pairwise(ends)]
    capture = b"> AT+CLCC\\r\n" + b"".join(b"< " + escaped(piece) + b"\n" for piece in pieces)
    assert [event["kind"] for event in events(capture)] == KINDS


def test_bytes_without_directions_are_the_modules() -> None:
    assert [event["kind"] for event in events(SPOKEN.replace(b"AT+CLCC\r", b""))] == KINDS


def test_lines_without_line_ends_are_lines() -> None:
    assert [e["kind"] for e in events(b"# by hand\n<RING\n\n< BUSY\n")] == ["ring", "call_result"]


def test_a_last_line_without_its_end_counts() -> None:
    assert list(events(b"< \\r\\nRING\\r\\n+CSQ: 9,99\n")) == [
        {"kind": "ring", "type": None, "voice": True},
        {"kind": "csq", "dbm": -95},
    ]


def test_a_line_without_a_direction_among_others_is_named() -> None:
    with pytest.raises(CaptureError, match="line 2"):
        records(b"< RING\nRING\n")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (rb"\r\n\0\x1a\\\"", b'\r\n\0\x1a\\"'),
        (rb"\033[1m\q", b"\x1b[1mq"),
        (b"\\", b"\\"),
        (rb"\x", b"x"),
        (rb"\777", b"\xff"),
    ],
)
def test_escapes(text: bytes, data: bytes) -> None:
    assert unescaped(text) == data


@given(st.binary(max_size=300))
def test_no_bytes_at_all_raise(data: bytes) -> None:
    assert all(json.dumps(event) for event in events(b"< " + escaped(data) + b"\n"))


@pytest.mark.parametrize(
    ("family", "kinds"),
    [
        (None, ["call_state", "call_ended", "dtmf"]),
        ("huawei", ["call_state", "call_ended", "unknown"]),
        ("quectel", ["unknown", "unknown", "dtmf"]),
        ("generic", ["unknown", "unknown", "unknown"]),
    ],
)
def test_a_family_knows_its_own_words(family: str | None, kinds: list[str]) -> None:
    said = b"< ^CONN:1,0\\r\\n^CEND:1,5,29,16\\r\\n+QTONEDET: 56\\r\\n\n"
    assert [event["kind"] for event in events(said, family)] == kinds


def test_the_command_prints_one_object_per_line(tmp_path: Path) -> None:
    capture = tmp_path / "capture.txt"
    capture.write_bytes(b"< \\r\\n+CME ERROR: 10\\r\\n+CPIN: SIM PIN\\r\\nVOICE CALL: END: 000012\\r\\nWHAT\\r\\n\n")
    command = [sys.executable, "-m", "cli.main", "decode", "at", "--family", "simcom", str(capture), "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert [json.loads(line) for line in printed.splitlines()] == [
        {"kind": "cme_error", "code": 10, "meaning": "SIM not inserted"},
        {"kind": "cpin", "state": "SIM PIN"},
        {"kind": "call_ended", "duration_s": 12},
        {"kind": "unknown", "text": "WHAT"},
    ]
