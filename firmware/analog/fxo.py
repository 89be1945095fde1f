"""An analog telephone line behind GPIO sensors: wires a hat's pins to the recognisers in `firmware.signals`.

Watching runs on the line's thread, dialling on another (`firmware.analog.dialler`), and where the sensors die the
line's sound takes their place (`firmware.analog.sound_watch`).
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from gpiozero.exc import GPIOZeroError

from firmware.analog.converter import Converter
from firmware.analog.dialler import CancelledError, Outlet, dial, flash, speak, tones
from firmware.analog.fxo_options import FxoOptions
from firmware.analog.inbox import Take, take_within
from firmware.analog.line_timing import loop_timing
from firmware.analog.pins import PortPins
from firmware.analog.primary_answer import answer_to_be_told
from firmware.analog.profile import Debounce, Port, load_profile
from firmware.analog.sound_hook import SoundTiming
from firmware.analog.sound_watch import SoundPolicy, SoundSubstitute, SoundWatch
from firmware.analog.voltage import VoltageMeter, Volts, VoltsLost
from firmware.effects import LineAction
from firmware.errors import DeviceError
from firmware.events import (
    CallEnded,
    DialStarted,
    DigitDialled,
    EndCause,
    LineAlarm,
    LineCondition,
    LineDown,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
)
from firmware.log import redact
from firmware.model import Instant, LineId, LineKind
from firmware.ports import AudioSource, Clock, EventSink
from firmware.signals.countries import CountryProfile, profile_of
from firmware.signals.line_voltage import HookRule, VoltageSense
from firmware.signals.loop_watch import LoopTiming, LoopWatch, Sensor
from firmware.worker import Worker

log = logging.getLogger("offhook.analog")

_RETRY_S = 2.0
_CHECK_S = 1.0
"""So often the pins are read again: finds a lost device, and an edge that the kernel had no room for."""
_LATE_EDGE_S = 0.04
"""An edge may reach us so long after its moment; what rests on there being none waits for it."""
_LOST = (OSError, GPIOZeroError, DeviceError)


@dataclass(frozen=True, slots=True)
class _Edge:
    sensor: Sensor
    active: bool
    at: Instant


@dataclass(frozen=True, slots=True)
class _Seize:
    on: bool


@dataclass(frozen=True, slots=True)
class _BySound:
    """What the sound told while the sensors were watched too."""

    event: LineEvent


@dataclass(frozen=True, slots=True)
class RawEdges:
    """Edges (sensor, active, boot ns), the levels now, the board's debounce times, and voltages (volts, boot ns)."""

    edges: tuple[tuple[Sensor, bool, int], ...]
    levels: dict[Sensor, bool]
    debounce: Debounce
    volts: tuple[tuple[float, int], ...] = ()


_RAW_EDGES = 4000
"""More than a minute of ringing at 25 Hz."""
_Item = _Edge | _Seize | _BySound | Volts | VoltsLost


class FxoLine:
    """One port of a hat. Everything but the callbacks of the pins happens on the line's own thread."""

    kind: ClassVar[LineKind] = LineKind.ANALOG
    options_type: ClassVar[type[FxoOptions]] = FxoOptions
    actions: ClassVar[frozenset[str]] = frozenset(action.value for action in LineAction)

    def __init__(
        self,
        line: LineId,
        options: FxoOptions,
        sink: EventSink,
        clock: Clock,
        *,
        take: Take = take_within,
    ) -> None:
        """``take`` waits in the time of ``clock``. Raises `ConfigError` when the profile is missing or wrong."""
        self._take_within = take
        self._line = line
        self._options = options
        self._sink = sink
        self._clock = clock
        self._profile = load_profile(options.profile)
        self._port: Port = self._profile.port(options.port)
        self._flash_s = 0.1
        self._timing = self._timing_of(None if options.country is None else profile_of(options.country))
        if self._port.hook_relay is None:
            # An instance can do less than its type: without a relay a line is only listened to.
            vars(self)["actions"] = frozenset()
        elif self._speaker is None:
            vars(self)["actions"] = self.actions - {LineAction.PLAY.value, LineAction.DIGITS.value}
        self._inbox: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._worker = Worker(f"line-{line}", self._run)
        self._raw: deque[tuple[Sensor, bool, int]] = deque(maxlen=_RAW_EDGES)
        self._raw_volts: deque[tuple[float, int]] = deque(maxlen=_RAW_EDGES)
        self._levels: dict[Sensor, bool] = {}
        self._loop_closed = threading.Event()
        self._pins: PortPins | None = None
        self._dialling: Worker | None = None
        self._by_sound = False
        self._fetching = False

    def use_country(self, country: CountryProfile) -> None:
        """The box's country, for a line whose options name none. Before `start`."""
        if self._options.country is None:
            self._timing = self._timing_of(country)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        if self._dialling is not None:
            self._dialling.stop(3.0)
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
        """Takes the line and dials. Raises `DeviceError` when it cannot, or when somebody uses the line."""
        self._needs_relay(f"dial {len(number)} digits")
        bare = re.sub(r"[\s()./-]", "", number).lstrip("+")
        if not re.fullmatch(r"[0-9*#ABCD]{1,40}", bare, re.ASCII):
            raise DeviceError(f"line {self._line}: {len(number)} characters that are no telephone number: not dialled")
        pins = self._pins
        if pins is None:
            raise DeviceError(f"line {self._line}: its board is not there and cannot dial; plug it in")
        if self._loop_closed.is_set():
            raise DeviceError(f"line {self._line}: a telephone on it is in use; hang it up before the box dials")
        if self._dialling is not None and self._dialling.alive:
            raise DeviceError(f"line {self._line}: it is dialling already")
        self._dialling = Worker(f"dial-{self._line}", lambda stop: self._dial(bare, pins, stop))
        self._dialling.start()

    def answer(self) -> None:
        """Raises `DeviceError` while the line is held to be told who calls."""
        self._needs_relay("answer")
        if self._fetching:
            raise DeviceError(f"line {self._line}: it is being told who calls; answer when it rings again")
        self._inbox.put(_Seize(True))

    def hang_up(self) -> None:
        self._needs_relay("hang up")
        if self._dialling is not None:
            self._dialling.request_stop()
        self._inbox.put(_Seize(False))

    def flash(self) -> None:
        """Opens the loop as long as the country's recall key does. Raises `DeviceError` when the box holds no line."""
        self._needs_relay("flash")
        pins = self._pins
        if pins is None or not pins.seized:
            raise DeviceError(f"line {self._line}: the box does not hold the line and cannot flash; use the handset")
        self._dialling = Worker(f"dial-{self._line}", lambda _: flash(self._outlet(pins), self._flash_s))
        self._dialling.start()

    def play(self, pcm: bytes) -> None:
        """Speaks ``pcm`` (s16le mono 8 kHz) to the line. Raises `DeviceError` when the box holds no line."""
        self._needs_relay("play")
        pins, speaker = self._pins, self._speaker
        if speaker is None:
            raise DeviceError(f"line {self._line}: nothing on this board speaks to the line (audio.playback)")
        if pins is None or not pins.seized:
            raise DeviceError(
                f"line {self._line}: the box does not hold the line and cannot play; answer with it first"
            )
        if self._dialling is not None and self._dialling.alive:
            raise DeviceError(f"line {self._line}: it is dialling or playing already")
        self._dialling = Worker(f"play-{self._line}", lambda stop: self._play(pcm, speaker, stop))
        self._dialling.start()

    def send_digits(self, digits: str) -> None:
        """Presses keys into the call that the box holds. Raises `DeviceError` when it holds none, or is at it."""
        self.play(tones(digits))

    def raw_edges(self, since_boot_ns: int) -> RawEdges:
        """What the sensors did since a moment, undebounced, and what they say now. For calibration, from any thread."""
        edges = tuple(edge for edge in self._raw.copy() if edge[2] > since_boot_ns)
        volts = tuple(one for one in self._raw_volts.copy() if one[1] > since_boot_ns)
        return RawEdges(edges=edges, levels=dict(self._levels), debounce=self._profile.debounce, volts=volts)

    @property
    def _speaker(self) -> str | None:
        """ALSA device that speaks to the line."""
        return self._options.playback_device or self._port.audio.playback

    def _needs_relay(self, what: str) -> None:
        if self._port.hook_relay is None:
            raise DeviceError(f"line {self._line}: this board has no hook relay and cannot {what}; use the handset")

    def _timing_of(self, country: CountryProfile | None) -> LoopTiming:
        if country is not None:
            self._flash_s = sum(country.flash_ms) / 2000
        options = self._options
        return loop_timing(
            self._profile.debounce,
            country,
            on_hook_ms=options.on_hook_ms,
            open_loop_ms=options.open_loop_ms,
            reversal_ends=options.reversal_ends,
        )

    # --- on the dialling thread -------------------------------------------------------------------------------------

    def _outlet(self, pins: PortPins) -> Outlet:
        return Outlet(seize=pins.seize, loop_closed=self._loop_closed, ears=self.audio_source, speaker=self._speaker)

    def _play(self, pcm: bytes, speaker: str, stop: threading.Event) -> None:
        try:
            speak(pcm, speaker, stop)
        except CancelledError:
            log.info("playing was cancelled", extra={"offhook": {"line": self._line}})
        except _LOST as error:
            log.warning("the box could not play", extra={"offhook": {"line": self._line, "reason": str(error)}})

    def _answer_short_rings(self, pins: PortPins) -> None:
        """Once for each row of them: whoever is on the line already is told who calls without the box."""
        if self._dialling is not None and self._dialling.alive:
            return
        self._fetching = True
        self._dialling = Worker(f"fetch-{self._line}", lambda stop: self._fetch(pins, stop))
        self._dialling.start()

    def _fetch(self, pins: PortPins, stop: threading.Event) -> None:
        try:
            told = answer_to_be_told(self._outlet(pins), stop)
            log.info("short rings answered", extra={"offhook": {"line": self._line, "told_who_calls": told}})
        except CancelledError:
            log.info("answering short rings was cancelled", extra={"offhook": {"line": self._line}})
        except _LOST as error:
            log.warning("short rings not answered", extra={"offhook": {"line": self._line, "reason": str(error)}})
        finally:
            self._fetching = False

    def _dial(self, number: str, pins: PortPins, stop: threading.Event) -> None:
        started = False

        def seized() -> None:
            nonlocal started
            started = True
            self._sink(DialStarted(line=self._line, at=self._clock.now(), number=number))

        try:
            pulses = self._options.dial == "pulses"
            dial(number, self._outlet(pins), by_pulses=pulses, seized=seized, stop=stop)
        except CancelledError:
            log.info("dialling was cancelled", extra={"offhook": {"line": self._line}})
        except _LOST as error:
            extra = {"offhook": {"line": self._line, "number": redact(number), "reason": str(error)}}
            log.warning("the box could not dial", extra=extra)
            if not started:  # the person was told that the order was taken: the list shows what became of it
                self._sink(DialStarted(line=self._line, at=self._clock.now(), number=number))
            self._sink(CallEnded(line=self._line, at=self._clock.now(), cause=EndCause.FAILED))

    # --- on the line's thread ---------------------------------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        told_missing = False
        substitute: SoundSubstitute | None = None
        off_hook = False
        while not stop.is_set():
            try:
                pins = PortPins(self._port, self._take_edge, self._clock)
            except _LOST as error:
                if not told_missing:
                    told_missing = True
                    self._tell(LineDown(line=self._line, at=self._clock.now(), reason=_reason(error)))
                if substitute is None:
                    substitute = self._listen_instead(off_hook)
                stop.wait(_RETRY_S)
                continue
            told_missing = False
            up = None if substitute is None else substitute.end()
            substitute = None
            try:
                self._watch(pins, stop, up)
            except _LOST as error:
                told_missing = True
                self._tell(LineDown(line=self._line, at=self._clock.now(), reason=_reason(error)))
            finally:
                off_hook = self._loop_closed.is_set()
                self._pins = None
                self._loop_closed.clear()
                pins.close()
                self._forget_edges()
            stop.wait(0 if stop.is_set() else _RETRY_S)
        if substitute is not None:
            substitute.end()

    def _listen_instead(self, off_hook: bool) -> SoundSubstitute | None:
        """The board is gone; the line's sound may be on another device."""
        source = self.audio_source()
        if self._options.hook_by_sound == SoundPolicy.NEVER or source is None:
            return None
        return SoundSubstitute(self._line, source, self._clock, self._tell, off_hook=off_hook)

    def _take_edge(self, sensor: Sensor, active: bool, at: Instant) -> None:
        self._raw.append((sensor, active, at.boot_ns))
        self._levels[sensor] = active
        self._inbox.put(_Edge(sensor, active, at))

    def _forget_edges(self) -> None:
        while not self._inbox.empty():
            self._inbox.get_nowait()

    def _watch(self, pins: PortPins, stop: threading.Event, by_sound: LineCondition | None) -> None:
        """From the line's `LineUp` until it is lost or the driver stops.

        ``by_sound``: what the line's sound made of it while the sensors were gone; the line is up already.
        """
        opened = self._clock.now()
        meter = self._meter(pins)
        levels = {sensor: pin.read() for sensor, pin in pins.sensors.items()}
        self._levels = dict(levels)
        watch = LoopWatch(self._line, self._timing)
        for sensor, active in levels.items():
            watch.feed(sensor, active, opened)
        self._note_loop(watch)
        self._pins = pins
        ears = self._second_opinion()
        # Ringing and a lifted handset show themselves only over time: look before saying what the line is doing.
        settle_ms = max(2 * self._timing.ring.min_burst_ms, 2 * self._timing.hook.off_hook_ms)
        up_at: Instant | None = opened.plus_s(settle_ms / 1000)
        checked = opened
        cut = False
        try:
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
                events = self._take(item, pins, levels, watch, meter)
                self._note_loop(watch)
                if self._options.fetch_caller_id and watch.asks_to_be_answered:
                    self._answer_short_rings(pins)
                if up_at is None and not cut:
                    self._tell_all(self._not_our_own(events), meter)
                elif up_at is not None and self._clock.now().seconds_since(up_at) >= 0:
                    up_at = None
                    self._come_up(watch, by_sound)
                if up_at is None and watch.cut != cut:
                    cut = watch.cut
                    self._say_cut(cut, watch)
        finally:
            if ears is not None:
                ears.stop()
            if meter is not None:
                meter.stop()

    def _meter(self, pins: PortPins) -> VoltageMeter | None:
        """Reads the line's voltage, on a board that can. Raises `DeviceError` when its converter is not there."""
        spec = self._port.voltage
        if spec is None:
            return None
        meter = VoltageMeter(
            self._line,
            Converter(spec),
            self._clock,
            sense=VoltageSense(HookRule(self._options.hook_threshold), self._options.on_hook_v),
            spare=frozenset(pins.sensors),
            sink=self._inbox.put,
            take=self._take_within,
        )
        meter.start()
        return meter

    def _take(
        self,
        item: _Item | None,
        pins: PortPins,
        levels: dict[Sensor, bool],
        watch: LoopWatch,
        meter: VoltageMeter | None,
    ) -> list[LineEvent]:
        if isinstance(item, _Edge):
            levels[item.sensor] = item.active
            return watch.feed(item.sensor, item.active, item.at)
        if isinstance(item, _Seize):
            pins.seize(item.on)
            return []
        if isinstance(item, VoltsLost):
            raise item.error
        if isinstance(item, Volts):
            return [] if meter is None else self._measured(item, watch, meter)
        if isinstance(item, _BySound):
            return self._heard_beside(item.event, watch)
        events = self._make_up_for_lost_edges(pins, levels, watch)
        return events + watch.advance(self._clock.now().plus_s(-_LATE_EDGE_S))

    def _measured(self, volts: Volts, watch: LoopWatch, meter: VoltageMeter) -> list[LineEvent]:
        """The voltage's own edges, as if pins had told them."""
        self._raw_volts.append((volts.volts, volts.at.boot_ns))
        events: list[LineEvent] = []
        for edge in meter.sample(volts):
            self._raw.append((edge.sensor, edge.active, volts.at.boot_ns))
            self._levels[edge.sensor] = edge.active
            events += watch.feed(edge.sensor, edge.active, volts.at)
        return events + watch.advance(volts.at.plus_s(-_LATE_EDGE_S))

    def _note_loop(self, watch: LoopWatch) -> None:
        if watch.loop_closed:
            self._loop_closed.set()
        else:
            self._loop_closed.clear()

    def _come_up(self, watch: LoopWatch, by_sound: LineCondition | None) -> None:
        now = self._clock.now()
        if by_sound is None:
            self._tell(LineUp(line=self._line, at=now, condition=watch.condition))
            return
        self._tell(LineAlarm(line=self._line, at=now, key="hook_by_sound", raised=False))
        was, is_ = (c is LineCondition.IN_CALL for c in (by_sound, watch.condition))
        if was != is_:
            self._tell((OffHook if is_ else OnHook)(line=self._line, at=now, by_sound=True))

    def _say_cut(self, cut: bool, watch: LoopWatch) -> None:
        now = self._clock.now()
        if cut:
            reason = "the line has no battery: it is cut, unplugged at the wall socket, or out of service"
            self._tell(LineDown(line=self._line, at=now, reason=reason))
        else:
            self._tell(LineUp(line=self._line, at=now, condition=watch.condition))

    def _not_our_own(self, events: list[LineEvent]) -> list[LineEvent]:
        """Without the pulses that the box itself dials, and without what the sound had told before."""
        dialling = self._dialling is not None and self._dialling.alive
        kept: list[LineEvent] = []
        for event in events:
            if isinstance(event, DigitDialled) and dialling:
                continue
            if isinstance(event, OffHook) and self._by_sound and not event.by_sound:
                self._by_sound = False  # the sensor has woken up: the call is the one the sound found
                continue
            kept.append(event)
        return kept

    def _second_opinion(self) -> SoundWatch | None:
        source = self.audio_source()
        if self._options.hook_by_sound != SoundPolicy.ALWAYS or source is None:
            return None

        def tell(event: LineEvent) -> None:
            self._inbox.put(_BySound(event))

        def up(condition: LineCondition, at: Instant) -> None:
            if condition is LineCondition.IN_CALL:  # somebody talked before the ears were open
                tell(OffHook(line=self._line, at=at, by_sound=True))

        ears = SoundWatch(
            self._line,
            source,
            self._clock,
            timing=SoundTiming(),
            up=up,
            lost=lambda _r, _at: None,
            tell=tell,
        )
        ears.start()
        return ears

    def _heard_beside(self, event: LineEvent, watch: LoopWatch) -> list[LineEvent]:
        """Somebody talks and the sensors do not see it; or the talk that only the sound saw is over."""
        if isinstance(event, OffHook) and not self._by_sound and watch.condition is LineCondition.IDLE:
            self._by_sound = True
            reason = "somebody talks on it, and the loop sensor sees no handset lifted"
            self._tell(LineAlarm(line=self._line, at=event.at, key="hook_by_sound", params=(("reason", reason),)))
            return [event]
        if isinstance(event, OnHook | CallEnded) and self._by_sound:
            self._by_sound = isinstance(event, CallEnded)
            return [event]
        return []

    def _next(self, wait_s: float) -> _Item | None:
        return self._take_within(self._inbox, max(0.0, wait_s))

    def _make_up_for_lost_edges(self, pins: PortPins, levels: dict[Sensor, bool], watch: LoopWatch) -> list[LineEvent]:
        events: list[LineEvent] = []
        for sensor, pin in pins.sensors.items():
            active = pin.read()
            if active != levels[sensor]:
                log.warning("an edge was lost", extra={"offhook": {"line": self._line, "sensor": sensor}})
                levels[sensor] = active
                events += watch.feed(sensor, active, self._clock.now())
        return events

    def _tell_all(self, events: list[LineEvent], meter: VoltageMeter | None) -> None:
        for event in events:
            for told in (event,) if meter is None else meter.beside(event):
                self._tell(told)

    def _tell(self, event: LineEvent) -> None:
        if isinstance(event, LineDown):
            log.warning("line lost", extra={"offhook": {"line": self._line, "reason": event.reason}})
        self._sink(event)


def _reason(error: Exception) -> str:
    """For the admin, with what the system said."""
    return f"the line board cannot be reached: {error}"
