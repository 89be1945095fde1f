"""One line's three sensors together: what comes of a whole call, and what ringing does to the other sensors."""

import pytest

from firmware.events import LineCondition, OffHook, OnHook, PolarityReversed, Ring, RingPaused
from firmware.model import LineId
from firmware.signals.loop_watch import LoopTiming, LoopWatch, Sensor
from tests.signals.timeline import at, ms, play, pulses

LINE = LineId("fxo-1")


def on(sensor, edges):
    return [(sensor, level, when) for level, when in edges]


def told(*edges, until_ms=30_000):
    watch = LoopWatch(LINE, LoopTiming())
    for sensor in Sensor:
        watch.feed(sensor, False, at(0))
    everything = sorted((e for some in edges for e in some), key=lambda e: e[2])
    return [(type(e), ms(e.at)) for e in play(watch, everything, until_ms=until_ms)]


def test_an_answered_call():
    ring = on(Sensor.RING, pulses(1000, 1000, 20) + pulses(6000, 500, 20))
    hook = on(Sensor.OFF_HOOK, [(True, 6480), (False, 20_000)])
    assert told(ring, hook) == [
        (Ring, 1000), (RingPaused, 1975), (Ring, 6000), (OffHook, 6480), (RingPaused, 6475), (OnHook, 20_000),
    ]  # fmt: skip


def test_ringing_current_in_every_sensor_is_only_ringing():
    swing = pulses(1000, 2000, 20)
    events = told(*(on(sensor, swing) for sensor in Sensor))
    assert [kind for kind, _ in events] == [Ring, RingPaused]


@pytest.mark.parametrize("hold_ms", [20, 60, 79])
def test_a_short_reversal_is_none(hold_ms):
    assert told(on(Sensor.POLARITY, [(True, 1000), (False, 1000 + hold_ms)])) == []


def test_reversals_there_and_back():
    assert told(on(Sensor.POLARITY, [(True, 1000), (False, 1300)])) == [
        (PolarityReversed, 1000), (PolarityReversed, 1300),
    ]  # fmt: skip


def test_a_reversal_before_ringing_is_told_before_it():
    events = told(on(Sensor.POLARITY, [(True, 1000)]), on(Sensor.RING, pulses(1600, 400, 25)))
    assert [kind for kind, _ in events] == [PolarityReversed, Ring, RingPaused]


def test_a_reversal_within_ringing_is_told_after_the_burst_with_its_own_moment():
    events = told(on(Sensor.RING, [(True, 1000), (False, 3000)]), on(Sensor.POLARITY, [(True, 2500)]))
    assert events == [(Ring, 1000), (RingPaused, 3000), (PolarityReversed, 2500)]


def test_which_polarity_is_normal_does_not_matter():
    watch = LoopWatch(LINE, LoopTiming())
    watch.feed(Sensor.POLARITY, True, at(0))
    assert play(watch, [], until_ms=5000) == []
    assert len(play(watch, [(Sensor.POLARITY, False, 6000)], until_ms=7000)) == 1


def test_the_condition_of_a_line():
    watch = LoopWatch(LINE, LoopTiming())
    assert watch.condition is LineCondition.IDLE
    play(watch, [(Sensor.RING, True, 0)], until_ms=400)
    assert watch.condition is LineCondition.RINGING
    play(watch, [(Sensor.OFF_HOOK, True, 500)], until_ms=700)
    assert watch.condition is LineCondition.IN_CALL
