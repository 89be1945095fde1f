"""The box as a person has it: its folders, its processes, and what its command line prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from firmware.errors import OffhookError, RequestError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from simulator.children import Child

_COMMAND_DEADLINE_S = 180.0


class BoxError(OffhookError):
    """A command of the box failed."""


class BoxUnderTest:
    """Runs ``offhook`` on folders of its own; ``env`` tells it where its devices are."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.data = folder / "data"
        self.run_dir = folder / "run"
        self._logs = folder
        self._env = {**env, "OFFHOOK_DATA": str(self.data), "OFFHOOK_RUN": str(self.run_dir), "PYTHONUNBUFFERED": "1"}
        self.data.mkdir(parents=True, exist_ok=True)
        self.run_dir.mkdir(parents=True, exist_ok=True)

    @property
    def socket(self) -> Path:
        return self.run_dir / "recorder.sock"

    def command(self, *words: str, well: tuple[int, ...] = (0,)) -> str:
        """What ``offhook <words>`` prints. Raises `BoxError` when its exit code is not in ``well``."""
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "cli.main", *words],
            env={**os.environ, **self._env},
            capture_output=True,
            text=True,
            timeout=_COMMAND_DEADLINE_S,
            check=False,
        )
        if done.returncode not in well:
            raise BoxError(f"offhook {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def child(self, name: str, *words: str, before: tuple[str, ...] = ()) -> Child:
        """A process of the box, with the words of ``before`` before it; its output goes to ``<name>.log``."""
        command = [*before, sys.executable, "-m", "cli.main", *words]
        return Child(name, command, log=self._logs / f"{name}.log", env=self._env)

    def calls(self, since: datetime) -> list[dict[str, Any]]:
        """The calls that began after ``since``, oldest first."""
        printed = self.command("calls", "--since", since.isoformat(), "--limit", "100000", "--json")
        listed: list[dict[str, Any]] = json.loads(printed)["calls"]
        return listed[::-1]

    def ledger(self, since: datetime) -> dict[str, Any]:
        printed = self.command("ledger", "--since", since.isoformat(), "--json", well=(0, 1))
        ledger: dict[str, Any] = json.loads(printed)
        return ledger

    def state(self) -> dict[str, Any] | None:
        """The recorder's full state; None while it does not answer."""
        try:
            with RecorderClient(self.socket) as client:
                return client.request("state")
        except (RecorderUnreachableError, RequestError):
            return None

    def lines_present(self, expected: set[str]) -> bool:
        """All of ``expected`` are in the recorder's sight and heard."""
        lines = (self.state() or {}).get("lines", [])
        return expected <= {line["id"] for line in lines if line["present"] and line["sound"] != "lost"}

    def decode(self, path: str) -> tuple[npt.NDArray[np.floating], int]:
        """The samples (frames x channels) and rate of a sealed file of the data folder."""
        samples, rate_hz = soundfile.read(self.data / path, dtype="float64", always_2d=True)
        return samples, int(rate_hz)
