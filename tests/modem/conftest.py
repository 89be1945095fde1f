"""A simulated module and the real driver on it, with everything the driver says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from firmware.clock import SystemClock
from firmware.errors import AudioDeviceError
from firmware.events import LINE_EVENTS, LineEvent
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.ports import Block, RecorderEvent
from simulator.sim_module import Quirks, SimModule

E = TypeVar("E", bound=LineEvent)


class Log:
    """An event sink that remembers, and can be waited on."""

    def __init__(self) -> None:
        self._events: list[LineEvent | RecorderEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: LineEvent | RecorderEvent, /) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def wait(self, kind: type[E], *, count: int = 1, within_s: float = 30.0) -> E:
        """The ``count``-th event of this kind."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.all(kind)) >= count, within_s):
                raise AssertionError(f"no {kind.__name__} number {count} in {within_s} s; there were {self.kinds()}")
            return self.all(kind)[count - 1]

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self._events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        """What happened to calls; alarms, and what is told of the card, come beside it."""
        return [type(event).__name__ for event in self._events if isinstance(event, LINE_EVENTS)]


class Listener:
    """Reads a driver's sound the way the recorder does; ``again``: it opens a device that was lost again, too."""

    def __init__(self, driver: AtModemLine, *, again: bool = False) -> None:
        source = driver.audio_source()
        assert source is not None
        self.source = source
        self.blocks: list[Block] = []
        self.error: Exception | None = None
        self._stop = False
        self._again = again
        source.open()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop:
                self._read()
        except Exception as error:
            self.error = error
        finally:
            self.source.close()

    def _read(self) -> None:
        try:
            block = self.source.read()
        except AudioDeviceError:
            if not self._again:
                raise
            self.source.close()
            while not self._stop:
                with suppress(AudioDeviceError):
                    self.source.open()
                    return
                time.sleep(0.1)
            return
        if block is not None:
            self.blocks.append(block)

    @property
    def pcm(self) -> bytes:
        return b"".join(block.pcm for block in self.blocks)

    @property
    def heard_bytes(self) -> int:
        """How long `pcm` is, without putting it together."""
        return sum(len(block.pcm) for block in self.blocks)

    def close(self) -> None:
        self._stop = True
        self._thread.join(30)


def eventually(check: Callable[[], bool], within_s: float = 30.0) -> None:
    """Asks again and again, ever less often: a check may be costly, and what it waits for needs the machine too."""
    until, pause_s = time.monotonic() + within_s, 0.01
    while not check():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(pause_s)
        pause_s = min(0.2, pause_s * 1.5)


@pytest.fixture
def quirks() -> Quirks:
    return Quirks(ring_every_s=2.0, boot_s=0.1)


@pytest.fixture
def module(tmp_path: Path, quirks: Quirks) -> Iterator[SimModule]:
    with SimModule("sim-1", tmp_path, quirks) as module:
        yield module


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def driver(module: SimModule, log: Log) -> Iterator[AtModemLine]:
    options = AtModemOptions(at_port=str(module.at_path), audio_port=str(module.pcm_path))
    driver = AtModemLine(LineId("sim-1"), options, log, SystemClock())
    driver.start()
    yield driver
    driver.stop()
