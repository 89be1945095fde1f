"""Whatever is killed, cut, frozen or restored: every call that ended is in the cloud exactly once, byte for byte."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sync.faults.chaos import Chaos

FAULTS = 60
SEEDS = (1, 2)
SOAK_FAULTS = 1000


@pytest.mark.timeout(240)
def test_sixty_faults_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """Two runs side by side; both mostly wait."""
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        reports = list(pool.map(lambda seed: Chaos(tmp_path / str(seed), seed=seed).run(FAULTS // len(SEEDS)), SEEDS))
    for report in reports:
        print(report)
    assert [report.violations for report in reports] == [[], []]
    assert all(report.drained for report in reports)
    assert sum(sum(report.faults.values()) for report in reports) == FAULTS


MUTANTS = {
    "trusting_box": ("broker_killed_before_delivery", "is not in the cloud"),
    "hasty_receiver": ("receiver_killed", "is not in the cloud"),
    "forgetful_receiver": ("answers_lost", "records are doubled"),
}
"""Who is wrong on purpose, the fault that must show it, and what the checker must say."""


@pytest.mark.timeout(240)
def test_checker_catches_every_mutant(tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(MUTANTS)) as pool:
        caught = list(pool.map(lambda name: _caught(tmp_path / name, name), MUTANTS))
    assert dict(zip(MUTANTS, caught, strict=True)) == dict.fromkeys(MUTANTS, "caught")


def _caught(folder: Path, mutant: str) -> str:
    kind, expected = MUTANTS[mutant]
    command = ("-m", f"tests.sync.faults.mutants.{mutant}")
    side = {"box_command" if mutant.endswith("box") else "receiver_command": command}
    found: list[str] = []
    for seed in range(1, 4):  # a fault must hit the moment that it is about
        chaos = Chaos(folder / str(seed), seed=seed, boxes=1, drain_s=5.0, **side)  # type: ignore[arg-type]
        found = chaos.run(3, kinds=[kind]).violations
        if any(expected in one for one in found):
            return "caught"
    return f"not caught: {found[:5]}"


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_thousand_faults(tmp_path: Path) -> None:
    report = Chaos(tmp_path, seed=7).run(SOAK_FAULTS)
    print(report)
    assert report.violations == []
    assert report.drained
