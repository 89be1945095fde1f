"""Which of a line's numbers was called, told by the pattern of its ring; all the way into the call."""

import pytest

from firmware.analog.line_timing import loop_timing
from firmware.analog.profile import Debounce
from firmware.events import LineCondition, LineUp, Ring, RingPaused
from firmware.model import LineId, LineKind
from firmware.signals.countries import profile_of
from firmware.signals.loop_watch import LoopWatch, Sensor
from tests.core.story import Story
from tests.signals.timeline import play, pulses

LINE = LineId("fxo-1")
PATTERNS = {
    "normal": (2000, 4000),
    "short-short": (800, 400, 800, 4000),
    "short-short-long": (400, 200, 400, 200, 800, 4000),
    "short-long-short": (300, 200, 1000, 200, 300, 4000),
}
"""Telcordia GR-506-CORE ring patterns 1 to 4, written down here once more: the box's own table is under test."""


class Watched:
    """A loop watch as a recogniser of ring edges only."""

    def __init__(self, country):
        self.watch = LoopWatch(LINE, loop_timing(Debounce(), profile_of(country)))
        self.due, self.advance = self.watch.due, self.watch.advance

    def feed(self, active, at):
        return self.watch.feed(Sensor.RING, active, at)


def rung(cadence, times, hz, stretch=1.0, country="US"):
    edges, at = [], 1000.0
    for _ in range(times):
        for n, ms in enumerate(cadence):
            if n % 2 == 0:
                edges += pulses(at, ms * stretch, hz)
            at += ms * (stretch if n % 2 == 0 else 1)
    return play(Watched(country), edges, until_ms=at + 5000)


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("hz", [16, 20, 25, 50])
@pytest.mark.parametrize("stretch", [0.9, 1.0, 1.1])
def test_each_pattern_is_told_from_the_others(name, hz, stretch):
    told = rung(PATTERNS[name], 2, hz, stretch)
    last_of_each_cycle = len(PATTERNS[name]) // 2
    paused = [event.pattern for event in told if isinstance(event, RingPaused)]
    assert len(paused) == 2 * last_of_each_cycle
    assert paused[last_of_each_cycle - 1 :: last_of_each_cycle] == [name, name]


@pytest.mark.parametrize("name", PATTERNS)
def test_the_call_bears_the_pattern_that_rang(name):
    story = Story(LineKind.ANALOG)
    story.say(0, LineUp, condition=LineCondition.IDLE)
    for event in rung(PATTERNS[name], 2, 20):
        assert isinstance(event, Ring | RingPaused)
        story._step(event)
    story.wait(60)
    assert story.call.ring_pattern == name


def test_where_only_one_pattern_is_known_none_is_named():
    told = rung((1000, 4000), 2, 25, country="CN")
    assert [event.pattern for event in told if isinstance(event, RingPaused)] == [None, None]


def test_a_ring_of_no_known_pattern_is_not_named():
    told = rung((1500, 4000), 2, 20)
    assert [event.pattern for event in told if isinstance(event, RingPaused)] == [None, None]
