"""A newcomer follows docs/adding-a-line-driver.md to the letter: one file, one line, and the suite passes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-line-driver.md"
DRIVER, REGISTRY, TEST = (
    "firmware/analog/serial_monitor.py",
    "firmware/drivers.py",
    "tests/contract/test_serial_monitor.py",
)
_TABLE_BEGINS = "DRIVERS: dict[str, str] = {\n"
_SUITE_DEADLINE_S = 110


def _blocks() -> dict[str, str]:
    """Every Python block of the page, by the file it belongs to."""
    return dict(re.findall(r"^```python (\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project as a newcomer has it, with the blocks of the page put where the page says."""
    skip = shutil.ignore_patterns("__pycache__")
    for folder in ("firmware", "simulator"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skip)
    (tmp_path / "tests" / "contract").mkdir(parents=True)
    for file in ("pyproject.toml", "tests/contract/suite.py", "tests/contract/heard.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    blocks = _blocks()
    for file in (DRIVER, TEST):
        (tmp_path / file).write_text(blocks[file], encoding="utf-8")
    registry = tmp_path / REGISTRY
    text = registry.read_text(encoding="utf-8")
    assert text.count(_TABLE_BEGINS) == 1
    registry.write_text(text.replace(_TABLE_BEGINS, _TABLE_BEGINS + blocks[REGISTRY]), encoding="utf-8")
    return tmp_path


def test_a_driver_is_one_file_and_one_line() -> None:
    assert set(_blocks()) == {DRIVER, REGISTRY, TEST}
    assert len(_blocks()[REGISTRY].splitlines()) == 1


@pytest.mark.slow
def test_the_driver_of_the_page_passes_the_suite(checkout: Path) -> None:
    suite = subprocess.run(
        [sys.executable, "-m", "pytest", TEST, "-p", "no:cacheprovider", "--rootdir", str(checkout)],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=_SUITE_DEADLINE_S,
        check=False,
    )
    assert suite.returncode == 0, suite.stdout[-4000:] + suite.stderr[-2000:]
    passed = re.search(r"(\d+) passed", suite.stdout)
    assert passed
    assert int(passed[1]) >= 15


def test_the_files_of_the_page_are_in_the_projects_style(checkout: Path) -> None:
    for command in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        ruff = subprocess.run(
            [str(Path(sys.executable).parent / "ruff"), *command, DRIVER, REGISTRY, TEST],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ruff.returncode == 0, ruff.stdout + ruff.stderr
