"""The demo's checked run: exit code 0 when the box told the truth, 1 with the difference named when it did not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import simulator
from simulator.demo import free_port, street_lines

pytestmark = [pytest.mark.slow, pytest.mark.sound]

SCENARIOS = Path(simulator.__file__).parent / "scenarios"


def demo(*options: str, in_background: bool = False) -> subprocess.Popen[str]:
    """``in_background``: as a script's shell starts it with ``&``, which has it ignore SIGINT."""
    command = [sys.executable, "-m", "cli.main", "demo", *options]
    if in_background:
        command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def processes_of(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def test_a_quick_checked_run_holds_and_leaves_nothing_running(tmp_path):
    run = demo("--scenario", str(SCENARIOS / "quick.toml"), "--no-web", "--dir", str(tmp_path))
    output, _ = run.communicate(timeout=110)
    assert run.returncode == 0, output
    assert "nothing missing, nothing extra" in output
    assert "2 heard" in output
    assert processes_of(tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(420)
def test_every_kind_of_module_tells_the_same_story_as_the_street(tmp_path):
    """Six families at once: answered, dialled, missed, rejected, busy, unanswered, and a second caller taken or not."""
    kinds = "sim7600,a7670,sim800,ec25,m95,huawei"
    run = demo(
        "--no-boards", "--no-web", "--no-cloud", "--modules", kinds,
        "--scenario", str(SCENARIOS / "every-module.toml"), "--dir", str(tmp_path),
    )  # fmt: skip
    output, _ = run.communicate(timeout=400)
    assert run.returncode == 0, output
    assert "nothing missing, nothing extra" in output


def test_a_run_that_was_broken_off_is_not_a_passed_one_and_leaves_nothing_running(tmp_path):
    run = demo("--once", "--calls", "4", "--no-web", "--dir", str(tmp_path), in_background=True)
    end = time.monotonic() + 60
    while not (tmp_path / "street" / "street.json").exists() or "recorder" not in _children(tmp_path):
        assert time.monotonic() < end
        assert run.poll() is None
        time.sleep(0.1)
    recorder = _children(tmp_path)["recorder"]
    time.sleep(4)
    os.kill(recorder, signal.SIGKILL)
    time.sleep(2)
    assert _children(tmp_path)["recorder"] != recorder, "a recorder that died is started again"
    run.send_signal(signal.SIGTERM)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 1, output
    assert "Stopping ..." in output
    assert processes_of(tmp_path) == []


def _children(folder: Path) -> dict[str, int]:
    path = folder / "children.json"
    children: dict[str, int] = json.loads(path.read_text() or "{}") if path.exists() else {}
    return children


def test_the_street_plays_what_is_missing():
    module = {"id": "sim-1", "driver": "at-modem"}
    board = {"id": "fxo-1", "driver": "fxo-gpio"}
    assert street_lines([]) == {"fxo-gpio": ["fxo-1", "fxo-2"], "at-modem": ["sim-1", "sim-2"]}
    assert street_lines([module]) == {"fxo-gpio": ["fxo-1", "fxo-2"], "at-modem": ["sim-2"]}
    assert street_lines([board, board | {"id": "fxo-2"}]) == {"fxo-gpio": [], "at-modem": ["sim-1", "sim-2"]}


def test_a_taken_port_is_replaced_by_a_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) not in (0, port)
