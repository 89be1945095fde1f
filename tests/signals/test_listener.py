"""The decoders as the call machine uses them: orders in, blocks of sound in, events with the right moments out."""

import numpy as np
import pytest

from firmware.effects import Hearing, ListenFor
from firmware.events import CallerId, CallerIdRejected, DigitDialled
from firmware.model import LineId, Presentation
from firmware.ports import Block
from firmware.signals.listener import AnalogListener
from tests.signals.generators import RATE_HZ, dtmf, fsk, mdmf, silence, to_pcm, uart
from tests.signals.timeline import START, at

LINE = LineId("fxo-1")
NUMBER = mdmf((1, b"11221033"), (2, b"13800138000"), (7, b"WANG"))
OTHER = mdmf((1, b"11221033"), (2, b"110"))
WITHHELD = mdmf((1, b"11221033"), (4, b"P"))


class Wire:
    """The sound of a line, block after block, as a capture device delivers it."""

    def __init__(self, listener, *, block=160, channels=1, channel=0):
        self.listener = listener
        self.events = []
        self.samples = 0
        self._block, self._channels, self._channel = block, channels, channel

    @property
    def now(self):
        return START.plus_s(self.samples / RATE_HZ)

    def hear(self, sound, lost_frames=0):
        pcm = to_pcm(sound)
        for i in range(0, len(pcm), self._block):
            piece = pcm[i : i + self._block]
            frames = np.random.default_rng(i).integers(-2000, 2000, (len(piece), self._channels)).astype(np.int16)
            frames[:, self._channel] = piece
            block = Block(pcm=frames.tobytes(), frames=len(piece), at=self.now, lost_frames=lost_frames)
            self.events += self.listener.hear(block)
            self.samples += len(piece)
            lost_frames = 0
        return self

    def order(self, what, moment=None):
        self.listener.order(ListenFor(line=LINE, what=what, at=moment or self.now))
        return self


@pytest.fixture
def wire():
    return Wire(AnalogListener(LINE))


def message(bits=NUMBER):
    return fsk(uart(bits))


def test_nothing_ordered_nothing_told(wire):
    wire.hear(message()).hear(dtmf("123")).hear(silence(1))
    assert wire.events == []


def test_between_the_first_and_the_second_ring(wire):
    wire.hear(silence(3)).order(Hearing.CALLER_ID).hear(silence(2.5)).hear(message()).hear(silence(1))
    (event,) = wire.events
    assert event == CallerId(line=LINE, at=event.at, number="13800138000", name="WANG", presentation=Presentation.VALID)
    ended_s = 5.5 + (480 + len(NUMBER) * 10) / 1200
    assert event.at.seconds_since(START) == pytest.approx(ended_s, abs=0.01)


def test_an_order_that_comes_late_looks_back(wire):
    """The ring is certain 0.2 s after it began, and the message may have come before it."""
    wire.hear(silence(2)).hear(message())
    rang = wire.now
    wire.hear(silence(0.3)).order(Hearing.CALLER_ID, rang).hear(silence(0.5))
    assert [e.number for e in wire.events] == ["13800138000"]


def test_the_same_message_is_not_told_again_to_the_next_order(wire):
    """A reversal orders first, the ring shortly after it orders again."""
    wire.order(Hearing.CALLER_ID).hear(silence(0.3)).hear(message()).hear(silence(0.4))
    wire.order(Hearing.CALLER_ID).hear(silence(4))
    assert len(wire.events) == 1


def test_the_next_caller_is_told(wire):
    wire.order(Hearing.CALLER_ID).hear(message()).hear(silence(1)).order(Hearing.NOTHING).hear(silence(5))
    wire.order(Hearing.CALLER_ID).hear(silence(0.5)).hear(message(OTHER)).hear(silence(1))
    assert [e.number for e in wire.events] == ["13800138000", "110"]


def test_a_withheld_number(wire):
    wire.order(Hearing.CALLER_ID).hear(message(WITHHELD)).hear(silence(0.5))
    (event,) = wire.events
    assert (event.number, event.presentation) == (None, Presentation.WITHHELD)


def test_a_spoilt_message_is_told_as_one_and_names_nobody(wire):
    spoilt = bytearray(NUMBER)
    spoilt[14] ^= 1
    wire.order(Hearing.CALLER_ID).hear(silence(0.5)).hear(message(bytes(spoilt))).hear(silence(1))
    (event,) = wire.events
    assert isinstance(event, CallerIdRejected)
    assert event.reason == f"wrong checksum (MDMF, bell202, {len(NUMBER)} bytes)"


def test_long_after_the_ring_nobody_listens(wire):
    wire.order(Hearing.CALLER_ID).hear(silence(9)).hear(message()).hear(silence(1))
    assert wire.events == []


def test_an_order_ends_the_one_before(wire):
    wire.order(Hearing.CALLER_ID).hear(silence(1)).order(Hearing.NOTHING).hear(message()).hear(silence(1))
    assert wire.events == []


def test_digits_with_their_moments(wire):
    wire.hear(silence(1)).order(Hearing.DIGITS).hear(dtmf("13800138000#", on_ms=80, off_ms=120, lead_s=0.5))
    assert "".join(e.digit for e in wire.events) == "13800138000#"
    for number, event in enumerate(wire.events):
        assert isinstance(event, DigitDialled)
        assert event.at.seconds_since(START) == pytest.approx(1.5 + 0.2 * number, abs=0.02)


def test_digits_dialled_before_the_order_came_through(wire):
    wire.hear(silence(1))
    lifted = wire.now
    wire.hear(dtmf("12", lead_s=0.2)).order(Hearing.DIGITS, lifted).hear(dtmf("34"))
    assert "".join(e.digit for e in wire.events) == "1234"


def test_digits_of_a_call_before_are_not_dialled_again(wire):
    wire.hear(dtmf("99")).hear(silence(0.3)).order(Hearing.DIGITS).hear(dtmf("12"))
    assert "".join(e.digit for e in wire.events) == "12"


def test_a_hole_in_the_sound_makes_no_digit_and_no_message_of_two_halves(wire):
    half = dtmf("5", on_ms=60, lead_s=0)
    wire.order(Hearing.DIGITS).hear(half[:160]).hear(half[160:320], lost_frames=800).hear(silence(1))
    assert wire.events == []
    sound = message()
    wire.order(Hearing.CALLER_ID).hear(sound[:4500]).hear(sound[4500:], lost_frames=400).hear(silence(1))
    assert wire.events == []


def test_moments_follow_the_blocks_not_the_count_of_samples(wire):
    wire.order(Hearing.DIGITS).hear(silence(1))
    wire.samples += 8000  # the sound card ran late by a second
    wire.hear(dtmf("7", lead_s=0.5))
    (event,) = wire.events
    assert event.at.seconds_since(START) == pytest.approx(2.5, abs=0.02)


@pytest.mark.parametrize("channel", [0, 1])
def test_one_channel_of_several(channel):
    wire = Wire(AnalogListener(LINE, channels=2, channel=channel), channels=2, channel=channel)
    wire.order(Hearing.CALLER_ID).hear(message()).hear(silence(0.5))
    assert [e.number for e in wire.events] == ["13800138000"]


def test_long_blocks():
    wire = Wire(AnalogListener(LINE), block=4000)
    wire.order(Hearing.CALLER_ID).hear(silence(1)).hear(message()).hear(silence(1))
    wire.order(Hearing.DIGITS).hear(dtmf("42"))
    assert len(wire.events) == 3


def test_an_order_before_any_sound(wire):
    wire.order(Hearing.CALLER_ID, at(-5000)).hear(silence(0.1))
    assert wire.events == []
