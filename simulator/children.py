"""The demo's child processes: started with a log each, started again when they die, stopped in time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from firmware.errors import OffhookError

_STOP_DEADLINE_S = 20.0
_REST_OVER_S = 2.0


class ChildError(OffhookError):
    """A process of the demo did not come up or does not stay up."""


class Child:
    """One process. It leads a session of its own, so that Ctrl-C in the terminal ends only the demo, which stops it."""

    def __init__(self, name: str, command: list[str], *, log: Path, env: dict[str, str]) -> None:
        self.name = name
        self.log = log
        self.restarts = 0
        self._command = command
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # commands of this module's callers
                self._command,
                env={**os.environ, **self._env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def revive(self) -> bool:
        """Starts it again when it has died; True then."""
        if self._process is None or self._process.poll() is None:
            return False
        self.restarts += 1
        self.start()
        return True

    def died(self) -> int | None:
        """Its exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait_until(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Raises `ChildError` with the end of its log when it is not ``ready`` in time."""
        end = time.monotonic() + deadline_s
        while not ready():
            if self.died() is not None or time.monotonic() > end:
                what = f"ended with code {self.died()}" if self.died() is not None else f"not ready in {deadline_s:g} s"
                raise ChildError(f"the {self.name} is {what}; the end of its log {self.log}:\n{self.tail()}")
            time.sleep(0.1)

    def wait_until_at_rest(self, share: float, deadline_s: float) -> bool:
        """Returns when it needs less than ``share`` of a processor, measured over 2 s; False when it never did."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            before_s, since_s = self._cpu_s(), time.monotonic()
            time.sleep(_REST_OVER_S)
            if self._cpu_s() - before_s < share * (time.monotonic() - since_s):
                return True
        return False

    def _cpu_s(self) -> float:
        """Processor time of it so far, with all its threads; 0 when it has died."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime of proc(5)

    def stop(self) -> int | None:
        """Asks it to stop, then makes it. Returns its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            code = self._process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            code = self._process.wait(5.0)
        self._process = None
        return code

    def tail(self, lines: int = 20) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def write_pids(path: Path, children: list[Child]) -> None:
    """Who is who, for a person (or a bench) that wants to kill one of them."""
    path.write_text(json.dumps({child.name: child.pid for child in children}))
