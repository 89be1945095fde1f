"""The benches `sim` and `kernel`: the street outside, on any machine or on the test kernel's hardware."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
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
_FIELD_TEST_DEADLINE_S = 580.0
_HOST = Path("/run/host")
_SLOW_CARD = (
    "strace",
    "-f",
    "-qqq",
    "-o",
    "/dev/null",
    "-e",
    "trace=fdatasync",
    "-e",
    "inject=fdatasync:delay_exit=900000",
)
ON_TEST_KERNEL = "OFFHOOK_ON_TEST_KERNEL"


class StreetBench:
    """A box and a street of its own, started once for the whole suite. A context manager."""

    def __init__(self, folder: Path, *, kernel: bool) -> None:
        self.name = "kernel" if kernel else "sim"
        everything = {"second_line", "power_switch", "sim", "analog", "street"}
        self.has = frozenset(everything | {"kernel" if kernel else "browser"})
        self.lines = ("fxo-1", "fxo-2", "sim-1", "sim-2")
        self._folder = folder
        self._demo = Demo(Wishes(once=True, page=False, cloud=not kernel, kernel=kernel), folder, Console(quiet=True))

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

    def seed(self, fault: str, line: str, *, on: bool) -> None:
        self._demo.street("seed", fault=fault, line=line, on=on)

    def field_test(self, *words: str, slow_card: bool = False) -> dict[str, Any]:
        street = self._folder / "street" / "street.sock"
        helper = f"{sys.executable} -m simulator.technician --street {street} --data {self._demo.box.data}"
        printed = self._offhook("fieldtest", "--helper", helper, "--json", *words, slow_card=slow_card)
        assert printed.returncode in (0, 1), printed.stderr
        run: dict[str, Any] = json.loads(printed.stdout)["run"]
        return run

    def certificates(self) -> list[Path]:
        printed = self._offhook("fieldtest", "certificate", "--to", str(self._folder / "certificates"))
        assert printed.returncode == 0, printed.stderr
        return [Path(line) for line in printed.stdout.splitlines()]

    def verify(self, path: Path) -> int:
        return self._offhook("verify", str(path)).returncode

    def _offhook(self, *words: str, slow_card: bool = False) -> subprocess.CompletedProcess[str]:
        box = self._demo.box
        return subprocess.run(
            [*(_SLOW_CARD if slow_card else ()), sys.executable, "-m", "cli.main", *words],
            env={**os.environ, "OFFHOOK_DATA": str(box.data), "OFFHOOK_RUN": str(box.run_dir)},
            capture_output=True,
            text=True,
            timeout=_FIELD_TEST_DEADLINE_S,
            check=False,
        )

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        with RecorderClient(self._demo.box.socket) as client:
            return client.request(command, **arguments)


def on_test_kernel() -> bool:
    """vm.py says so: nowhere else may kernel modules be loaded and devices be made."""
    return os.environ.get(ON_TEST_KERNEL) == "1"
