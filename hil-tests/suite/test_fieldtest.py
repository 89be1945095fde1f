"""The field test finds nothing on a healthy bench, and each seeded fault of the world outside, by name."""

from __future__ import annotations

from typing import Any

import pytest
from hil.bench import Bench

pytestmark = pytest.mark.timeout(3600)
LONGEST_LINE_S = 180.0
FEWEST_STEPS = 15


def faults(run: dict[str, Any]) -> dict[str, list[str]]:
    """What was found, by subject."""
    return {group["subject"]: [one["fault"] for one in group["findings"]] for group in run["groups"]}


def seeded(bench: Bench, wanted: dict[str, str], *words: str) -> dict[str, list[str]]:
    """What a field test of these lines finds while each has its fault."""
    for line, fault in wanted.items():
        bench.seed(fault, line, on=True)
    try:
        subjects = [word for line in wanted for word in ("--subject", line)]
        return faults(bench.field_test(*subjects, *words))
    finally:
        for line, fault in wanted.items():
            bench.seed(fault, line, on=False)


@pytest.mark.quick
def test_a_healthy_box_and_its_first_line_pass(bench: Bench) -> None:
    passes(bench, "box", bench.lines[0])


def test_healthy_lines_pass(bench: Bench) -> None:
    passes(bench, *bench.lines[1:])


def passes(bench: Bench, *subjects: str) -> None:
    run = bench.field_test("--technician", "Suite", *(word for subject in subjects for word in ("--subject", subject)))
    assert faults(run) == {subject: [] for subject in subjects}
    assert (run["state"], run["verdict"]) == ("finished", "passed")
    for group in (group for group in run["groups"] if group["subject"] != "box"):
        assert group["measured"] >= FEWEST_STEPS, group["subject"]
        assert group["seconds"] <= LONGEST_LINE_S, group["subject"]


@pytest.mark.needs_street
def test_four_faults_at_once_are_found_each_on_its_line(bench: Bench) -> None:
    wanted = {"fxo-1": "ring_bounces", "fxo-2": "hum", "sim-1": "dead_microphone", "sim-2": "weak_signal"}
    assert seeded(bench, wanted) == {line: [fault] for line, fault in wanted.items()}


@pytest.mark.needs_street
def test_wrong_wiring_and_a_crossed_module_are_found(bench: Bench) -> None:
    wanted = {"fxo-2": "wrong_wiring", "sim-1": "swapped_channels"}
    assert seeded(bench, wanted) == {line: [fault] for line, fault in wanted.items()}


@pytest.mark.needs_street
def test_swapped_sound_plugs_are_found(bench: Bench) -> None:
    assert seeded(bench, {"fxo-1": "swapped_channels"}) == {"fxo-1": ["swapped_channels"]}


@pytest.mark.needs_street
def test_a_slow_card_is_found(bench: Bench) -> None:
    """Each time the card is asked to keep what was written it takes 0.9 s: strace makes it so, the product does not
    know."""
    assert faults(bench.field_test("--subject", "box", slow_card=True)) == {"box": ["slow_card"]}


@pytest.mark.quick
@pytest.mark.needs_street
def test_the_certificate_of_a_run_is_accepted_and_a_changed_one_is_not(bench: Bench) -> None:
    bench.field_test("--subject", "box")
    for path in bench.certificates():
        assert bench.verify(path) == 0, path.name
        changed = path.with_name("changed" + path.suffix)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        changed.write_bytes(content)
        assert bench.verify(changed) != 0, path.name
