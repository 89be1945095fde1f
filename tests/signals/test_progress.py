"""What the sound of a call says of it, through the listener as the recorder uses it."""

import numpy as np
import pytest

from firmware.effects import Hearing
from firmware.events import (
    Alerting,
    Answered,
    CallEnded,
    CallerId,
    CallerIdRejected,
    DigitDialled,
    EndCause,
    WaitingCall,
)
from firmware.model import Presentation
from firmware.signals.callerid_dtmf import parse_dtmf
from firmware.signals.countries import profile_of
from firmware.signals.listener import AnalogListener
from tests.signals.generators import RATE_HZ, dtmf, fsk, mdmf, silence, speech, uart
from tests.signals.test_listener import LINE, START, Wire
from tests.signals.test_tones import tone, with_noise

BUSY = (350, 350)


def wire(**how):
    return Wire(AnalogListener(LINE, country=profile_of("CN"), **how))


def kinds(line):
    return [type(e) for e in line.events]


def seconds(event):
    return event.at.seconds_since(START)


@pytest.fixture
def voice(tmp_path):
    sound = speech(tmp_path, "en-gb")
    if sound is None:
        pytest.skip("espeak-ng is not installed")
    return sound


def test_busy_tone_after_a_talk_ends_the_call_where_it_began(voice):
    line = wire().order(Hearing.TONES).hear(voice[: 8 * RATE_HZ]).hear(with_noise(tone((450,), BUSY, 8), -40))
    (ended,) = line.events
    assert (type(ended), ended.cause, ended.by_sound) == (CallEnded, EndCause.NORMAL, True)
    assert seconds(ended) == pytest.approx(8.0, abs=0.05)


def test_a_short_busy_tone_ends_nothing():
    assert wire().order(Hearing.TONES).hear(tone((450,), BUSY, 2)).hear(silence(5)).events == []


def test_a_call_is_ended_once():
    line = wire().order(Hearing.TONES).hear(tone((450,), BUSY, 8)).hear(silence(2)).hear(tone((450,), BUSY, 8))
    assert kinds(line) == [CallEnded]


def test_silence_ends_a_call_where_an_owner_wants_it(voice):
    line = wire(end_on_silence_s=20.0).order(Hearing.TONES).hear(voice[: 4 * RATE_HZ]).hear(silence(19))
    assert line.events == []
    line.hear(voice[: 2 * RATE_HZ]).hear(silence(22))
    assert kinds(line) == [CallEnded]
    assert seconds(line.events[0]) == pytest.approx(25.0, abs=0.5)
    assert wire().order(Hearing.TONES).hear(silence(60)).events == []
    only_silence = wire(end_on_silence_s=20.0, end_on_busy_tone=False)
    assert only_silence.order(Hearing.TONES).hear(tone((450,), BUSY, 15)).events == []


def test_an_owner_may_not_want_it():
    assert wire(end_on_busy_tone=False).order(Hearing.TONES).hear(tone((450,), BUSY, 30)).events == []


def test_a_number_that_is_busy():
    line = wire().order(Hearing.PROGRESS).hear(tone((450,), seconds=2)).hear(dtmf("110", lead_s=0.3)).hear(silence(1))
    line.hear(tone((450,), BUSY, 8))
    assert kinds(line) == [DigitDialled] * 3 + [CallEnded]
    assert line.events[-1].cause is EndCause.BUSY


def test_no_way_through():
    line = wire().order(Hearing.PROGRESS).hear(dtmf("110")).hear(tone((450,), (700, 700), 12))
    assert line.events[-1].cause is EndCause.FAILED


def test_the_far_end_rings_and_gives_up():
    line = (
        wire()
        .order(Hearing.PROGRESS)
        .hear(dtmf("110"))
        .hear(tone((450,), (1000, 4000), 30))
        .hear(tone((450,), BUSY, 8))
    )
    assert kinds(line)[3:] == [Alerting, CallEnded]
    assert line.events[-1].cause is EndCause.NORMAL


@pytest.mark.parametrize("asked", [True, False])
def test_somebody_answers_on_a_line_that_does_not_tell(voice, asked):
    line = (
        wire(estimate_answer=asked)
        .order(Hearing.PROGRESS)
        .hear(dtmf("110", lead_s=0.3))
        .hear(tone((450,), (1000, 4000), 12))
    )
    rang = line.samples / RATE_HZ
    line.hear(silence(0.5)).hear(voice[: 12 * RATE_HZ]).hear(tone((450,), BUSY, 8))
    assert kinds(line)[3:] == ([Alerting, Answered, CallEnded] if asked else [Alerting, CallEnded])
    if asked:
        assert seconds(line.events[4]) == pytest.approx(rang + 0.5, abs=0.6)


def test_a_caller_who_talks_to_himself_between_two_ringbacks_is_not_answered(voice):
    line = wire(estimate_answer=True).order(Hearing.PROGRESS)
    ringing = tone((450,), (1000, 4000), 30)
    ringing[round(16.5 * RATE_HZ) : round(19.5 * RATE_HZ)] += voice[: 3 * RATE_HZ]
    line.hear(ringing)
    assert kinds(line) == [Alerting]


def test_a_call_from_a_handset_that_was_left_up():
    """The digit that begins it is told once, and the tones mean something from then on."""
    line = wire().order(Hearing.DIGITS).hear(tone((450,), BUSY, 20))
    assert line.events == []
    line.hear(dtmf("1", on_ms=80, off_ms=40))
    assert kinds(line) == [DigitDialled]
    line.order(Hearing.PROGRESS, line.events[0].at).hear(dtmf("23")).hear(tone((450,), BUSY, 8))
    assert "".join(e.digit for e in line.events[:3]) == "123"
    assert kinds(line)[3:] == [CallEnded]


@pytest.mark.parametrize(("sent", "number", "presentation"), [
    ("A13800138000C", "13800138000", "valid"), ("A02012345678D02087654321C", "02012345678", "valid"),
    ("B10C", None, "withheld"), ("B00C", None, "unavailable"), ("A3344556#", "3344556", "valid"),
    ("D1#", None, "withheld"), ("D2#", None, "unavailable"),
    ("D0223456789C", "0223456789", "valid"), ("33445566#", "33445566", "valid"),
])  # fmt: skip
def test_a_caller_id_in_digits(sent, number, presentation):
    line = wire().hear(silence(1)).hear(dtmf(sent, lead_s=0.3)).order(Hearing.CALLER_ID).hear(silence(1))
    (told,) = line.events
    assert (type(told), told.number, told.presentation) == (CallerId, number, Presentation(presentation))


@pytest.mark.parametrize(("on_ms", "off_ms"), [(50, 50), (70, 70), (80, 80), (100, 100), (65, 75), (100, 60)])
@pytest.mark.parametrize("snr_db", [40, 8])
def test_a_caller_id_in_digits_as_exchanges_and_adapters_time_them(on_ms, off_ms, snr_db):
    """The lengths are what tells it from keys: noise must not make them uneven."""
    sound = dtmf("A13800138000C", on_ms=on_ms, off_ms=off_ms, lead_s=0.3)
    level = np.sqrt((sound[sound != 0] ** 2).mean())
    hiss = np.random.default_rng(8).normal(0, level * 10 ** (-snr_db / 20), len(sound))
    line = wire().order(Hearing.CALLER_ID).hear(sound + hiss).hear(silence(1))
    assert [(type(e), e.number) for e in line.events] == [(CallerId, "13800138000")]


@pytest.mark.parametrize("missing_or_slow", ["A1380 138000C", "3344 566#"])
def test_keys_that_are_not_as_even_as_a_machine_sends_them_are_no_caller_id(missing_or_slow):
    """A digit that was not heard would make it another number; and a hand keys no two digits alike."""
    first, second = missing_or_slow.split()
    line = wire().order(Hearing.CALLER_ID).hear(dtmf(first, lead_s=0.3)).hear(dtmf(second, lead_s=0.08))
    line.hear(silence(4))
    assert kinds(line) == [CallerIdRejected]
    assert "uneven" in line.events[0].reason


@pytest.mark.parametrize(
    "sent", ["12", "1234567", "", "A12C", "AC", "C", "##", "D4#", "B55C", "A123B", "D123#", "A1234D#"]
)
def test_other_digits_are_no_caller_id(sent):
    assert parse_dtmf(sent) is None
    line = wire().order(Hearing.CALLER_ID).hear(dtmf(sent, lead_s=0.3)).hear(silence(4))
    assert set(kinds(line)) <= {CallerIdRejected}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("A123B", "digits without an end mark (DTMF, A 3 digits B)"),
        ("1234567", "digits without an end mark (DTMF, 7 digits)"),
        ("A1234D#", "digits in no order that is known (DTMF, A 4 digits D#)"),
        ("B55C", "digits in no order that is known (DTMF, B 2 digits C)"),
        ("A" * 49, "digits more than a message has (DTMF, " + "A" * 49 + ")"),
    ],
)
def test_digits_that_are_no_caller_id_are_told_as_such_and_name_nobody(sent, reason):
    line = wire().order(Hearing.CALLER_ID)
    line.hear(dtmf(sent, lead_s=0.1, on_ms=60, off_ms=50)).hear(silence(4))
    (told,) = line.events
    assert (type(told), told.reason) == (CallerIdRejected, reason)


def test_a_digit_or_two_are_a_noise_not_a_spoilt_message():
    line = wire().order(Hearing.CALLER_ID).hear(dtmf("5#", lead_s=0.3)).hear(silence(4))
    assert line.events == []


@pytest.mark.parametrize(
    ("code", "sent", "doubtful"), [("US", "5551234#", True), ("DK", "5551234#", False), ("US", "A5551234C", False)]
)
def test_bare_digits_are_doubtful_where_no_exchange_sends_them(code, sent, doubtful):
    line = Wire(AnalogListener(LINE, country=profile_of(code))).order(Hearing.CALLER_ID)
    (told,) = line.hear(dtmf(sent, lead_s=0.3)).hear(silence(1)).events
    assert (told.number, told.doubtful) == ("5551234", doubtful)


def test_digits_far_apart_are_not_put_together():
    line = wire().order(Hearing.CALLER_ID).hear(dtmf("A138")).hear(silence(3.2)).hear(dtmf("0013C")).hear(silence(1))
    assert kinds(line) == [CallerIdRejected, CallerIdRejected]


def test_a_message_in_digits_is_told_once():
    line = wire().order(Hearing.CALLER_ID).hear(dtmf("A13800138000C")).hear(silence(0.3))
    line.order(Hearing.CALLER_ID).hear(silence(2))
    assert kinds(line) == [CallerId]


def test_digits_of_the_call_before_are_no_caller_id_of_the_next():
    line = wire().order(Hearing.PROGRESS).hear(dtmf("13800138000#")).order(Hearing.NOTHING).hear(silence(0.5))
    line.events.clear()
    assert line.order(Hearing.CALLER_ID).hear(silence(3)).events == []


def alert(seconds=0.08, hz=(2130, 2750)):
    return tone(hz, seconds=seconds, level_dbm0=-15)


def waiting_caller(lead, number=b"13900139000"):
    """Type II: tone, silence while the telephone answers with D, message with 80 bits of mark and no seizure."""
    message = mdmf((1, b"11221033"), (2, number))
    return np.concatenate([lead, silence(0.1), dtmf("D", on_ms=60, off_ms=80, lead_s=0), fsk(uart(message, 0, 80))])


def test_a_second_caller_knocks_and_the_call_goes_on(voice):
    line = wire().order(Hearing.TONES).hear(voice[: 4 * RATE_HZ]).hear(waiting_caller(alert()))
    line.hear(voice[4 * RATE_HZ : 10 * RATE_HZ])
    (event,) = line.events
    assert (type(event), event.number, event.by_sound) == (WaitingCall, "13900139000", True)


def test_a_message_in_a_call_that_nothing_alerted_to_is_none(voice):
    """A modem or a fax at the other end speaks FSK too."""
    line = wire().order(Hearing.TONES).hear(voice[: 4 * RATE_HZ]).hear(waiting_caller(silence(0.08)))
    assert line.hear(silence(1)).events == []


@pytest.mark.parametrize("standard", ["v23", "bell"])
def test_the_british_way_reversal_alert_message_and_then_the_ring(standard):
    """SIN 242, EN 300 659-1: the order comes with the reversal, or with the first ring where none is seen."""
    line = wire().hear(silence(1))
    line.hear(alert(0.1)).hear(silence(0.15)).hear(fsk(uart(mdmf((2, b"02087654321")), 96, 55), standard))
    line.hear(silence(0.4)).order(Hearing.CALLER_ID).hear(silence(2))
    (event,) = line.events
    assert (type(event), event.number) == (CallerId, "02087654321")


def test_noise_is_no_progress():
    line = wire(estimate_answer=True).order(Hearing.PROGRESS)
    line.hear(np.random.default_rng(1).normal(0, 900, 30 * RATE_HZ))
    assert line.events == []
