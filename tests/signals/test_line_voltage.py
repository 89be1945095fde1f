"""A lifted handset, the battery and polarity out of a line's voltage; the curves are the street's."""

from __future__ import annotations

import pytest

from firmware.signals.line_voltage import HookRule, VoltageEdge, VoltageSense, proposed
from firmware.signals.loop_watch import Sensor
from simulator.line_script import LineScript
from simulator.line_volts import PBX, SHORT_FRENCH, VoltLine, volts
from simulator.networks import NETWORKS


def talk(code: str = "US") -> LineScript:
    script = LineScript(NETWORKS[code], bounce_ms=0)
    script.rest(4).lifts().rest(6).hangs_up().rest(4)
    return script


def hook(sense: VoltageSense, script: LineScript, line: VoltLine) -> list[tuple[bool, float]]:
    """(off-hook, when) as the sense has it, without what does not last 0.1 s."""
    told = [
        (edge.active, at_s)
        for at_s, value in volts(script, line, until_s=script.now_s)
        for edge in sense.feed(value)
        if edge.sensor is Sensor.OFF_HOOK
    ]
    ends = [at_s for _, at_s in told[1:]] + [script.now_s]
    return [one for one, end in zip(told, ends, strict=True) if end - one[1] >= 0.1]


@pytest.mark.parametrize(
    ("rule", "on_hook_v", "line"),
    [
        (HookRule.HALF, None, VoltLine()),
        (HookRule.HALF, 51.0, VoltLine()),
        (HookRule.HALF, 54.0, VoltLine(on_hook_v=54.0, off_hook_v=12.0)),
        (HookRule.HALF, 26.0, PBX),
        (HookRule.HALF, 102.0, VoltLine(on_hook_v=102.0, off_hook_v=20.0)),
        (HookRule.DROP, 52.0, SHORT_FRENCH),
        (HookRule.DROP, 51.0, VoltLine()),
    ],
)
def test_a_lifted_handset_shows_within_a_tenth_of_a_second(
    rule: HookRule, on_hook_v: float | None, line: VoltLine
) -> None:
    told = hook(VoltageSense(rule, on_hook_v), talk(), line)
    assert [off for off, _ in told] == [False, True, False]
    assert told[1][1] == pytest.approx(4.0, abs=0.1)
    assert told[2][1] == pytest.approx(10.0, abs=0.1)


def test_half_of_the_voltage_does_not_show_a_handset_on_a_short_line() -> None:
    assert [off for off, _ in hook(VoltageSense(HookRule.HALF, 52.0), talk(), SHORT_FRENCH)] == [False]


def test_a_battery_that_sinks_is_followed_and_no_handset_is_seen_in_it() -> None:
    sense = VoltageSense(HookRule.DROP, 52.0)
    edges = []
    for n in range(4000):  # 100 s, from 52 to 42 V: slower than any handset
        edges += [e for e in sense.feed(52.0 - 10 * n / 4000) if e.sensor is Sensor.OFF_HOOK]
    assert edges == [VoltageEdge(Sensor.OFF_HOOK, False)]
    assert sense.on_hook_v == pytest.approx(42.0, abs=1.0)


def test_two_handsets_one_after_the_other_are_one_call() -> None:
    sense = VoltageSense()
    steps = [51.0] * 80 + [9.5] * 80 + [7.0] * 80 + [9.0] * 80 + [51.0] * 80
    told = [e.active for v in steps for e in sense.feed(v) if e.sensor is Sensor.OFF_HOOK]
    assert told == [False, True, False]


def test_polarity_and_battery() -> None:
    sense = VoltageSense()
    told = [e for v in [50.0, -50.0, 0.5, 50.0] for e in sense.feed(v)]
    assert told == [
        VoltageEdge(Sensor.BATTERY, True),
        VoltageEdge(Sensor.POLARITY, False),
        VoltageEdge(Sensor.OFF_HOOK, False),
        VoltageEdge(Sensor.POLARITY, True),
        VoltageEdge(Sensor.BATTERY, False),
        VoltageEdge(Sensor.BATTERY, True),
        VoltageEdge(Sensor.POLARITY, False),
    ]


@pytest.mark.parametrize(
    ("line", "rule"),
    [(VoltLine(), HookRule.HALF), (PBX, HookRule.HALF), (SHORT_FRENCH, HookRule.DROP)],
)
def test_a_calibration_proposes_the_rule_that_fits(line: VoltLine, rule: HookRule) -> None:
    script = LineScript(NETWORKS["FR"], bounce_ms=0)
    script.rest(3).rings(2, None).rest(8).lifts().rest(5).hangs_up().rest(4)
    found = proposed([value for _, value in volts(script, line, until_s=script.now_s)])
    assert found is not None
    assert found.rule is rule
    assert found.on_hook_v == pytest.approx(line.on_hook_v, abs=1.0)
    assert found.off_hook_v == pytest.approx(line.off_hook_v, abs=1.0)


def test_a_calibration_in_which_the_voltage_shows_no_handset_says_so() -> None:
    assert proposed([50.0] * 400) is None
    assert proposed([0.0] * 400) is None
    assert proposed([]) is None
