"""What a line does while it is tested: its state, its raw edges, and how loud all lines are."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

from fieldtest.access import Access
from fieldtest.catalogue import DBM0_OF_DBFS
from firmware.errors import RequestError
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import RawEdge

_LOOK_S = 0.1


class EdgeWatch:
    """The raw edges of one line from now on; ``supported`` is false for a line without sensors."""

    def __init__(self, box: Access, line: str) -> None:
        self._box, self._line = box, line
        self.supported = True
        self.levels: dict[Sensor, bool] = {}
        self._since = 0
        self._edges: list[RawEdge] = []
        self.now_ms = 0.0
        try:
            answer = self._ask(2**62)
        except RequestError as error:
            if error.code != "not_supported":
                raise
            self.supported = False
            return
        self._since = answer["now_boot_ns"]
        self.levels = {Sensor(name): bool(level) for name, level in answer["levels"].items()}

    def look(self) -> list[RawEdge]:
        """All edges since the beginning."""
        if self.supported:
            answer = self._ask(self._since)
            self._edges = [RawEdge(Sensor(name), bool(active), at / 1e6) for name, active, at in answer["edges"]]
            self.now_ms = answer["now_boot_ns"] / 1e6
        return self._edges

    def last_utc_ms(self, sensor: Sensor, active: bool) -> float | None:
        """When ``sensor`` last became so, on the clock that people read; None: never since the beginning."""
        at = next((e.at_ms for e in reversed(self.look()) if e.sensor is sensor and e.active == active), None)
        return None if at is None else time.time_ns() / 1e6 - (self.now_ms - at)

    def _ask(self, since: int) -> dict[str, Any]:
        return self._box.request("line.edges", line=self._line, since_boot_ns=since)


def wait_for(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Whether ``condition`` came true in time."""
    until_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(_LOOK_S)
    return True


def loud_elsewhere(box: Access, line: str, seconds: float) -> dict[str, float]:
    """Waits ``seconds``; the level of every other line that is idle meanwhile, dBm0: its loudest channel's median."""
    heard: dict[str, list[float]] = defaultdict(list)
    busy = {one["id"] for one in box.lines() if one["phase"] != "idle"}
    until_s = time.monotonic() + seconds
    with box.events() as events:
        while (left_s := until_s - time.monotonic()) > 0:
            event = events.next(left_s)
            if event is None or event["event"] != "levels":
                continue
            for name, levels in event["levels"].items():
                if name != line and name not in busy and levels["rms_dbfs"]:
                    heard[name].append(max(levels["rms_dbfs"]) + DBM0_OF_DBFS)
    return {name: median(levels) for name, levels in heard.items()}
