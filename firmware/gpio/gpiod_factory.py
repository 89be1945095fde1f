"""Gives gpiozero the GPIO lines of any Linux machine through libgpiod v2 (``GPIOZERO_PIN_FACTORY=offhook-gpiod``).

gpiozero's own factories ask which Raspberry Pi they run on, and lgpio leaves a FIFO in its working directory; the box
also runs on machines that are no Pi, from a read-only folder. A lost chip heals by itself: pins are opened anew on the
chip that has the wanted label then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator
from datetime import timedelta
from types import MethodType
from typing import Any
from weakref import WeakMethod, ref

import gpiod
from gpiod.line import Bias, Clock, Direction, Edge, Value
from gpiozero.exc import (
    GPIOPinInUse,
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPin,
    PinInvalidPull,
    PinSetInput,
)
from gpiozero.pins import BoardInfo, Factory, Pin, PinInfo

from firmware.gpio.chips import Chips, SystemChips
from firmware.gpio.edges import EdgeReader

_CONSUMER = "offhook"
_EVENT_BUFFER = 1024
"""Edges that the kernel keeps for us: 20 s of ringing at 25 Hz."""
_BIASES = {"floating": Bias.DISABLED, "up": Bias.PULL_UP, "down": Bias.PULL_DOWN}
_EDGES = {"none": Edge.NONE, "rising": Edge.RISING, "falling": Edge.FALLING, "both": Edge.BOTH}


class GpiodFactory(Factory):  # type: ignore[misc]
    """Pins by number, by line name, or as ``<chip>:<number or name>``; see `firmware.gpio.chips` for which chip."""

    def __init__(self, chips: Chips | None = None) -> None:
        super().__init__()
        self.chips: Chips = chips or SystemChips()
        self._lock = threading.Lock()
        self._pins: dict[PinInfo, GpiodPin] = {}
        self._board = _AnyBoard.empty()
        self.edges = EdgeReader()

    def pin(self, name: Any) -> GpiodPin:
        """The pin called ``name``: always the same object. It opens its line when it is given a function."""
        info = pin_info(name)
        with self._lock:
            return self._pins.setdefault(info, GpiodPin(self, info))

    def close(self) -> None:
        for pin in list(self._pins.values()):
            pin.close()
        self.edges.close()

    @staticmethod
    def ticks() -> float:
        """Seconds on CLOCK_MONOTONIC, the clock of the kernel's edge events."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e9

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        return later - earlier

    def chip_labels(self) -> tuple[str, ...]:
        """Labels of the GPIO chips that are there now."""
        return self.chips.labels()

    def _get_board_info(self) -> BoardInfo:
        return self._board


def pin_info(name: Any) -> PinInfo:
    """What gpiozero wants to know of a pin. ``17`` and ``"GPIO17"`` are one pin. Raises `PinInvalidPin`."""
    if isinstance(name, PinInfo):
        return name
    if isinstance(name, bool) or not isinstance(name, int | str) or name == "":
        raise PinInvalidPin(f"{name!r} is no pin: give a GPIO number, a line name, or <chip>:<number or name>")
    chip, _, line = str(name).rpartition(":")
    if line.upper().startswith("GPIO") and line[4:].isdigit():
        line = line[4:]
    number = int(line) if line.isdigit() else -1
    text = f"GPIO{line}" if number >= 0 and not chip else f"{chip}:{line}" if chip else line
    return PinInfo(number, text, frozenset({text}), "", 1, 1, frozenset({"gpio"}))


def _weak(handler: Callable[[float, int], None] | None) -> Callable[[], Callable[[float, int], None] | None] | None:
    if handler is None:
        return None
    return WeakMethod(handler) if isinstance(handler, MethodType) else ref(handler)


def _known(value: str, choices: Container[str], wrong: type[Exception]) -> str:
    if value not in choices:
        raise wrong(f"{value!r} is none of {choices}")
    return value


class _AnyBoard(BoardInfo):  # type: ignore[misc]
    """A board of unknown make: whatever pin is asked for may be there, opening it will tell."""

    @classmethod
    def empty(cls) -> _AnyBoard:
        return cls("unknown", "unknown", "", "", "", "", None, "", 0, 0, 0, 0, False, False, 0, 0, {}, "")

    def find_pin(self, name: Any) -> Iterator[tuple[None, PinInfo]]:
        yield None, pin_info(name)


class GpiodPin(Pin):  # type: ignore[misc]
    """One GPIO line. Raises OSError when its chip is gone; `close` gives the line back, a new function reopens it."""

    def __init__(self, factory: GpiodFactory, info: PinInfo) -> None:
        super().__init__()
        self._factory = factory
        self._info = info
        self._lock = threading.RLock()
        self._request: gpiod.LineRequest | None = None
        self._offset = -1
        self._function = "input"
        self._pull = "floating"
        self._edges = "both"
        self._bounce_s: float | None = None
        self._handler: Callable[[], Callable[[float, int], None] | None] | None = None
        """Weak, as in gpiozero's own pins: a device that nobody holds any more must be able to go."""

    def __repr__(self) -> str:
        return str(self._info.name)

    @property
    def factory(self) -> GpiodFactory:
        return self._factory

    def _get_info(self) -> PinInfo:
        return self._info

    def close(self) -> None:
        with self._lock:
            if self._handler is not None:
                self._handler = None
                self._factory.edges.forget(self)
            request, self._request = self._request, None
            self._function, self._pull, self._bounce_s, self._edges = "input", "floating", None, "both"
            if request is not None:
                request.release()

    def output_with_state(self, state: Any) -> None:
        """Drives the line at ``state`` at once, with no blip at another level."""
        with self._lock:
            self._function = "output"
            self._configure(Value.ACTIVE if state else Value.INACTIVE)

    def input_with_pull(self, pull: str) -> None:
        """Reads the line with ``pull`` from the first moment."""
        with self._lock:
            self._function, self._pull = "input", _known(pull, _BIASES, PinInvalidPull)
            self._configure()

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        with self._lock:
            self._function = _known(value, ("input", "output"), PinInvalidFunction)
            self._configure()

    def _get_state(self) -> int:
        with self._lock:
            return int(self._open().get_value(self._offset) is Value.ACTIVE)

    def _set_state(self, value: Any) -> None:
        with self._lock:
            if self._function != "output":
                raise PinSetInput(f"cannot set state of pin {self!r}")
            self._open().set_value(self._offset, Value.ACTIVE if value else Value.INACTIVE)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        with self._lock:
            if self._function != "input":
                raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
            self._pull = _known(value, _BIASES, PinInvalidPull)
            self._configure()

    def _get_bounce(self) -> float | None:
        return self._bounce_s

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise PinInvalidBounce("bounce must be 0 or greater")
        with self._lock:
            self._bounce_s = value
            if self._request is not None:
                self._configure()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        with self._lock:
            self._edges = _known(value, _EDGES, PinInvalidEdges)
            if self._handler is not None:
                self._configure()

    def _get_when_changed(self) -> Callable[[float, int], None] | None:
        return None if self._handler is None else self._handler()

    def _set_when_changed(self, value: Callable[[float, int], None] | None) -> None:
        with self._lock:
            watched, self._handler = self._handler is not None, _weak(value)
            if watched and value is None:
                self._factory.edges.forget(self)
                if self._request is not None:
                    self._configure()
            elif value is not None and not watched:
                self._configure()
                self._factory.edges.watch(self)

    # --- the line -----------------------------------------------------------------------------------------------------

    @property
    def fd(self) -> int:
        """Readable when an edge has come. Raises OSError when the line is not open."""
        with self._lock:
            return int(self._open().fd)

    def read_edges(self) -> None:
        """Tells the handler the edges that have come; on the reader's thread. Raises OSError when the chip is gone."""
        with self._lock:
            request, handler = self._request, self._get_when_changed()
            if request is None or handler is None or not request.wait_edge_events(0):
                return
            events = request.read_edge_events()
        # Outside the lock: the handler may use the pin.
        for event in events:
            handler(event.timestamp_ns / 1e9, int(event.event_type is event.Type.RISING_EDGE))

    def _open(self) -> gpiod.LineRequest:
        if self._request is None:
            self._configure()
        assert self._request is not None
        return self._request

    def _settings(self, value: Value) -> gpiod.LineSettings:
        if self._function == "output":
            return gpiod.LineSettings(direction=Direction.OUTPUT, output_value=value)
        return gpiod.LineSettings(
            direction=Direction.INPUT,
            bias=_BIASES[self._pull],
            edge_detection=_EDGES[self._edges] if self._handler is not None else Edge.NONE,
            event_clock=Clock.MONOTONIC,
            debounce_period=timedelta(seconds=self._bounce_s or 0),
        )

    def _configure(self, value: Value = Value.INACTIVE) -> None:
        """Brings the open line, or a new request for it, to what was asked for."""
        settings = self._settings(value)
        if self._request is not None:
            self._request.reconfigure_lines({self._offset: settings})
            return
        chip_name, _, line = self._info.name.rpartition(":")
        with self._factory.chips.open(chip_name or None) as chip:
            try:
                self._offset = chip.line_offset_from_id(self._info.number if self._info.number >= 0 else line)
            except (OSError, ValueError) as error:
                label = chip.get_info().label
                raise PinInvalidPin(f"GPIO chip {label} has no line {line!r}: {error}") from error
            try:
                self._request = chip.request_lines(
                    {self._offset: settings}, consumer=_CONSUMER, event_buffer_size=_EVENT_BUFFER
                )
            except OSError as error:
                user = chip.get_line_info(self._offset).consumer
                if user:
                    raise GPIOPinInUse(f"GPIO line {self!r} is in use by {user!r}: {error}") from error
                raise
