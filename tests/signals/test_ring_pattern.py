"""Which of a line's numbers was called, told by the pattern of its ring; all the way into the call."""

import pytest

from firmware.analog.line_timing import loop_timing
from firmware.analog.profile import Debounce
from firmware.events import LineCondition, LineUp, Ring, RingPaused
from firmware.model import LineId, LineKind
from firmware.signals.countries import profile_of, profiles
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


@pytest.mark.parametrize(
    ("country", "cadence", "name"),
    [
        ("AU", (400, 200, 400, 200, 400, 1400), "short-short-short"),
        ("GB", (1000, 2000), "long"),
        ("DE", (400, 400, 400, 3000), "short-short"),
        ("HK", (400, 200, 1000, 3000), "short-long"),
    ],
)
@pytest.mark.parametrize("hz", [16, 25, 50])
def test_a_pattern_that_no_table_has_is_called_by_what_it_is(country, cadence, name, hz):
    """Once it came whole twice: the times are made up, what exchanges send there is not known."""
    told = rung(cadence, 4, hz, country=country)
    paused = [event.pattern for event in told if isinstance(event, RingPaused)]
    bursts = len(cadence) // 2
    assert paused == [None] * 2 * bursts + [name] * 2 * bursts


@pytest.mark.parametrize("country", sorted(profiles()))
@pytest.mark.parametrize("hz", [16, 25])
def test_the_ordinary_ring_of_a_country_is_nothing_special(country, hz):
    told = rung(profiles()[country].ring.ms, 6, hz, country=country)
    paused = [event.pattern for event in told if isinstance(event, RingPaused)]
    assert set(paused) <= {None, "normal"}


def test_the_short_rings_before_the_ringing_in_japan_are_nothing_special():
    edges = [e for n in range(6) for e in pulses(1000 + n * 1000, 500, 16)]
    edges += [e for n in range(4) for e in pulses(8000 + n * 3000, 1000, 16)]
    told = play(Watched("JP"), edges, until_ms=25_000)
    assert {event.pattern for event in told if isinstance(event, RingPaused)} == {None}


def test_a_last_burst_that_is_cut_makes_no_pattern():
    """The caller gives up, or somebody answers, in the middle of a burst."""
    edges = [e for n in range(3) for e in pulses(1000 + n * 3000, 400, 25) + pulses(1600 + n * 3000, 400, 25)]
    edges += pulses(10_000, 200, 25)
    told = play(Watched("GB"), edges, until_ms=25_000)
    assert {event.pattern for event in told if isinstance(event, RingPaused)} == {None}
