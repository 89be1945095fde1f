"""With no settings at all: a module is plugged into a running box, and its call is recorded. No file is edited."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.sim_module import Quirks, SimModule
from simulator.usb_bus import UsbBus

OFFHOOK = str(Path(sys.executable).with_name("offhook"))


class Box:
    """A recorder with an empty data folder, on the simulated USB bus."""

    def __init__(self, folder: Path, bus: UsbBus) -> None:
        folders = {"OFFHOOK_DATA": str(folder / "data"), "OFFHOOK_RUN": str(folder / "run")}
        for path in folders.values():
            Path(path).mkdir()
        self._socket = folder / "run" / "recorder.sock"
        self._environment = {**os.environ, **folders, "PYTHONWARNINGS": "ignore"}
        self.asked("migrate")
        self.recorder = subprocess.Popen([OFFHOOK, "run"], env={**self._environment, **bus.environment})

    def asked(self, *arguments: str) -> str:
        """What it prints; nothing while the box is not up yet."""
        command = [OFFHOOK, *arguments]
        done = subprocess.run(command, env=self._environment, check=False, capture_output=True, text=True, timeout=20)
        return done.stdout

    def listed(self, what: str) -> list[dict[str, Any]]:
        said = self.asked(what, "--json")
        return json.loads(said)[what] if said else []

    def order(self, **command: str) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._socket))
            connection.sendall(json.dumps({"id": 1, **command}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile().readline())
            return answer

    def stop(self) -> None:
        self.recorder.terminate()
        assert self.recorder.wait(20) == 0


def until(check: Callable[[], bool], within_s: float = 20.0) -> None:
    end_s = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < end_s, "it did not come true in time"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_module_plugged_into_a_box_without_settings_is_recorded(tmp_path: Path) -> None:
    voice = (8000 * np.sin(2 * np.pi * 700 * np.arange(8000 * 8) / 8000)).astype("<i2").tobytes()
    with UsbBus() as bus, SimModule("module", tmp_path, Quirks(boot_s=0.1)) as module:
        box = Box(tmp_path, bus)
        try:
            bus.plug_sim7600("1-1.2", at=module.at_path, pcm=module.pcm_path, first_tty=0)
            until(lambda: [line["id"] for line in box.listed("lines") if line["present"]] == ["sim-1"])
            module.incoming("+8613800138000")
            until(lambda: any(line["phase"] == "ringing" for line in box.listed("lines")))
            assert box.order(cmd="line.answer", line="sim-1")["ok"]
            until(lambda: module.pcm_on)
            module.downlink(voice)
            assert box.order(cmd="line.digits", line="sim-1", digits="12#")["ok"]
            until(lambda: module.dtmf_sent == "12#")
            assert not box.order(cmd="line.digits", line="sim-1", digits="12 34")["ok"]
            time.sleep(4)
            module.remote_hangs_up()
            until(lambda: all(line["phase"] == "idle" for line in box.listed("lines")))
            assert box.order(cmd="line.digits", line="sim-1", digits="1")["error"]["code"] == "wrong_phase"
            until(lambda: [r["status"] for call in box.listed("calls") for r in call["recordings"]] == ["sealed"])
            (call,) = box.listed("calls")
        finally:
            box.stop()
    assert (call["line"], call["number"], call["outcome"]) == ("sim-1", "+8613800138000", "answered")
    (recording,) = call["recordings"]
    assert recording["roles"] == ["remote", "local"]
    assert recording["levels"][0]["active_s"] >= 3
    assert recording["gaps"] == []


@pytest.mark.slow
def test_a_module_pulled_in_mid_call_leaves_a_sealed_recording_and_is_soon_back(tmp_path: Path) -> None:
    voice = (8000 * np.sin(2 * np.pi * 700 * np.arange(8000 * 8) / 8000)).astype("<i2").tobytes()
    with UsbBus() as bus, SimModule("module", tmp_path, Quirks(boot_s=0.1)) as module:
        box = Box(tmp_path, bus)
        try:
            bus.plug_sim7600("1-1.2", at=module.at_path, pcm=module.pcm_path, first_tty=0)
            until(lambda: [line["id"] for line in box.listed("lines") if line["present"]] == ["sim-1"])
            module.incoming("+8613800138000")
            until(lambda: any(line["phase"] == "ringing" for line in box.listed("lines")))
            assert box.order(cmd="line.answer", line="sim-1")["ok"]
            until(lambda: module.pcm_on)
            module.downlink(voice)
            time.sleep(4)
            module.unplug()
            bus.unplug("1-1.2")
            until(lambda: [r["status"] for call in box.listed("calls") for r in call["recordings"]] == ["sealed"])
            (call,) = box.listed("calls")
            assert call["status"] == "suspended"  # it may go on: the module may only have lost its power
            module.plug()
            bus.plug_sim7600("1-1.2", at=module.at_path, pcm=module.pcm_path, first_tty=5)
            plugged_s = time.monotonic()
            until(lambda: any(line["present"] for line in box.listed("lines")))
            assert time.monotonic() - plugged_s < 20
            until(lambda: box.listed("calls")[-1]["status"] == "ended")
            (call,) = box.listed("calls")
            module.incoming("+8613800138001")
            until(lambda: any(line["phase"] == "ringing" for line in box.listed("lines")))
            module.remote_hangs_up()
        finally:
            box.stop()
    assert call["outcome"] == "answered"
    assert "interrupted" in call["flags"]
    assert call["recordings"][0]["levels"][0]["active_s"] == pytest.approx(4, abs=1)
