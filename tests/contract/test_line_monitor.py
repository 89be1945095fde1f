"""The line monitor keeps the drivers' contract, on a pty that talks like a Whozz Calling unit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.ports import LineDriver
from firmware.worker import Worker
from simulator.whozz import WhozzMonitor
from tests.contract.suite import LineDriverContract


class MonitorBench:
    """A monitor with one telephone line on its second socket, and somebody else's line on its first."""

    name = "line-monitor"
    wrong_options: tuple[dict[str, Any], ...] = (
        {},
        {"port": ""},
        {"port": "/dev/ttyUSB0", "socket": 0},
        {"port": "/dev/ttyUSB0", "audio_device": "plughw:1", "audio_channel": 2, "audio_channels": 2},
    )

    def __init__(self, folder: Path) -> None:
        self._monitor = WhozzMonitor(folder / "monitor")
        self.options: dict[str, Any] = {"port": str(folder / "monitor"), "socket": 2}
        self._ringing: Worker | None = None

    def plug(self) -> None:
        self._monitor.plug()

    def unplug(self) -> None:
        self._monitor.unplug()

    def ring(self) -> None:
        self._ringing = Worker("office-ringing", self._ring)
        self._ringing.start()

    def give_up(self) -> None:
        if self._ringing is not None:
            self._ringing.stop()
            self._ringing = None

    def answer(self, driver: LineDriver) -> None:
        self.give_up()
        self._monitor.lifted(2)

    def end(self) -> None:
        self._monitor.put_back(2)
        self._monitor.call_ends("021-5555-0001", line=2, seconds=1)

    def close(self) -> None:
        self.give_up()
        self.unplug()

    def _ring(self, stop: threading.Event) -> None:
        first = True
        while not stop.is_set():
            self._monitor.lifted(1)
            self._monitor.rings(2)
            stop.wait(1.0)
            if first:
                self._monitor.call_begins("021-5555-0001", line=2)
            first = False
            stop.wait(1.0)


class TestLineMonitor(LineDriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[MonitorBench]:
        bench = MonitorBench(tmp_path)
        yield bench
        bench.close()
