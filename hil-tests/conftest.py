"""Chooses the bench, skips what it cannot do as "not tested", and fails when more of it is skipped than listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hil import real_bench
from hil.bench import FEATURES, Bench
from hil.street_bench import StreetBench, on_test_kernel

HERE = Path(__file__).parent
NOT_TESTED = "not tested: "
_REAL: pytest.StashKey[real_bench.BenchFile] = pytest.StashKey()
_skipped: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench", default="sim", help="sim (the street), kernel (on the test kernel only), or FILE.toml")


def features(config: pytest.Config) -> frozenset[str]:
    """What the bench of this run can do."""
    everything = frozenset(FEATURES)
    if config.stash.get(_REAL, None) is not None:
        return config.stash[_REAL].features
    return everything - {"browser" if config.getoption("--bench") == "kernel" else "kernel"}


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--bench")
    if name == "kernel" and not on_test_kernel():
        raise pytest.UsageError("the bench `kernel` runs on the test kernel only: make vm-test")
    if name.endswith(".toml"):
        try:
            config.stash[_REAL] = real_bench.load(Path(name))
        except real_bench.BenchFileError as error:
            raise pytest.UsageError(str(error)) from error
    elif name not in ("sim", "kernel"):
        raise pytest.UsageError(f"there is no bench {name!r}: sim, kernel, or a file bench.toml of real lines")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for feature in FEATURES:
        if item.get_closest_marker(f"needs_{feature}") and feature not in features(item.config):
            pytest.skip(f"{NOT_TESTED}this bench has no {feature.replace('_', ' ')}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.append(report.nodeid.rpartition("/")[2])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name in _skipped:
        terminalreporter.write_line(f"not tested: {name}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    bench = "real" if session.config.stash.get(_REAL, None) is not None else session.config.getoption("--bench")
    allowed = HERE / f"not-tested-{bench}.txt"
    known = set(allowed.read_text().split()) if allowed.exists() else set()
    grown = sorted(set(_skipped) - known)
    if grown and session.exitstatus == 0:
        print(f"\nmore is not tested than {allowed.name} says: {', '.join(grown)}")
        session.exitstatus = 1


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The bench of this run, with a box that sees all its lines."""
    folder = tmp_path_factory.mktemp("bench")
    file = request.config.stash.get(_REAL, None)
    if file is not None:
        with real_bench.RealBench(file, folder) as real:
            yield real
        return
    kernel = request.config.getoption("--bench") == "kernel"
    with StreetBench(folder, kernel=kernel) as street:
        yield street
