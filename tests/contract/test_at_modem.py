"""The SIM module keeps the drivers' contract, on a simulated module behind two ptys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.ports import LineDriver
from simulator.sim_module import Quirks, SimModule, State
from tests.contract.suite import LineDriverContract

_BOOTS_WITHIN_S = 5.0


class ModemBench:
    """A module in a USB socket, a SIM in it, and somebody who calls."""

    name = "at-modem"
    wrong_options = (
        {},
        {"at_port": 2},
        {"at_port": "/dev/ttyUSB2", "auto_answer": "yes"},
    )

    def __init__(self, folder: Path) -> None:
        self._module = SimModule("sim-1", folder, Quirks(ring_every_s=1.0, boot_s=0.1))
        self._module.start()
        self._module.unplug()
        self.options: dict[str, Any] = {
            "at_port": str(self._module.at_path),
            "audio_port": str(self._module.pcm_path),
        }

    def plug(self) -> None:
        self._module.plug()
        until = time.monotonic() + _BOOTS_WITHIN_S
        while self._module.state is State.OFF:
            assert time.monotonic() < until, "the module did not boot"
            time.sleep(0.01)

    def unplug(self) -> None:
        self._module.unplug()

    def ring(self) -> None:
        self._module.incoming("+8613800138000")

    def give_up(self) -> None:
        self._module.caller_hangs_up()

    def answer(self, driver: LineDriver) -> None:
        """A module has no handset of its own: a person tells the box to answer."""
        driver.answer()

    def end(self) -> None:
        self._module.remote_hangs_up()

    def close(self) -> None:
        self._module.stop()


class TestAtModem(LineDriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[ModemBench]:
        bench = ModemBench(tmp_path)
        yield bench
        bench.close()
