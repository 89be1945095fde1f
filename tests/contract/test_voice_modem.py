"""The voice modem keeps the drivers' contract, on a simulated modem behind a pty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.ports import LineDriver
from simulator.voice_modem import VoiceModem
from tests.contract.suite import LineDriverContract


class VoiceModemBench:
    """A modem at a telephone socket, and somebody who calls."""

    name = "voice-modem"
    wrong_options: tuple[dict[str, Any], ...] = ({}, {"port": ""}, {"port": "/dev/ttyACM0", "family": "usr"})

    def __init__(self, folder: Path) -> None:
        self._modem = VoiceModem(folder / "modem")
        self.options: dict[str, Any] = {"port": str(folder / "modem")}

    def plug(self) -> None:
        self._modem.plug()

    def unplug(self) -> None:
        self._modem.unplug()

    def ring(self) -> None:
        self._modem.ring()

    def give_up(self) -> None:
        self._modem.give_up()

    def answer(self, driver: LineDriver) -> None:
        driver.answer()

    def end(self) -> None:
        """The far end hangs up: the exchange sends busy tone."""
        self._modem.event("b")

    def close(self) -> None:
        self._modem.close()


class TestVoiceModem(LineDriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[VoiceModemBench]:
        bench = VoiceModemBench(tmp_path)
        yield bench
        bench.close()
