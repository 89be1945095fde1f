"""Whatever is killed, cut, frozen or restored: every call that ended is in the cloud exactly once, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sync.faults.chaos import Chaos, Report
from tests.sync.receiver.engines import Engines

FAULTS = 60
RUNS = (("embedded", 1), ("embedded", 2), ("scaled", 3))
SOAK_FAULTS = 1000
SOAK_FAULTS_SCALED = 300


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[Engines]:
    engines = Engines(tmp_path / "engines")
    yield engines
    engines.stop()


@pytest.mark.timeout(600)  # 70 s on a machine with nothing else to do
def test_sixty_faults_lose_nothing_and_double_nothing(tmp_path: Path, engines: Engines) -> None:
    """Three runs side by side, one of them over two receivers on PostgreSQL and S3; all of them mostly wait."""

    def run(form: str, seed: int) -> Report:
        chaos = Chaos(tmp_path / str(seed), seed=seed, engines=engines if form == "scaled" else None)
        return chaos.run(FAULTS // len(RUNS))

    with ThreadPoolExecutor(len(RUNS)) as pool:
        reports = list(pool.map(run, *zip(*RUNS, strict=True)))
    for report in reports:
        print(report)
    assert [report.violations for report in reports] == [[]] * len(RUNS)
    assert all(report.drained for report in reports)
    assert sum(sum(report.faults.values()) for report in reports) == FAULTS


MUTANTS = {
    "trusting_box": ("broker_killed_before_delivery", "is not in the cloud"),
    "hasty_receiver": ("receiver_killed", "is not in the cloud"),
    "forgetful_receiver": ("messages_doubled", "records are doubled"),
}
"""Who is wrong on purpose, the fault that must show it, and what the checker must say."""


@pytest.mark.timeout(600)  # 70 s on a machine with nothing else to do
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


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_faults_over_two_receivers_on_postgresql_and_s3(tmp_path: Path, engines: Engines) -> None:
    report = Chaos(tmp_path / "run", seed=8, engines=engines).run(SOAK_FAULTS_SCALED)
    print(report)
    assert report.violations == []
    assert report.drained
