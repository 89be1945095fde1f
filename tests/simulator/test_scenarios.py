"""Scenario files are read or refused with the place named; the same seed makes the same day, and a day has it all."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

import simulator
from simulator.day import day
from simulator.scenario import FaultKind, Kind, ScenarioError, load, parse, to_data

FILES = sorted((Path(simulator.__file__).parent / "scenarios").glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_scenario_of_the_package_is_right(path):
    scenario = load(path)
    assert scenario.calls
    for call in scenario.calls:
        assert bool(call.talk) == call.kind.talked
        assert call.number is not None or not call.kind.outgoing


def test_a_scenario_survives_the_way_over_the_control_socket():
    made = day(24, seed=3)
    assert parse(to_data(made)) == made


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ({"line": "fxo-1", "kind": "answerd"}, "kind"),
        ({"line": "fxo-1", "kind": "missed", "ring": 3}, "ring"),
        ({"line": "fxo-1", "kind": "missed", "rings": 0}, "rings"),
        ({"line": "fxo-1", "kind": "answered", "talk": [{"side": "remote", "prompt": "r99"}]}, "prompt"),
        ({"kind": "missed"}, "line"),
    ],
)
def test_a_wrong_scenario_is_refused_with_the_place(call, named):
    with pytest.raises(ScenarioError, match=named):
        parse({"name": "x", "calls": [call]})


def test_the_same_seed_makes_the_same_day_and_another_seed_another():
    assert day(24, seed=7) == day(24, seed=7)
    assert day(24, seed=7) != day(24, seed=8)


def test_a_day_of_24_calls_has_every_kind_and_every_fault_and_withheld_numbers():
    calls = day(24).calls
    assert len(calls) == 24
    assert {call.kind for call in calls} == set(Kind)
    assert {call.fault.kind for call in calls if call.fault} == {FaultKind.PULL_MODULE, FaultKind.PULL_SOUND}
    assert any(call.number is None for call in calls if not call.kind.outgoing)
    assert Counter(call.line for call in calls) == {"fxo-1": 6, "fxo-2": 6, "sim-1": 6, "sim-2": 6}
    assert {call.hang_up for call in calls if call.kind.talked} == {"local", "remote"}


def test_every_answered_call_says_both_sides_and_near_calls_share_no_prompt():
    talked = [call for call in day(48).calls if call.kind.talked]
    for call in talked:
        assert {turn.side for turn in call.talk} == {"local", "remote"}
    for n in range(len(talked) - 6):
        near = [turn.prompt for call in talked[n : n + 6] for turn in call.talk]
        assert len(near) == len(set(near))


def test_a_new_ring_never_comes_within_the_silence_of_the_one_that_nobody_answered():
    lines = defaultdict(list)
    for call in day(48, seed=2).calls:
        lines[call.line].append(call)
    for line in ("fxo-1", "fxo-2"):
        for before, after in zip(lines[line], lines[line][1:], strict=False):
            assert before.kind is not Kind.MISSED or after.gap_s >= 9
