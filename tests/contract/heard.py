"""An event sink that remembers what a driver said and when, and can be waited on."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from firmware.clock import SystemClock
from firmware.events import LineEvent
from firmware.model import Instant
from firmware.ports import RecorderEvent


class Heard:
    """Keeps every event with the moment it arrived."""

    def __init__(self) -> None:
        self._events: list[LineEvent] = []
        self.arrivals: list[Instant] = []
        self._changed = threading.Condition()
        self._clock = SystemClock()

    def __call__(self, event: LineEvent | RecorderEvent, /) -> None:
        assert isinstance(event, LineEvent), "a line driver says line events only"
        with self._changed:
            self._events.append(event)
            self.arrivals.append(self._clock.now())
            self._changed.notify_all()

    @property
    def events(self) -> Sequence[LineEvent]:
        with self._changed:
            return tuple(self._events)

    def of(self, *kinds: type[LineEvent]) -> list[LineEvent]:
        """The events of these kinds so far, oldest first."""
        return [event for event in self.events if isinstance(event, kinds)]

    def wait(self, *kinds: type[LineEvent], count: int = 1, within_s: float = 10.0) -> LineEvent:
        """The ``count``-th event of any of these kinds; fails when it does not come ``within_s`` seconds."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: sum(isinstance(event, kinds) for event in self._events) >= count, within_s
            )
            names = " or ".join(kind.__name__ for kind in kinds)
            said = [type(event).__name__ for event in self._events]
            assert came, f"no {names} number {count} within {within_s} s; the driver said {said}"
        return self.of(*kinds)[count - 1]
