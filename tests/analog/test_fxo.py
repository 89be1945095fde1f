"""The analog line on its pins: every sensor, a lost board, a lost edge, the hook relay, the sound it names."""

import threading
import time

import gpiozero
import pytest

from firmware.analog.fxo import FxoLine, FxoOptions
from firmware.clock import SystemClock
from firmware.errors import DeviceError
from firmware.events import LineCondition, LineDown, LineUp, OffHook, OnHook, PolarityReversed, Ring, RingPaused
from firmware.model import ChannelRole, LineKind
from tests.analog.hat import Hat, Told

SOON_S = 0.06


@pytest.fixture
def hat():
    hat = Hat()
    yield hat
    hat.close()


def test_an_answered_call_with_the_moments_of_its_edges(hat):
    _, told = hat.line()
    assert told.wait(LineUp).condition is LineCondition.IDLE
    clock = SystemClock()
    rang = clock.now()
    hat.ring(0.5)
    told.wait(LineUp, Ring, RingPaused)
    lifted = clock.now()
    hat.show("off_hook", True)
    told.wait(LineUp, Ring, RingPaused, OffHook)
    put_back = clock.now()
    hat.show("off_hook", False)
    told.wait(LineUp, Ring, RingPaused, OffHook, OnHook)
    for event, moment in zip((told.events[1], *told.events[3:]), (rang, lifted, put_back), strict=True):
        assert abs(event.at.seconds_since(moment)) < SOON_S
    assert 0.3 < told.events[2].at.seconds_since(rang) < 0.6


def test_bounce_flash_and_short_reversal_are_nothing(hat):
    _, told = hat.line()
    told.wait(LineUp)
    hat.show("ring", True)
    hat.show("polarity", True)
    time.sleep(0.03)
    hat.show("ring", False)
    hat.show("polarity", False)
    hat.show("off_hook", True)
    told.wait(LineUp, OffHook)
    hat.show("off_hook", False)
    time.sleep(0.3)
    hat.show("off_hook", True)
    told.stays(LineUp, OffHook, for_s=0.8)


def test_a_reversal(hat):
    _, told = hat.line()
    told.wait(LineUp)
    hat.show("polarity", True)
    told.wait(LineUp, PolarityReversed)
    hat.show("polarity", False)
    told.wait(LineUp, PolarityReversed, PolarityReversed)


@pytest.mark.parametrize(
    ("sensor", "condition"), [("off_hook", LineCondition.IN_CALL), ("ring", LineCondition.RINGING)]
)
def test_what_is_going_on_when_it_starts(hat, sensor, condition):
    hat.show(sensor, True)
    _, told = hat.line()
    assert told.wait(LineUp).condition is condition
    hat.show(sensor, False)
    told.wait(LineUp, OnHook if sensor == "off_hook" else RingPaused)


def test_two_lines_do_not_hear_each_other(hat):
    _, first = hat.line("fxo-1")
    _, second = hat.line("fxo-2", port=2)
    first.wait(LineUp)
    second.wait(LineUp)
    ringing = threading.Thread(target=hat.ring, args=(0.4, 1))
    ringing.start()
    hat.show("off_hook", True, port=2)
    second.wait(LineUp, OffHook)
    ringing.join()
    assert first.wait(LineUp, Ring, RingPaused).line == "fxo-1"


def test_a_board_that_is_pulled_off_and_put_back_in_a_call(hat):
    hat.show("off_hook", True)
    _, told = hat.line()
    told.wait(LineUp)
    hat.chip.unplug()
    down = told.wait(LineUp, LineDown)
    assert "No such device" in down.reason
    hat.chip.plug()
    assert told.wait(LineUp, LineDown, LineUp).condition is LineCondition.IN_CALL
    hat.show("off_hook", False)
    told.wait(LineUp, LineDown, LineUp, OnHook)


def test_a_board_that_is_not_there_is_said_once_and_found_when_it_comes(hat):
    hat.chip.unplug()
    _, told = hat.line()
    told.wait(LineDown)
    told.stays(LineDown, for_s=2.5)
    hat.chip.plug()
    told.wait(LineDown, LineUp)


def test_edges_that_the_kernel_had_no_room_for(hat):
    _, told = hat.line()
    told.wait(LineUp)
    hat.chip.driven[6] = False  # the handset is lifted, and nobody is told
    told.wait(LineUp, OffHook)


def test_no_event_after_stop(hat):
    line, told = hat.line()
    told.wait(LineUp)
    began = time.monotonic()
    line.stop()
    assert time.monotonic() - began < 1
    hat.show("off_hook", True)
    told.stays(LineUp, for_s=0.3)
    assert hat.chip.requests == {}


def test_stop_while_the_board_is_missing(hat):
    hat.chip.unplug()
    line, told = hat.line()
    told.wait(LineDown)
    began = time.monotonic()
    line.stop()
    assert time.monotonic() - began < 1


def test_a_longer_flash_window_from_the_options(hat):
    hat.show("off_hook", True)
    _, told = hat.line(on_hook_ms=1300)
    told.wait(LineUp)
    hat.show("off_hook", False)
    time.sleep(0.9)
    hat.show("off_hook", True)
    told.stays(LineUp, for_s=0.7)


def relay(hat, port=1):
    pin = 16 if port == 1 else 23
    return [level for offset, level in hat.chip.outputs if offset == pin][-1]


def eventually(condition):
    until = time.monotonic() + 2
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def test_the_box_answers_and_hangs_up_by_its_relay(hat):
    line, told = hat.line()
    told.wait(LineUp)
    assert not relay(hat)
    line.answer()
    eventually(lambda: relay(hat))
    line.hang_up()
    eventually(lambda: not relay(hat))


def test_a_line_that_the_box_seized_is_free_when_it_stops(hat):
    line, told = hat.line()
    told.wait(LineUp)
    line.answer()
    eventually(lambda: relay(hat))
    line.stop()
    assert not relay(hat)


def test_without_a_relay_a_line_is_only_listened_to():
    line = FxoLine("fxo-1", FxoOptions(profile="four-line-hat", port=3), Told(), SystemClock())
    assert line.actions == frozenset()
    assert FxoLine.actions == {"answer", "hang_up", "dial", "digits", "flash", "play"}
    for act in (line.answer, line.hang_up):
        with pytest.raises(DeviceError, match="use the handset"):
            act()


def test_the_sound_is_both_sides_in_one_channel():
    line = FxoLine("fxo-2", FxoOptions(profile="two-line-hat", port=2), Told(), SystemClock())
    source = line.audio_source()
    assert (line.kind, source.rate_hz, source.roles) == (LineKind.ANALOG, 8000, (ChannelRole.MIXED,))
    line = FxoLine("fxo-1", FxoOptions(profile="two-line-hat", audio_device="null"), Told(), SystemClock())
    assert line.audio_source().roles == (ChannelRole.MIXED,)


def test_no_gpio_at_all(monkeypatch):
    """gpiozero finds no factory: the line says so, and does not bring the box down."""
    gpiozero.Device.pin_factory = None
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "there-is-no-such-factory")
    told = Told()
    line = FxoLine("fxo-1", FxoOptions(profile="two-line-hat"), told, SystemClock())
    line.start()
    assert "no GPIO can be opened" in told.wait(LineDown).reason
    line.stop()
