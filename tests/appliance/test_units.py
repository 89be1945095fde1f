"""The units of the image beside those of `systemd/`: correct, no more exposed than promised, and all files there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "image-build/files"
UNITS = sorted((FILES / "usr/lib/systemd/system").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MOST_EXPOSED = 4.5
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@needs_systemd
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    for unit in UNITS:
        text = re.sub(r"/usr/(?:bin/offhook|lib/offhook-box/[a-z-]+)", "/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    checked = run("systemd-analyze", "verify", "--man=no", *(str(path) for path in sorted(tmp_path.iterdir())))
    assert [line for line in checked.stderr.splitlines() if "offhook" in line] == []


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_exposure_is_at_most_what_is_promised(unit: Path) -> None:
    measured = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
    figure = re.search(r"Overall exposure level for \S+: ([\d.]+)", measured.stdout)
    assert figure is not None, measured.stderr
    assert float(figure[1]) <= MOST_EXPOSED
    if run("systemd-analyze", "--version").stdout.startswith("systemd 252 "):
        row = f"| `{unit.stem}` | {figure[1]} |"
        assert row in (ROOT / "docs/security.md").read_text(), f"docs/security.md has no line {row}"


def test_every_program_of_ours_that_a_unit_starts_is_there() -> None:
    for unit in SERVICES:
        for script in re.findall(r"^Exec\w+=/usr/lib/offhook-box/(\S+)", unit.read_text(), re.MULTILINE):
            path = FILES / "usr/lib/offhook-box" / script
            assert path.stat().st_mode & 0o111, path


@pytest.mark.parametrize("script", sorted((FILES / "usr/lib/offhook-box").iterdir()), ids=lambda script: script.name)
def test_scripts_of_the_box_parse(script: Path) -> None:
    assert run("sh", "-n", str(script)).returncode == 0


def test_every_user_of_the_box_has_the_same_number_in_every_version() -> None:
    fixed = (FILES / "usr/lib/sysusers.d/00-offhook-ids.conf").read_text()
    for user in re.findall(r"^u (\S+)", (ROOT / "systemd/sysusers.d/offhook.conf").read_text(), re.MULTILINE):
        assert re.search(rf"^u {user}\s+4[01]\d\s", fixed, re.MULTILINE), f"{user} needs a number of its own"
    numbers = re.findall(r"^[ug] \S+\s+(\d+)", fixed, re.MULTILINE)
    assert len(numbers) == len(set(numbers))
