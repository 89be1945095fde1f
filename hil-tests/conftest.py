"""Chooses the bench, skips what it cannot do as "not tested", and fails when more of it is skipped than listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hil.bench import FEATURES, Bench
from hil.street_bench import StreetBench, on_test_kernel

HERE = Path(__file__).parent
NOT_TESTED = "not tested: "
_skipped: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench", default="sim", help="sim (the street), or kernel (on the test kernel only)")


def features(name: str) -> frozenset[str]:
    """What the bench of that name can do."""
    everything = frozenset(FEATURES)
    return {"sim": everything - {"kernel"}, "kernel": everything}[name]


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--bench")
    if name not in ("sim", "kernel"):
        raise pytest.UsageError(f"there is no bench {name!r}: sim or kernel (a bench of real lines is not built yet)")
    if name == "kernel" and not on_test_kernel():
        raise pytest.UsageError("the bench `kernel` runs on the test kernel only: make vm-test")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for feature in FEATURES:
        if item.get_closest_marker(f"needs_{feature}") and feature not in features(item.config.getoption("--bench")):
            pytest.skip(f"{NOT_TESTED}this bench has no {feature.replace('_', ' ')}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.append(report.nodeid.rpartition("/")[2])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name in _skipped:
        terminalreporter.write_line(f"not tested: {name}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    allowed = HERE / f"not-tested-{session.config.getoption('--bench')}.txt"
    known = set(allowed.read_text().split()) if allowed.exists() else set()
    grown = sorted(set(_skipped) - known)
    if grown and session.exitstatus == 0:
        print(f"\nmore is not tested than {allowed.name} says: {', '.join(grown)}")
        session.exitstatus = 1


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The bench of this run, with a box that sees all its lines."""
    kernel = request.config.getoption("--bench") == "kernel"
    with StreetBench(tmp_path_factory.mktemp("bench"), kernel=kernel) as street:
        yield street
