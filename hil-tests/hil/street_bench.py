"""The benches `sim` and `kernel`: the street outside, on any machine or on the test kernel's hardware."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from firmware.ipc.client import RecorderClient
from hil.bench import Played
from simulator import scenario
from simulator.compare import listen, pair
from simulator.demo import Demo, Wishes
from simulator.scenario import CallPlan, Scenario

_CALL_DEADLINE_S = 150.0
_HOST = Path("/run/host")
ON_TEST_KERNEL = "OFFHOOK_ON_TEST_KERNEL"


class StreetBench:
    """A box and a street of its own, started once for the whole suite. A context manager."""

    def __init__(self, folder: Path, *, kernel: bool) -> None:
        self.name = "kernel" if kernel else "sim"
        self.has = frozenset({"second_line", "power_switch", "sim", "analog"} | ({"kernel"} if kernel else set()))
        self._folder = folder
        self._demo = Demo(Wishes(once=True, page=False, kernel=kernel), folder, Console(quiet=True))

    def __enter__(self) -> StreetBench:
        self._demo.start()
        return self

    def __exit__(self, *_: object) -> None:
        faults = self._demo.stop()
        if self.name == "kernel":
            self._keep_logs()
        assert not faults, faults

    def _keep_logs(self) -> None:
        """Out of the guest, whose files are gone with it; `vm.py --out` keeps the folder."""
        for log in self._folder.glob("*.log"):
            shutil.copy(log, _HOST)

    @property
    def folder(self) -> Path:
        return self._folder

    def play(self, *plans: CallPlan) -> Played:
        before = len(self._demo.journal())
        known = {call["id"] for call in self._demo.box.calls(datetime.fromtimestamp(0, UTC))}
        self._demo.street("run", scenario=scenario.to_data(Scenario(name="suite", calls=plans)))
        end = time.monotonic() + _CALL_DEADLINE_S
        while self._demo.street("status")["running"]:
            assert time.monotonic() < end, f"the calls are not over after {_CALL_DEADLINE_S:g} s"
            time.sleep(0.3)
        calls = [call for call in self._demo.sealed_calls() if call["id"] not in known]
        return Played(pair(self._demo.journal()[before:], calls), self._demo.ledger())

    def line(self, line: str) -> dict[str, Any]:
        return next(one for one in self.ask("state")["lines"] if one["id"] == line)

    def listen(self, played: Played, line: str) -> list[str]:
        (one,) = [pair for pair in played.pairing.pairs if pair.street.line == line]
        return listen(one, self._demo.box.decode)[1]

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        with RecorderClient(self._demo.box.socket) as client:
            return client.request(command, **arguments)


def on_test_kernel() -> bool:
    """vm.py says so: nowhere else may kernel modules be loaded and devices be made."""
    return os.environ.get(ON_TEST_KERNEL) == "1"
