"""Lines about SIM, network and messages, as vendors' manuals and public logs have them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firmware.modem import sim_words as words
from firmware.modem.gsm_text import septets_of, text_of
from firmware.modem.sms import MessageError, decode, encode
from firmware.sim import Registration, VoicePath, voice_path


@pytest.mark.parametrize(
    ("line", "tries"),
    [
        ("+SPIC: 3,10,0,10", (3, 10)),
        ('+QPINC: "SC",2,10', (2, 10)),
        ('+QPINC: "P2",3,10', (None, None)),
        ("+QTRPIN: 3,3,10,10", (3, 10)),
        ("+QTRPIN: 1,3,9,10", (1, 9)),
        ("^CPIN: SIM PIN,3,10,3,10,3", (3, 10)),
        ("^CPIN: READY,,10,1,10,3", (1, 10)),
        ("+CPINR: SIM PIN,1,3", (1, None)),
        ("+CSQ: 20,99", (None, None)),
    ],
)
def test_tries(line: str, tries: tuple[int | None, int | None]) -> None:
    assert words.tries_left(line) == tries


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("+ICCID: 89860012345678901234", "89860012345678901234"),
        ("+QCCID: 8986001234567890123F", "8986001234567890123"),
        ("89860012345678901234", "89860012345678901234"),
        ("861477031234567", None),
    ],
)
def test_iccid(line: str, number: str | None) -> None:
    assert words.iccid(line) == number


def test_operator_and_radio() -> None:
    assert words.operator('+COPS: 0,0,"CHINA MOBILE",7') == ("CHINA MOBILE", "lte")
    assert words.operator('+COPS: 0,0,"4E2D56FD79FB52A8",2') == ("中国移动", "umts")
    assert words.operator("+COPS: 0") == (None, None)
    assert words.operator("+CSQ: 1,1") is None
    assert words.radio("+CPSI: LTE,Online,460-00,0x1816,…") == "lte"
    assert words.radio('+QNWINFO: "FDD LTE","46011","LTE BAND 3",1650') == "lte"
    assert words.radio('+QNWINFO: "No Service"') is None
    assert words.radio("+CNSMOD: 0,1") == "gsm"


def test_ims() -> None:
    assert words.ims("+CIREG: 0,1,5") is True
    assert words.ims("+CIREG: 0,1,4") is False
    assert words.ims("+CIREG: 0,0") is False
    assert words.ims('+QCFG: "ims",1,1') is True
    assert words.ims('+QCFG: "ims",0,0') is False
    assert words.ims("+CSQ: 1,1") is None


def test_own_number() -> None:
    assert words.own_number('+CNUM: ,"+8613800138000",145') == "+8613800138000"
    assert words.own_number('+CNUM: "me","8613800138000",145') == "+8613800138000"
    assert words.own_number('+CNUM: "","",255') is None


def test_ussd() -> None:
    assert words.ussd('+CUSD: 0,"Balance 12.30",15') == (0, "Balance 12.30")
    assert words.ussd('+CUSD: 0,"4F59989D00310032002E00335143",72') == (0, "余额12.3元")
    assert words.ussd('+CUSD: 0,"C2303B3D2E83C66FF65B",15') == (
        0,
        words.unpack_7bit(bytes.fromhex("C2303B3D2E83C66FF65B")),
    )
    assert words.ussd("+CUSD: 2") == (2, "")
    assert words.ussd("+CSQ: 1,1") is None


def test_clock() -> None:
    assert words.network_time_utc_ms('+CCLK: "26/11/22,19:30:05+32"') == _ms(2026, 11, 22, 11, 30, 5)
    assert words.network_time_utc_ms("+CCLK: 26/11/22,01:00:00-20") == _ms(2026, 11, 22, 6, 0, 0)
    for never_set in (
        '+CCLK: "80/01/06,00:00:10+00"',
        '+CCLK: "70/01/01,00:00:10+00"',
        '+CCLK: "26/13/40,00:00:00+00"',
    ):
        assert words.network_time_utc_ms(never_set) is None


def _ms(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc]


def test_hot_swap() -> None:
    assert words.sim_came("+SIMCARD: NOT AVAILABLE") is False
    assert words.sim_came("+QSIMSTAT: 1,0") is False
    assert words.sim_came("+QSIMSTAT: 1,1") is True
    assert words.sim_came("+CPIN: READY") is None


@pytest.mark.parametrize(
    ("circuit", "packet", "radio", "ims", "path"),
    [
        ("home", "home", "lte", False, VoicePath.CSFB),
        ("home", "home", "lte", True, VoicePath.VOLTE),
        ("off", "home", "lte", True, VoicePath.VOLTE),
        ("off", "home", "lte", False, VoicePath.NONE),
        ("searching", "roaming", "lte", None, VoicePath.NONE),
        ("denied", "home", "lte", None, VoicePath.NONE),
        ("home", "off", "gsm", None, VoicePath.CIRCUIT),
        ("home", None, None, None, VoicePath.CIRCUIT),
        ("sms_only", "home", "lte", False, VoicePath.NONE),
        ("searching", "searching", None, None, VoicePath.UNKNOWN),
        (None, None, None, None, VoicePath.UNKNOWN),
    ],
)
def test_whether_it_can_ring(circuit, packet, radio, ims, path) -> None:  # type: ignore[no-untyped-def]
    as_is = [None if word is None else Registration(word) for word in (circuit, packet)]
    assert voice_path(*as_is, radio=radio, ims=ims) is path


# 3GPP-style examples: the first is the well-known PDU of Lars Pettersson's "SMS and the PDU format".
def test_a_known_pdu_is_read() -> None:
    got = decode("07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37")
    assert (got.text, got.number) == ("hellohello", "27838890001")
    assert got.sent is not None


def test_the_same_source_is_written() -> None:
    ((length, pdu),) = encode("+46708251358", "hellohello")
    assert pdu == "0001000B916407281553F800000AE8329BFD4697D9EC37"
    assert length == len(pdu) // 2 - 1


@pytest.mark.parametrize(
    "text", ["hello", "€[]{}~^|\\", "你好，余额", "a" * 160, "a" * 161, "好" * 71, "😀" * 80, "x€" * 150]
)
def test_what_is_written_is_read_again(text: str) -> None:
    parts = [decode(_as_delivered(pdu)) for _, pdu in encode("+8613800138000", text, reference=7)]
    assert "".join(part.text for part in parts) == text
    assert [part.part for part in parts] == list(range(1, len(parts) + 1))
    assert all(part.parts == len(parts) and part.number == "+8613800138000" for part in parts)


def _as_delivered(pdu: str) -> str:
    """A sent PDU as the other side gets it: type, no reference, a time stamp."""
    raw = bytes.fromhex(pdu)
    digits = raw[3]
    end = 5 + (digits + 1) // 2
    stamp = bytes.fromhex("62112291030523")
    return (b"\0" + bytes([raw[1] & 0x40]) + raw[3:end] + raw[end : end + 2] + stamp + raw[end + 2 :]).hex()


@pytest.mark.parametrize("number", ["", "abc", "+", "1" * 21])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(MessageError):
        encode(number, "hello")


@pytest.mark.parametrize("pdu", ["", "00", "zz", "07917283010010F5040BC8", "FF" * 10])
def test_a_damaged_pdu_is_refused(pdu: str) -> None:
    with pytest.raises(MessageError):
        decode(pdu)


def test_every_letter_of_the_alphabet_comes_back() -> None:
    text = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ÄÖÑÜ§¿äöñüà€"
    septets = septets_of(text)
    assert septets is not None
    assert text_of(septets) == text
