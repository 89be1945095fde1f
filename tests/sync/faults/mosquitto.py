"""Debian's mosquitto with a configuration of its own, to be started, killed and stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

BINARY = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Mosquitto:
    """Keeps nothing on the disk: a kill is a complete loss of its memory."""

    def __init__(self, folder: Path, *, extra: str = "", port: int | None = None) -> None:
        if BINARY is None:
            pytest.skip("mosquitto is not installed (apt install mosquitto)")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.log = folder / "mosquitto.log"
        self._conf = folder / "mosquitto.conf"
        self._extra = extra
        self.write_conf(extra)
        self._process: subprocess.Popen[bytes] | None = None

    def write_conf(self, extra: str) -> None:
        """Counts from the next start on."""
        anonymous = "" if "allow_anonymous" in extra else "allow_anonymous true\n"
        # Started by root it becomes the user mosquitto, who cannot read a test's folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        self._conf.write_text(
            f"{user}listener {self.port} 127.0.0.1\npersistence false\n{anonymous}max_inflight_messages 256\n"
            f"max_queued_messages 2000\n{extra}\n"
        )

    def start(self) -> None:
        assert BINARY is not None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([BINARY, "-c", str(self._conf)], stdout=log, stderr=log)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
                return
            time.sleep(0.02)
        raise TimeoutError(f"mosquitto does not listen: {self.log.read_text()}")

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGCONT)
            self._process.terminate()
            self._process.wait(10)
            self._process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
