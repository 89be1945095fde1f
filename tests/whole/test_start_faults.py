"""Starts that must not succeed, and one that must: each says in words what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.box import BoxError, BoxUnderTest
from tests.whole.house import House


def offhook(box: BoxUnderTest, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "--data", str(box.data), "--run-dir", str(box.run_dir), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_wrong_settings_stop_the_start_with_all_faults_at_once(tmp_path: Path) -> None:
    box = BoxUnderTest(tmp_path, {})
    box.command("migrate")
    (box.data / "first-boot.toml").write_text(
        '[box]\nnmae = "x"\n[recording]\npreroll_s = 99\n[[lines]]\nid = "a"\ndriver = "fxo-gpo"\n'
    )
    ended = offhook(box, "run")
    assert ended.returncode == 1
    for said in ("nmae", "name", "preroll_s", "fxo-gpo", "fxo-gpio"):
        assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.sound
def test_a_second_instance_is_refused_and_the_first_lives_on(build: Callable[..., House]) -> None:
    house = build(sim=["sim-1"])
    house.begin()
    with pytest.raises(BoxError, match="another recorder"):
        house.box.command("run")
    state: dict[str, Any] | None = house.box.state()
    assert state is not None
    assert state["lines"][0]["present"]


def test_no_database_says_what_to_run(tmp_path: Path) -> None:
    ended = offhook(BoxUnderTest(tmp_path, {}), "run")
    assert ended.returncode == 1
    assert "offhook migrate" in ended.stderr
