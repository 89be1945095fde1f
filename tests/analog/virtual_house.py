"""The recorder's own parts in a time of the test's making, from pins and an ALSA device to the rows of its database.

Real: the line keeper, the hat's driver on its own thread with gpiozero and the GPIO factory under it, pyalsaaudio on an
ALSA device, the decoders, the core loop, the store. Outside, and made here: a GPIO chip in memory, the sound that the
ALSA device plays, and time. Only the recorder of sound is left out: nothing here listens to recordings.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpiozero
import numpy as np
from gpiod.line import Edge

from firmware.analog.fxo import FxoLine, FxoOptions
from firmware.analog.profile import load_profile
from firmware.config import parse
from firmware.drivers import DRIVERS
from firmware.effects import ListenFor, StartRecording, StopRecording
from firmware.gpio.gpiod_factory import GpiodFactory
from firmware.line_keeper import LineKeeper
from firmware.live import LiveView
from firmware.model import Instant, LineId, RecordingId
from firmware.ports import AudioSource, EventSink, LineListener
from firmware.runtime import Runtime
from firmware.store.database import open_reader
from firmware.store.migrate import migrate
from firmware.store.queries import ledger, list_calls, standing_alarms
from firmware.store.transaction import Row
from firmware.store.writer import StoreWriter
from tests.analog.virtual_time import START, VirtualTime
from tests.gpio.fake_chip import FakeChip, FakeChips, FakeRequest

LINE = LineId("fxo-1")
PROFILE = "two-line-hat"
STEP_S = 0.25
"""A period of the sound device."""
_FRAMES = round(STEP_S * 8000)
_LATE_S = 0.02
"""A kernel that is busy delivers edges so late; they bear the moments at which they happened."""
_ALSA = """
pcm.offhook_{code} {{
  type file
  slave.pcm {{ type null }}
  file "/dev/null"
  infile "{fifo}"
  format "raw"
}}
"""


class PacedFxo(FxoLine):
    """The driver as the box composes it, waiting in the test's time."""

    def __init__(self, line: LineId, options: FxoOptions, sink: EventSink, clock: VirtualTime) -> None:
        super().__init__(line, options, sink, clock, take=clock.take)


class _Request(FakeRequest):
    """Says when the last of its edges has been handled, not only read."""

    def edge(self, rising: bool, at_ns: int) -> None:
        if self.settings.edge_detection is Edge.BOTH:
            with self.chip.counting:
                self.chip.on_their_way += 1
        super().edge(rising, at_ns)

    def read_edge_events(self, max_events: int | None = None) -> Iterator[Any]:
        events = super().read_edge_events(max_events)
        yield from events
        with self.chip.counting:
            self.chip.on_their_way -= len(events)
            self.chip.counting.notify_all()


class _Chip(FakeChip):
    def __init__(self) -> None:
        super().__init__(num_lines=28)
        self.counting = threading.Condition()
        self.on_their_way = 0

    def request_lines(self, config: Any, consumer: str | None = None, event_buffer_size: int | None = None) -> Any:
        super().request_lines(config, consumer, event_buffer_size).release()
        ((offset, settings),) = config.items()
        return _Request(self, offset, settings, consumer)

    def wait_delivered(self) -> None:
        with self.counting:
            assert self.counting.wait_for(lambda: self.on_their_way == 0, 60.0), "edges did not get to the driver"


class _Factory(GpiodFactory):
    """Edges and the clock they are compared with are both of the test's time."""

    def __init__(self, chip: _Chip, time: VirtualTime) -> None:
        super().__init__(FakeChips(chip))
        self._time = time

    def ticks(self) -> float:  # type: ignore[override]
        return self._time.ticks()


class _Ears:
    """What the recorder does with a line's sound besides keeping it: reads it, and lets the decoders listen."""

    def __init__(self) -> None:
        self.source: AudioSource | None = None
        self.listener: LineListener | None = None

    def add_line(
        self, line: LineId, source: AudioSource, preroll_s: float, listener: LineListener | None = None
    ) -> None:
        self.source, self.listener = source, listener

    def remove_line(self, line: LineId) -> None:
        if self.source is not None:
            self.source.close()

    def listen(self, order: ListenFor) -> None:
        if self.listener is not None:
            self.listener.order(order)

    def start(self, order: StartRecording) -> None: ...

    def stop(self, order: StopRecording) -> None: ...

    def recover(self) -> None: ...

    def confirm(self, recording: RecordingId) -> None: ...

    def close(self, deadline_s: float) -> None: ...


@dataclass(frozen=True)
class Rows:
    """What the database holds when all is over."""

    calls: list[Row]
    """CALLs, oldest first."""
    balance: Row
    """How many ledger entries ended as what."""
    faults: list[Row]
    alarms: list[Row]


class VirtualHouse:
    """One line of a country, from `begin` to `end`."""

    def __init__(self, folder: Path, code: str, *, profile: str = PROFILE, options: str = "") -> None:
        """``profile``: of the hat; ``options``: further ones of the line, as TOML."""
        self.time = VirtualTime()
        self.before_step: Callable[[float], None] = lambda _at_s: None
        """Called with each moment at which something else than an edge may change outside (a voltage)."""
        self.outside_every_s = STEP_S
        self._profile = load_profile(profile)
        self._lines = f'profile = "{profile}"\n{options}'
        self._code = code
        self._database = folder / f"{code}.db"
        self._fifo = folder / f"{code}.fifo"
        os.mkfifo(self._fifo)
        self.alsa_config = folder / f"{code}.asound.conf"
        self.alsa_config.write_text(_ALSA.format(code=code, fifo=self._fifo))
        self._sound = os.open(self._fifo, os.O_RDWR)
        self._chip = _Chip()
        self._ears = _Ears()
        migrate(self._database, self.time)
        self._store = StoreWriter(self._database, self.time)
        self._runtime = Runtime(
            clock=self.time,
            store=self._store,
            recorder=self._ears,
            live=LiveView(self.time),
            publish=lambda _: None,
            on_turn=lambda: None,
        )
        self._keeper = LineKeeper(runtime=self._runtime, recorder=self._ears, store=self._store, clock=self.time)

    def begin(self) -> None:
        """The line is watched."""
        DRIVERS["paced-fxo"] = f"{__name__}:PacedFxo"
        gpiozero.Device.pin_factory = _Factory(self._chip, self.time)
        for sensor in ("ring", "off_hook", "polarity"):
            self._show(sensor, False, START)
        self.before_step(0.0)
        self._store.start()
        document = (
            f'[box]\ncountry = "{self._code}"\n[[lines]]\nid = "{LINE}"\ndriver = "paced-fxo"\n'
            f'[lines.options]\n{self._lines}audio_device = "offhook_{self._code}"\n'
        )
        self._keeper.apply(parse(document))
        self.time.settle(threads=1 if self._profile.port(1).voltage is None else 2)
        assert self._ears.source is not None
        self._write(np.zeros(_FRAMES, dtype="<i2"))  # what opening the device takes away
        self._write(np.zeros(_FRAMES, dtype="<i2"))
        self._ears.source.open()
        self._hear()

    def play(self, edges: Sequence[tuple[str, bool, float]], pcm: np.ndarray, until_s: float) -> None:
        """What happens on the line, in the order and at the moments it happens."""
        began = self.time.now()
        waiting = sorted(edges, key=lambda edge: edge[2])
        at = 0
        for step in range(round(until_s / STEP_S) + 1):
            end_s = (step + 1) * STEP_S
            while at < len(waiting) and waiting[at][2] <= end_s:
                last = at
                while last < len(waiting) and waiting[last][2] <= min(end_s, waiting[at][2] + _LATE_S):
                    last += 1
                self._turn_until(began.plus_s(waiting[last - 1][2]))
                for sensor, active, at_s in waiting[at:last]:
                    self._show(sensor, active, began.plus_s(at_s))
                self._chip.wait_delivered()
                self.time.settle()
                self._take_in()
                at = last
            self._turn_until(began.plus_s(end_s))
            piece = pcm[step * _FRAMES : (step + 1) * _FRAMES]
            self._write(np.pad(piece, (0, _FRAMES - len(piece))).astype("<i2"))
            self._hear()

    def end(self) -> Rows:
        """The line is given up, and the database read. Nothing of the house runs afterwards."""
        try:
            self.time.let_go()
            self._keeper.stop()
            self._ears.remove_line(LINE)
            self._take_in()
            self._store.stop(60.0)
        finally:
            gpiozero.Device.pin_factory.close()
            gpiozero.Device.pin_factory = None
            os.close(self._sound)
            del DRIVERS["paced-fxo"]
        reader = open_reader(self._database)
        try:
            entries = ledger(reader)
            return Rows(
                calls=list(reversed(list_calls(reader))),
                balance=entries["balance"],
                faults=[entry for entry in entries["entries"] if entry["fault"] is not None],
                alarms=standing_alarms(reader),
            )
        finally:
            reader.conn.close()

    def _turn_until(self, moment: Instant) -> None:
        while (left_s := moment.seconds_since(self.time.now())) > 0:
            step = min(left_s, self.outside_every_s)
            self.time.advance(self.time.now().plus_s(step))
            self.before_step(self.time.now().seconds_since(START))
        self._take_in()

    def _take_in(self) -> None:
        while not self._runtime._inbox.empty():
            self._runtime.turn(0.0)
        self._runtime.turn(0.0)  # nothing is left: the deadlines that have passed

    def _hear(self) -> None:
        source, listener = self._ears.source, self._ears.listener
        assert source is not None
        assert listener is not None
        block = None
        while block is None:  # a machine that is busy may need more than the second that one reading waits
            block = source.read()
        for event in listener.hear(block):
            self._runtime.post(event)
        self._take_in()

    def _write(self, pcm: np.ndarray) -> None:
        os.write(self._sound, pcm.tobytes())

    def _show(self, sensor: str, yes: bool, at: Instant) -> None:
        pin = getattr(self._profile.port(1), sensor)
        if pin is None:
            return  # a board without this sensor
        self._chip.drive(pin.pin, yes == pin.active_high, at.boot_ns)
