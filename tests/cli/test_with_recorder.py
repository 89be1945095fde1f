"""The commands that talk to a running recorder: the real one, in a process of its own, without any device."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import ROOT, Shell

SETTINGS = """# my box
[box]
name = "Front"

[[lines]]
id = "sim-1"
driver = "at-modem"
[lines.options]
at_port = "{0}/tty-at"
audio_port = "{0}/tty-audio"
family = "sim7600"
"""


class Recorder:
    """``offhook run`` as systemd starts it, with somebody listening to its notifications."""

    def __init__(self, shell: Shell) -> None:
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(shell.run_dir / "notify"))
        self._notify.settimeout(30)
        shell("migrate")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "run"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "OFFHOOK_DATA": str(shell.data),
                "OFFHOOK_RUN": str(shell.run_dir),
                "NOTIFY_SOCKET": str(shell.run_dir / "notify"),
            },
        )

    def wait_for(self, word: str, deadline_s: float = 30.0) -> str:
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            message = self._notify.recv(4096).decode()
            if word in message:
                return message
        raise AssertionError(f"the recorder never said {word}")

    def stop(self) -> str:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        self._notify.close()
        return said


@pytest.fixture
def recorder(shell: Shell) -> Iterator[Recorder]:
    recorder = Recorder(shell)
    recorder.wait_for("READY=1")
    yield recorder
    recorder.stop()


def test_settings_are_applied_shown_and_refused(shell: Shell, recorder: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(SETTINGS.format(tmp_path))
    assert shell.json("config", "show") == {"version": 0, "document": ""}
    assert shell("config", "apply", file).stdout == "settings version 1 is in force\n"
    assert shell.json("config", "show") == {"version": 1, "document": file.read_text()}
    assert shell("config", "export").stdout == file.read_text()

    stale = shell("config", "apply", "--base-version", "0", file)
    assert stale.returncode == 4
    assert "version 1 is in force" in stale.stderr

    wrong = shell("config", "apply", "-", stdin="[boks]\n[recording]\npreroll_s = 31\n")
    assert wrong.returncode == 4
    assert "boks: there is no such setting; did you mean 'box'?" in wrong.stdout
    assert "recording.preroll_s: must be 0 to 30, not 31.0" in wrong.stdout
    assert shell.json("config", "show")["version"] == 1

    (line,) = shell.json("lines")["lines"]
    assert (line["id"], line["driver"], line["present"]) == ("sim-1", "at-modem", False)
    assert "not seen" in shell("lines").stdout

    deadline = time.monotonic() + 10
    while not (alarms := shell.json("alarms")["alarms"]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert shell("alarms", "ack", alarms[0]["id"]).returncode == 0
    assert any(alarm["acknowledged_utc_ms"] for alarm in shell.json("alarms")["alarms"])

    recorder.stop()
    assert shell.json("config", "show")["version"] == 1
    assert shell("lines").returncode == 3


def test_found_devices_are_listed(shell: Shell, recorder: Recorder) -> None:
    assert shell("lines", "found").returncode == 0
    assert isinstance(shell.json("lines", "found")["devices"], list)


def test_a_clean_stop_is_told_to_systemd_and_exits_0(shell: Shell, recorder: Recorder) -> None:
    recorder.process.send_signal(signal.SIGTERM)
    recorder.wait_for("STOPPING=1")
    assert recorder.process.wait(30) == 0
    assert not (shell.run_dir / "recorder.sock").exists()


def test_a_second_recorder_is_refused_and_the_first_goes_on(shell: Shell, recorder: Recorder) -> None:
    second = shell("run")
    assert second.returncode != 0
    assert f"process {recorder.process.pid}" in second.stderr
    assert shell("lines").returncode == 0


def test_a_wrong_first_boot_file_stops_the_start_with_every_fault(shell: Shell) -> None:
    (shell.data / "first-boot.toml").write_text("[boks]\n[recording]\npreroll_s = 31\n")
    recorder = Recorder(shell)
    try:
        assert recorder.process.wait(30) != 0
    finally:
        said = recorder.stop()
    assert "first-boot.toml: boks: there is no such setting; did you mean 'box'?" in said
    assert "preroll_s: must be 0 to 30, not 31.0" in said
    assert "Traceback" not in said


def test_a_first_boot_file_is_in_force_from_the_first_moment(shell: Shell, tmp_path: Path) -> None:
    (shell.data / "first-boot.toml").write_text(SETTINGS.format(tmp_path))
    recorder = Recorder(shell)
    try:
        recorder.wait_for("READY=1")
        assert [line["id"] for line in shell.json("lines")["lines"]] == ["sim-1"]
    finally:
        recorder.stop()


def test_the_sync_process_says_honestly_that_there_is_no_cloud(shell: Shell) -> None:
    shell("migrate")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(shell.run_dir / "notify"))
    notify.settimeout(20)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "--data", str(shell.data), "sync", "run"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NOTIFY_SOCKET": str(shell.run_dir / "notify")},
    )
    try:
        assert notify.recv(4096).decode() == (
            "READY=1\nSTATUS=no cloud is configured; 0 messages and 0 recordings (0.0 MB) are kept for one"
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate(timeout=20)
        notify.close()


def test_orders_that_a_line_cannot_follow_are_refused_with_the_reason(shell: Shell, tmp_path: Path) -> None:
    """A line board that is not there: this machine has no GPIO."""
    (shell.data / "first-boot.toml").write_text(
        '[[lines]]\nid = "fxo-1"\ndriver = "fxo-gpio"\n[lines.options]\nprofile = "two-line-hat"\n'
    )
    recorder = Recorder(shell)
    try:
        recorder.wait_for("READY=1")
        for order in (("dial", "fxo-1", "10086"), ("answer", "fxo-1"), ("hangup", "fxo-1"), ("flash", "fxo-1")):
            refused = shell("lines", *order)
            assert refused.returncode == 4, order
            assert "line fxo-1 is not connected" in refused.stderr
        unknown = shell("lines", "dial", "fxo-9", "10086")
        assert unknown.returncode == 4
        assert "no line is called fxo-9" in unknown.stderr
        for prompt in ("welcome", "../secret"):
            refused = shell("lines", "play", "fxo-1", prompt)
            assert refused.returncode == 4
            assert "prompt" in refused.stderr
    finally:
        recorder.stop()
