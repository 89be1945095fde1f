"""An analog telephone line behind GPIO sensors: wires a hat's pins to the recognisers in `firmware.signals`."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from typing import ClassVar

from attrs import Attribute, field, frozen, validators
from gpiozero.exc import GPIOZeroError

from firmware.analog.pins import PortPins
from firmware.analog.profile import load_profile
from firmware.effects import LineAction
from firmware.errors import ConfigError, DeviceError
from firmware.events import LineDown, LineEvent, LineUp
from firmware.model import Instant, LineId, LineKind
from firmware.ports import AudioSource, Clock, EventSink
from firmware.signals.loop_watch import LoopWatch, Sensor
from firmware.worker import Worker

log = logging.getLogger("offhook.analog")

_RETRY_S = 2.0
_CHECK_S = 1.0
"""So often the pins are read again: finds a lost device, and an edge that the kernel had no room for."""
_LATE_EDGE_S = 0.04
"""An edge may reach us so long after its moment; what rests on there being none waits for it."""
_LOST = (OSError, GPIOZeroError, DeviceError)


def _is_a_profile(_: object, __: Attribute[str], name: str) -> None:
    try:
        load_profile(name)
    except ConfigError as error:
        raise ValueError("; ".join(error.faults)) from error


@frozen(kw_only=True)
class FxoOptions:
    """``[lines.options]`` of an analog line."""

    profile: str = field(validator=_is_a_profile)
    """Name of a hat profile (docs/hat-profiles.md), or the path of one."""
    port: int = field(default=1, validator=validators.ge(1))
    audio_device: str | None = None
    """ALSA device to hear the line on, when it is not the profile's."""
    audio_channel: int | None = field(default=None, validator=validators.optional(validators.ge(0)))
    """Its channel, from 0; the first one when not given. Only with ``audio_device``."""
    audio_channels: int | None = field(
        default=None, validator=validators.optional([validators.ge(1), validators.le(32)])
    )
    """How many it has, when more than that; lines on one card must say the same. Only with ``audio_device``."""
    country: str | None = None
    """ISO 3166 code, when it is not the box's."""
    on_hook_ms: int | None = field(
        default=None, validator=validators.optional([validators.ge(50), validators.le(2000)])
    )
    """How long the handset must lie before the call is over: raise it to 1300 where long hook flashes are used."""

    def __attrs_post_init__(self) -> None:
        ports = len(load_profile(self.profile).ports)
        if self.port > ports:
            raise ValueError(f"'port' must be at most {ports} on this board, not {self.port}")
        if self.audio_device is None and (self.audio_channel is not None or self.audio_channels is not None):
            raise ValueError("'audio_channel' and 'audio_channels' are those of 'audio_device', which is missing")
        if self.audio_channels is not None and (self.audio_channel or 0) >= self.audio_channels:
            raise ValueError(f"'audio_channel' must be below 'audio_channels' ({self.audio_channels})")


@dataclass(frozen=True, slots=True)
class _Edge:
    sensor: Sensor
    active: bool
    at: Instant


@dataclass(frozen=True, slots=True)
class _Seize:
    on: bool


class FxoLine:
    """One port of a hat. Everything but the callbacks of the pins happens on the line's own thread."""

    kind: ClassVar[LineKind] = LineKind.ANALOG
    options_type: ClassVar[type[FxoOptions]] = FxoOptions
    actions: ClassVar[frozenset[str]] = frozenset({LineAction.ANSWER.value, LineAction.HANG_UP.value})

    def __init__(self, line: LineId, options: FxoOptions, sink: EventSink, clock: Clock) -> None:
        """Raises `ConfigError` when the profile is missing or wrong."""
        self._line = line
        self._options = options
        self._sink = sink
        self._clock = clock
        profile = load_profile(options.profile)
        self._port = profile.port(options.port)
        self._timing = profile.debounce.timing(options.on_hook_ms)
        if self._port.hook_relay is None:
            # An instance can do less than its type: without a relay a line is only listened to.
            vars(self)["actions"] = frozenset()
        self._inbox: queue.SimpleQueue[_Edge | _Seize | None] = queue.SimpleQueue()
        self._worker = Worker(f"line-{line}", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.request_stop()
        self._inbox.put(None)
        self._worker.join(5.0)

    def audio_source(self) -> AudioSource | None:
        """Both sides in one channel, as on any two-wire line."""
        from firmware.audio.shared_card import card_source  # noqa: PLC0415 - a box without analog lines needs no ALSA

        audio = self._port.audio
        device, channels, channel = audio.device, audio.channels, audio.channel
        if self._options.audio_device is not None:
            channel = self._options.audio_channel or 0
            device, channels = self._options.audio_device, self._options.audio_channels or channel + 1
        return card_source(device, device_channels=channels, take=(channel,), clock=self._clock)

    def dial(self, number: str) -> None:
        raise DeviceError(f"line {self._line}: this board cannot dial {len(number)} digits; dial on the handset")

    def answer(self) -> None:
        self._order(_Seize(True), "answer")

    def hang_up(self) -> None:
        self._order(_Seize(False), "hang up")

    def _order(self, order: _Seize, what: str) -> None:
        if self._port.hook_relay is None:
            raise DeviceError(f"line {self._line}: this board has no hook relay and cannot {what}; use the handset")
        self._inbox.put(order)

    # --- on the line's thread ---------------------------------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        told_missing = False
        while not stop.is_set():
            try:
                pins = PortPins(self._port, self._take_edge, self._clock)
            except _LOST as error:
                if not told_missing:
                    told_missing = True
                    self._tell(LineDown(line=self._line, at=self._clock.now(), reason=_reason(error)))
                stop.wait(_RETRY_S)
                continue
            told_missing = False
            try:
                self._watch(pins, stop)
            except _LOST as error:
                told_missing = True
                self._tell(LineDown(line=self._line, at=self._clock.now(), reason=_reason(error)))
            finally:
                pins.close()
                self._forget_edges()
            stop.wait(0 if stop.is_set() else _RETRY_S)

    def _take_edge(self, sensor: Sensor, active: bool, at: Instant) -> None:
        self._inbox.put(_Edge(sensor, active, at))

    def _forget_edges(self) -> None:
        while not self._inbox.empty():
            self._inbox.get_nowait()

    def _watch(self, pins: PortPins, stop: threading.Event) -> None:
        """From the line's `LineUp` until it is lost or the driver stops."""
        opened = self._clock.now()
        levels = {sensor: pin.read() for sensor, pin in pins.sensors.items()}
        watch = LoopWatch(self._line, self._timing)
        for sensor, active in levels.items():
            watch.feed(sensor, active, opened)
        # Ringing and a lifted handset show themselves only over time: look before saying what the line is doing.
        settle_ms = max(2 * self._timing.ring.min_burst_ms, 2 * self._timing.hook.off_hook_ms)
        up_at: Instant | None = opened.plus_s(settle_ms / 1000)
        checked = opened
        while not stop.is_set():
            now = self._clock.now()
            wakes = [checked.plus_s(_CHECK_S), *([] if up_at is None else [up_at])]
            if (due := watch.due()) is not None:
                wakes.append(due.plus_s(_LATE_EDGE_S))
            item = self._next(min(wake.seconds_since(now) for wake in wakes))
            if item is None:
                checked = self._clock.now()
                if any(pin.read() != levels[sensor] for sensor, pin in pins.sensors.items()):
                    item = self._next(_LATE_EDGE_S)  # the edge is on its way, or it was lost
            events: list[LineEvent] = []
            if isinstance(item, _Edge):
                levels[item.sensor] = item.active
                events = watch.feed(item.sensor, item.active, item.at)
            elif isinstance(item, _Seize):
                pins.seize(item.on)
            else:
                events = self._make_up_for_lost_edges(pins, levels, watch)
                events += watch.advance(self._clock.now().plus_s(-_LATE_EDGE_S))
            if up_at is None:
                for event in events:
                    self._tell(event)
            elif self._clock.now().seconds_since(up_at) >= 0:
                up_at = None
                self._tell(LineUp(line=self._line, at=self._clock.now(), condition=watch.condition))

    def _next(self, wait_s: float) -> _Edge | _Seize | None:
        try:
            return self._inbox.get(timeout=max(0.0, wait_s))
        except queue.Empty:
            return None

    def _make_up_for_lost_edges(self, pins: PortPins, levels: dict[Sensor, bool], watch: LoopWatch) -> list[LineEvent]:
        events: list[LineEvent] = []
        for sensor, pin in pins.sensors.items():
            active = pin.read()
            if active != levels[sensor]:
                log.warning("an edge was lost", extra={"offhook": {"line": self._line, "sensor": sensor}})
                levels[sensor] = active
                events += watch.feed(sensor, active, self._clock.now())
        return events

    def _tell(self, event: LineEvent) -> None:
        if isinstance(event, LineDown):
            log.warning("line lost", extra={"offhook": {"line": self._line, "reason": event.reason}})
        self._sink(event)


def _reason(error: Exception) -> str:
    """For the admin, with what the system said."""
    return f"the line board cannot be reached: {error}"
