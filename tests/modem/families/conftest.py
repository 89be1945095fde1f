"""Each kind of module the street can play, with the real driver on it, asked for by nothing but its ports."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from firmware.clock import SystemClock
from firmware.events import Answered, CallerId, LineUp
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from simulator.manuals import MANUALS
from simulator.sim_module import Quirks, SimModule
from tests.modem.conftest import Log

CALLER = "+8613800138000"
SECOND = "02155556666"

FAMILIES = {
    "sim7600": "sim7600", "a7670": "a76xx", "sim800": "sim800", "ec25": "ec2x", "m95": "m95", "huawei": "huawei",
}  # fmt: skip
"""What the street plays → what the box must take it for."""
WITH_PCM = ("sim7600", "ec25", "huawei")
"""Those whose sound comes over a tty."""


@dataclass
class Bench:
    """One module, the line on it, and what the line told."""

    model: str
    module: SimModule
    line: AtModemLine
    log: Log

    def take_call(self, number: str | None = CALLER) -> None:
        calls = len(self.log.all(Answered))
        self.module.incoming(number)
        self.log.wait(CallerId, count=calls + 1)
        self.line.answer()
        self.log.wait(Answered, count=calls + 1)


@contextmanager
def bench(model: str, quirks: Quirks | None = None) -> Iterator[Bench]:
    quirks = quirks or Quirks(ring_every_s=1.6, boot_s=0.05, data_call=model == "ec25")
    with tempfile.TemporaryDirectory() as folder, SimModule("sim-1", folder, quirks, model=model) as module:
        log = Log()
        audio = str(module.pcm_path) if model in WITH_PCM else None
        options = AtModemOptions(at_port=str(module.at_path), audio_port=audio)
        line = AtModemLine(LineId("sim-1"), options, log, SystemClock())
        line.start()
        try:
            log.wait(LineUp, within_s=60)
            yield Bench(model, module, line, log)
        finally:
            line.stop()


@pytest.fixture
def every_family() -> Callable[..., None]:
    """Plays a scenario on all families at once: one after the other takes six times as long."""

    def play(
        scenario: Callable[[Bench], None],
        quirks: Callable[[], Quirks] | None = None,
        models: tuple[str, ...] = tuple(sorted(MANUALS)),
    ) -> None:
        def one(model: str) -> None:
            with bench(model, quirks() if quirks else None) as b:
                scenario(b)

        with ThreadPoolExecutor(len(models)) as pool:
            results = {model: pool.submit(one, model) for model in models}
        wrong = {model: error for model, result in results.items() if (error := result.exception()) is not None}
        assert not wrong, "\n".join(f"{model}: {error!r}" for model, error in wrong.items())

    return play


Play = Callable[..., None]
