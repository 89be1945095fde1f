"""Lines as modules really sent them, and what they mean."""

from __future__ import annotations

import pytest

from firmware.model import Direction, Presentation
from firmware.modem.at_events import (
    AtEvent,
    Booted,
    CallerLine,
    CallResult,
    CallState,
    CmeError,
    DigitHeard,
    ListedCall,
    MissedCall,
    PcmPort,
    Registration,
    Ringing,
    Signal,
    SimState,
    Unknown,
    VoiceBegin,
    VoiceEnd,
    WaitingCaller,
    parse_line,
)

IN, OUT = Direction.INCOMING, Direction.OUTGOING
VALID, WITHHELD, UNAVAILABLE = Presentation.VALID, Presentation.WITHHELD, Presentation.UNAVAILABLE

LINES: list[tuple[str, AtEvent]] = [
    ("RING", Ringing()),
    ("+CRING: VOICE", Ringing("VOICE")),
    ("+CRING: REL ASYNC", Ringing("REL ASYNC")),
    ('+CLIP: "02012345678",129,"",0,"",0', CallerLine("02012345678", VALID)),
    ('+CLIP: "8613800138000",145,,,"Zhang, San",0', CallerLine("+8613800138000", VALID, "Zhang, San")),
    ('+CLIP: "+8613800138000",145', CallerLine("+8613800138000", VALID)),
    ('+CLIP: "",128,"",0,"",1', CallerLine(None, WITHHELD)),
    ('+CLIP: "",128,,,,2', CallerLine(None, UNAVAILABLE)),
    ('+CLIP: "",128', CallerLine(None, UNAVAILABLE)),  # oFono: empty without a reason is "not available"
    ("+CLIP:", Unknown("+CLIP:")),
    ('+CLIP: "",128,"",0,"",3', CallerLine(None, UNAVAILABLE)),
    ('+CLCC: 1,1,4,0,0,"07712345678",129,""', ListedCall(1, IN, CallState.INCOMING, 0, "07712345678")),
    ("+CLCC: 1,0,6,0,0", ListedCall(1, OUT, CallState.GONE, 0)),
    ('+CLCC: 1,0,2,0,0,"+861380",145,"",,0', ListedCall(1, OUT, CallState.DIALING, 0, "+861380")),
    ('+CLCC: 2,1,5,0,0,"*31#abc",129', ListedCall(2, IN, CallState.WAITING, 0, "*31#abc")),
    ("+CLCC: 1,1,9,0,0", Unknown("+CLCC: 1,1,9,0,0")),
    ("+CLCC: 1,1", Unknown("+CLCC: 1,1")),
    ("VOICE CALL: BEGIN", VoiceBegin()),
    ("VOICE CALL: END: 000041", VoiceEnd(41)),
    ("VOICE CALL: END: 010203", VoiceEnd(3723)),
    ("VOICE CALL: END", VoiceEnd()),
    ("VOICE CALL: END: abc", VoiceEnd()),
    ("MISSED_CALL: 11:01AM 07712345678", MissedCall("11:01AM", "07712345678")),
    ("MISSED_CALL: 11:01AM", MissedCall("11:01AM", None)),
    ("NO CARRIER", CallResult("NO CARRIER")),
    ("BUSY", CallResult("BUSY")),
    ("+CME ERROR: 10", CmeError(10, "10")),
    ("+CME ERROR: SIM busy", CmeError(None, "SIM busy")),
    ("+CREG: 0,1", Registration("CREG", 1)),
    ('+CREG: 2,5,"00FF","01234567",7', Registration("CREG", 5)),
    ('+CREG: 1,"00FF","1234"', Registration("CREG", 1)),
    ("+CREG: 2,,", Registration("CREG", 2)),
    ("+CEREG: 3", Registration("CEREG", 3)),
    ("+CSQ: 20,99", Signal(-73)),
    ("+CSQ:4,0", Signal(-105)),
    ("+CSQ: 99,99", Signal(None)),
    ("+CPIN: READY", SimState("READY")),
    ('+CPIN: "SIM PIN"', SimState("SIM PIN")),
    ('+CCWA: "07712345678",129,1', WaitingCaller("07712345678", VALID)),
    ('+CCWA: "",128,1,,1', WaitingCaller(None, WITHHELD)),
    ("+CCWA: 1,1", Unknown("+CCWA: 1,1")),
    ("RDY", Booted()),
    ("+RXDTMF: 5", DigitHeard("5")),
    ("+DTMF: 1,40", DigitHeard("1")),
    ("+RXDTMF: x", Unknown("+RXDTMF: x")),
    ("+CPCMREG: 1", PcmPort(True)),
    ("+CPCMREG: 0", PcmPort(False)),
    ("PB DONE", Unknown("PB DONE")),
]


@pytest.mark.parametrize(("line", "meaning"), LINES)
def test_a_line_means(line: str, meaning: AtEvent) -> None:
    assert parse_line(line) == meaning


@pytest.mark.parametrize(
    ("bearer", "voice"), [("", True), ("VOICE", True), ("ALT VOICE/XXX", True), ("REL ASYNC", False), ("FAX", False)]
)
def test_only_voice_rings(bearer: str, voice: bool) -> None:
    assert Ringing(bearer).voice is voice


@pytest.mark.parametrize(("mode", "voice"), [(0, True), (1, False), (2, False), (3, True), (6, False), (9, False)])
def test_only_voice_is_a_call(mode: int, voice: bool) -> None:
    assert ListedCall(1, OUT, CallState.ACTIVE, mode).voice is voice
