"""Measurement and verdict, faster than real time: nothing is found on healthy lines, and each seeded fault is named."""

from __future__ import annotations

import pytest

from fieldtest.catalogue import STEPS, Group
from fieldtest.fault_words import FAULTS, TODO
from fieldtest.results import Results
from fieldtest.verdicts import Limits, Verdict
from tests.fieldtest import seeded

RUNS = 100
"""Of each kind of line: two hundred healthy lines without a false verdict."""


@pytest.mark.parametrize("line", [seeded.analog, seeded.sim])
@pytest.mark.parametrize("part", range(4))
def test_nothing_is_found_on_a_healthy_line(line: object, part: int) -> None:
    found = {seed: line(seed) for seed in range(part, RUNS, 4)}  # type: ignore[operator]
    assert {seed: [f.words.en for f in findings] for seed, findings in found.items() if findings} == {}


@pytest.mark.parametrize("fault", ["wrong_wiring", "ring_bounces", "hum", "swapped_channels", "dead_sound_path"])
def test_each_fault_of_an_analog_line_is_found_and_named(fault: str) -> None:
    found = [seeded.analog(seed, fault) for seed in range(10)]
    assert [[f.fault for f in findings] for findings in found] == [[fault]] * len(found)


@pytest.mark.parametrize("fault", ["dead_microphone", "swapped_channels", "hum", "weak_signal"])
def test_each_fault_of_a_sim_line_is_found_and_named(fault: str) -> None:
    found = [seeded.sim(seed, fault) for seed in range(10)]
    assert [[f.fault for f in findings] for findings in found] == [[fault]] * len(found)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(1.9, "failed"), (2.5, "marginal"), (3.0, "passed"), (5.0, "passed"), (5.9, "marginal"), (6.1, "failed")],
)
def test_the_band_beside_the_limits_is_marginal(value: float, verdict: str) -> None:
    assert Limits(low=3.0, high=5.0, margin=1.0).judge(value) is Verdict(verdict)


def test_at_least_fifteen_steps_are_measured_on_each_line() -> None:
    assert len(STEPS[Group.ANALOG]) >= 15
    assert len(STEPS[Group.SIM]) >= 15


def test_every_word_belongs_to_a_step_there_is() -> None:
    steps = {step.id for group in STEPS.values() for step in group}
    explained = {step for _, _, explains in FAULTS.values() for step in explains}
    assert explained | set(TODO) <= steps


def test_every_step_has_both_languages() -> None:
    for group in STEPS.values():
        for step in group:
            assert step.en
            assert any("一" <= c <= "鿿" for c in step.zh), step.id


def test_what_nobody_measured_is_not_passed() -> None:
    results = Results(Group.SIM)
    results.rest_not_tested("the line is in use", "线路正在使用")
    assert {result.verdict for result in results.all()} == {Verdict.NOT_TESTED}
