"""Digits of a dial from the breaks of the loop, at 10 and 20 pulses a second, with contacts that chatter."""

from __future__ import annotations

import random

import pytest

from firmware.events import CallEnded, DigitDialled, OffHook, OnHook, PolarityReversed
from firmware.model import Instant, LineId
from firmware.signals.hook import HookTiming
from firmware.signals.loop_watch import LoopTiming, LoopWatch, Sensor
from firmware.signals.pulse_dial import PulseDialDetector

LINE = LineId("fxo-1")


def at(ms):
    return Instant(round(ms * 1e6), round(ms * 1e6) + 10**18)


class Loop:
    """The edges of a loop over time, ms; contacts chatter when asked to."""

    def __init__(self, chatter_ms=0.0, seed=8):
        self.now, self.edges, self.chatter, self.dice = 0.0, [], chatter_ms, random.Random(seed)

    def level(self, closed, hold_ms):
        begun = self.now
        while self.chatter and self.now < begun + self.chatter:
            self.edges += [(closed, self.now), (not closed, self.now + 0.6)]
            self.now += 0.6 + self.dice.uniform(0.3, 1.2)
        self.edges.append((closed, self.now))
        self.now = begun + hold_ms
        return self

    def dials(self, number, pps=10, break_share=0.61, pause_ms=700):
        for key in number:
            for _ in range(int(key) or 10):
                self.level(False, 1000 / pps * break_share)
                self.level(True, 1000 / pps * (1 - break_share))
            self.level(True, pause_ms)
        return self


def digits(loop):
    detector, told = PulseDialDetector(), []
    for closed, ms in loop.edges:
        told += detector.feed(closed, at(ms))
    told += detector.advance(at(loop.now + 1000))
    return "".join(d.digit for d in told)


@pytest.mark.parametrize("chatter_ms", [0.0, 3.0, 5.0])
@pytest.mark.parametrize(("pps", "share"), [(10, 0.61), (10, 0.67), (10, 0.5), (9, 0.6), (11, 0.6), (20, 0.6)])
def test_every_digit_is_counted(pps, share, chatter_ms):
    loop = Loop(chatter_ms).level(True, 1500).dials("1234567890110", pps, share)
    assert digits(loop) == "1234567890110"


def test_a_flash_or_a_handset_put_back_is_no_digit():
    for break_ms in (100, 120, 300, 700, 2000):
        assert digits(Loop().level(True, 900).level(False, break_ms).level(True, 900)) == ""


def test_the_bounce_of_a_lifted_handset_is_no_digit():
    loop = Loop()
    for _ in range(5):
        loop.level(True, 4).level(False, 20)
    assert digits(loop.level(True, 900)) == ""


def watched(edges, *, timing, until_ms):
    """What a line says whose sensors showed these edges: (sensor, level, ms)."""
    watch, told = LoopWatch(LINE, timing), []
    for sensor in Sensor:
        watch.feed(sensor, sensor is Sensor.BATTERY, at(0))
    for sensor, level, ms in sorted(edges, key=lambda e: e[2]):
        told += watch.feed(sensor, level, at(ms))
    told += watch.advance(at(until_ms))
    return [(type(e), e.at.boot_ns // 1_000_000) for e in told], watch


def test_pulses_are_digits_of_the_call_and_no_hang_up():
    loop = Loop(2.0)
    loop.now = 1000
    edges = [(Sensor.OFF_HOOK, c, ms) for c, ms in loop.level(True, 1500).dials("70").edges]
    told, _ = watched(edges, timing=LoopTiming(), until_ms=loop.now + 2000)
    assert [kind for kind, _ in told] == [OffHook, DigitDialled, DigitDialled]


CPC = LoopTiming(hook=HookTiming(on_hook_ms=960), open_loop_ms=250)


@pytest.mark.parametrize("break_ms", [250, 500, 900])
def test_an_open_loop_ends_the_call_and_the_handset_is_put_back_later(break_ms):
    edges = [(Sensor.OFF_HOOK, True, 1000), (Sensor.OFF_HOOK, False, 9000), (Sensor.OFF_HOOK, True, 9000 + break_ms)]
    told, _ = watched([*edges, (Sensor.OFF_HOOK, False, 20000)], timing=CPC, until_ms=30000)
    assert told == [(OffHook, 1000), (CallEnded, 9000), (OnHook, 20000)]


@pytest.mark.parametrize("break_ms", [20, 50, 100, 120, 240])
def test_a_flash_does_not(break_ms):
    edges = [(Sensor.OFF_HOOK, True, 1000), (Sensor.OFF_HOOK, False, 9000), (Sensor.OFF_HOOK, True, 9000 + break_ms)]
    told, _ = watched(edges, timing=CPC, until_ms=30000)
    assert [kind for kind, _ in told if kind is not DigitDialled] == [OffHook]


def test_without_supervision_a_long_break_is_a_flash():
    edges = [(Sensor.OFF_HOOK, True, 1000), (Sensor.OFF_HOOK, False, 9000), (Sensor.OFF_HOOK, True, 9500)]
    told, _ = watched(edges, timing=LoopTiming(hook=HookTiming(on_hook_ms=1300)), until_ms=30000)
    assert told == [(OffHook, 1000)]


def test_polarity_that_goes_back_ends_a_call_where_the_country_does_so():
    edges = [(Sensor.OFF_HOOK, True, 1000), (Sensor.POLARITY, True, 5000), (Sensor.POLARITY, False, 60000)]
    told, _ = watched(edges, timing=LoopTiming(reversal_ends=True), until_ms=70000)
    assert told == [(OffHook, 1000), (PolarityReversed, 5000), (PolarityReversed, 60000), (CallEnded, 60000)]
    told, _ = watched(edges, timing=LoopTiming(), until_ms=70000)
    assert CallEnded not in [kind for kind, _ in told]


@pytest.mark.parametrize("wired", [False, True])
def test_lines_wired_the_wrong_way_round_say_the_same(wired):
    edges = [(Sensor.OFF_HOOK, True, 1000), (Sensor.POLARITY, not wired, 5000), (Sensor.OFF_HOOK, False, 20000)]
    watch, told = LoopWatch(LINE, LoopTiming()), []
    watch.feed(Sensor.POLARITY, wired, at(0))
    for sensor, level, ms in edges:
        told += watch.feed(sensor, level, at(ms))
    told += watch.advance(at(30000))
    assert [type(e) for e in told] == [OffHook, PolarityReversed, OnHook]


def test_battery_tells_an_open_loop_from_a_flash_and_a_cut_line_from_both():
    up = [(Sensor.OFF_HOOK, True, 1000)]
    flash = [(Sensor.OFF_HOOK, False, 5000), (Sensor.OFF_HOOK, True, 5600)]
    cpc = [(s, v, ms) for s in (Sensor.OFF_HOOK, Sensor.BATTERY) for v, ms in ((False, 9000), (True, 9600))]
    timing = LoopTiming(hook=HookTiming(on_hook_ms=1300))
    told, watch = watched(up + flash + cpc, timing=timing, until_ms=12000)
    assert told == [(OffHook, 1000), (CallEnded, 9000)]
    assert not watch.cut
    _, watch = watched([(Sensor.BATTERY, False, 5000)], timing=timing, until_ms=6300)
    assert watch.cut
