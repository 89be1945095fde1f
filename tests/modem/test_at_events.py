"""Lines as modules really sent them, and what they mean."""

from __future__ import annotations

import pytest

from firmware.model import Direction, Presentation
from firmware.modem.at_events import (
    Access,
    AtEvent,
    Booted,
    CallAlerts,
    CallConnected,
    CallerLine,
    CallOriginated,
    CallReleased,
    CallResult,
    CallState,
    CmeError,
    DigitHeard,
    ExtendedSignal,
    ImsState,
    ListedCall,
    MissedCall,
    ModuleSaid,
    PcmPort,
    PushedCall,
    Registration,
    Ringing,
    Signal,
    SimInserted,
    SimState,
    Unknown,
    Ussd,
    VoiceBegin,
    VoiceEnd,
    VoiceSupport,
    WaitingCaller,
    parse_line,
)

IN, OUT = Direction.INCOMING, Direction.OUTGOING
VALID, WITHHELD, UNAVAILABLE = Presentation.VALID, Presentation.WITHHELD, Presentation.UNAVAILABLE

LINES: list[tuple[str, AtEvent]] = [
    ("RING", Ringing()),
    ("+CRING: VOICE", Ringing("VOICE")),
    ("+CRING: REL ASYNC", Ringing("REL ASYNC")),
    ('+CLIP: "02012345678",129,"",0,"",0', CallerLine("02012345678", VALID, validity=0)),
    ('+CLIP: "8613800138000",145,,,"Zhang, San",0', CallerLine("+8613800138000", VALID, "Zhang, San", 0)),
    ('+CLIP: "+8613800138000",145', CallerLine("+8613800138000", VALID)),
    ('+CLIP: "",128,"",0,"",1', CallerLine(None, WITHHELD, validity=1)),
    ('+CLIP: "",128,,,,2', CallerLine(None, UNAVAILABLE, validity=2)),
    ('+CLIP: "",128', CallerLine(None, UNAVAILABLE)),  # oFono: empty without a reason is "not available"
    ("+CLIP:", Unknown("+CLIP:")),
    ('+CLIP: "",128,"",0,"",3', CallerLine(None, UNAVAILABLE, validity=3)),
    ('+CLCC: 1,1,4,0,0,"07712345678",129,""', ListedCall(1, IN, CallState.INCOMING, 0, "07712345678")),
    ("+CLCC: 1,0,6,0,0", ListedCall(1, OUT, CallState.GONE, 0)),
    ('+CLCC: 1,0,2,0,0,"+861380",145,"",,0', ListedCall(1, OUT, CallState.DIALING, 0, "+861380", validity=0)),
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
    ("+CREG: 0,1", Registration("CREG", 1, report=0)),
    ('+CREG: 2,5,"00FF","01234567",7', Registration("CREG", 5, 2, "00FF", "01234567", 7)),
    ('+CREG: 1,"00FF","1234"', Registration("CREG", 1, None, "00FF", "1234")),
    ("+CREG: 2,,", Registration("CREG", 2)),
    ("+CEREG: 3", Registration("CEREG", 3)),
    ("+CSQ: 20,99", Signal(-73)),
    ("+CSQ:4,0", Signal(-105)),
    ("+CSQ: 99,99", Signal(None)),
    ("+CPIN: READY", SimState("READY")),
    ('+CPIN: "SIM PIN"', SimState("SIM PIN")),
    ('+CCWA: "07712345678",129,1', WaitingCaller("07712345678", VALID)),
    ('+CCWA: "",128,1,,1', WaitingCaller(None, WITHHELD, 1)),
    ("+CCWA: 1,1", Unknown("+CCWA: 1,1")),
    ("RDY", Booted()),
    ("+RXDTMF: 5", DigitHeard("5")),
    ("+DTMF: 1,40", DigitHeard("1", 40)),
    ("+RXDTMF: x", Unknown("+RXDTMF: x")),
    ("+CPCMREG: 1", PcmPort(True)),
    ("+CPCMREG: 0", PcmPort(False)),
    ("PB DONE", ModuleSaid("PB DONE")),
    # Registration as ModemManager's tests quote it (src/tests/test-modem-helpers.c)
    ("+CREG: 1,84CD,00D30156", Registration("CREG", 1, None, "84CD", "00D30156")),
    ("+CREG: 1,1,84CD,00D30173", Registration("CREG", 1, 1, "84CD", "00D30173")),
    ('+CREG:002,001,"18d8","ffff"', Registration("CREG", 1, 2, "18d8", "ffff")),
    ('+CREG: 0011,"0001","0010",000', Registration("CREG", 11, None, "0001", "0010", 0)),
    ('+CREG: 2,6,"8B37","0A265185",7', Registration("CREG", 6, 2, "8B37", "0A265185", 7)),
    ("+CEREG: 2,10, 2CA8, 20 ,B5583D ,7", Registration("CEREG", 10, 2, "2CA8", "B5583D", 7)),
    ("+CEREG: 1, 2, 0001, 00000100, 7", Registration("CEREG", 2, 1, "0001", "00000100", 7)),
    ("+CEREG: 2, 0001, 00000100, 7", Registration("CEREG", 2, None, "0001", "00000100", 7)),
    ("+C5GREG: 1,1F00,79D903,11,6,ABCDEF", Registration("C5GREG", 1, None, "1F00", "79D903", 11)),
    ("+CREG: 77", Unknown("+CREG: 77")),
    ("+CESQ: 99,99,255,255,20,80", ExtendedSignal(None, None, None, -10.0, -61)),
    ("+CESQ:10,6,255,255,255,255", ExtendedSignal(-101, None, None, None, None)),
    ("+CESQ: 1,2", Unknown("+CESQ: 1,2")),
    # Quectel (asterisk-chan-quectel src/at_parse.c)
    ('+QIND: "ccinfo",2,0,3,0,0,"XXXXXXXXX",129', PushedCall(2, OUT, CallState.ALERTING, 0, "XXXXXXXXX")),
    ('+QIND: "ccinfo",2,0,-1,0,0,"XXXXXXXXX",129', PushedCall(2, OUT, CallState.GONE, 0, "XXXXXXXXX")),
    ("^DSCI: 2,1,4,0,+48XXXXXXXXX,145", PushedCall(2, IN, CallState.INCOMING, 0, "+48XXXXXXXXX")),
    ("^DSCI: 2,1,6,0,+48XXXXXXXXX,145", PushedCall(2, IN, CallState.GONE, 0, "+48XXXXXXXXX")),
    ("^DSCI: 2,1,3,0,+48XXXXXXXXX,145", PushedCall(2, IN, CallState.ACTIVE, 0, "+48XXXXXXXXX")),
    ("^DSCI: 2,1,9,0,1,129", Unknown("^DSCI: 2,1,9,0,1,129")),
    ("+QTONEDET: 56", DigitHeard("8")),
    ("+QTONEDET: 7", Unknown("+QTONEDET: 7")),
    ("+QPCMV: 0,0", PcmPort(False)),
    ('+QIND: "csq",20,99', Signal(-73)),
    ('+QIND: "act","LTE"', Access("lte")),
    ('+QCFG: "ims",1,1', ImsState(enabled=True, ready=True)),
    ('+QNWINFO: "No Service"', Access(None)),
    ("+QSIMSTAT: 1,0", SimInserted(False)),
    # Huawei (asterisk-chan-dongle at_response.c, python-gsmmodem fakemodems.py)
    ("^ORIG:1,0", CallOriginated(1, 0)),
    ("^CONF:1", CallAlerts(1)),
    ("^CONN:1,0", CallConnected(1, 0)),
    ("^CEND:1,5,29,16", CallReleased(1, 5, 29, 16)),
    ("^CEND:1,0,67", CallReleased(1, 0, 67)),
    ("^CEND:1,0,104,", CallReleased(1, 0, 104)),
    ("^CEND:x", Unknown("^CEND:x")),
    ("^DDTMF: 5", DigitHeard("5")),
    ("^RSSI:19", Signal(-75)),
    ("^CVOICE:0,8000,16,20", VoiceSupport(True, 8000)),
    # Names in hexadecimal UCS2, and what only looks like it
    ('+CLIP: "002B0034003200300031",145,,,"5F204E09",0', CallerLine("+4201", VALID, "张三", 0)),
    ('+CLIP: "4201",129,,,"CAFE",0', CallerLine("4201", VALID, "CAFE", 0)),
    ('+CLIP: "4201",129,,,"13800138",0', CallerLine("4201", VALID, "13800138", 0)),
    (
        '+CUSD: 0,"100,00 EURO, tariff "Mega Tariff". More *111#.",15',
        Ussd(0, '100,00 EURO, tariff "Mega Tariff". More *111#.', 15),
    ),
    ("+CUSD: 5", Ussd(5)),
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
