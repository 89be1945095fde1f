"""One recorder in, many browsers out: keeps what is known of the lines and fans each change out to bounded streams."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from firmware.errors import OffhookError

STREAMS_AT_MOST = 40
STREAMS_PER_USER = 6
_QUEUED_AT_MOST = 64
_LEVELS_UNTIL = 8
"""Levels are left out for a browser that is this many messages behind: the next ones say more."""


class TooManyStreamsError(OffhookError):
    """The page is open too often; it polls instead."""


class Stream:
    """What one browser has still to be told."""

    def __init__(self, owner: str, *, levels: bool, tab: str, lines: frozenset[str] | None) -> None:
        self.owner = owner
        self.lines = lines
        self.levels = levels
        self.tab = tab
        self._queue: queue.Queue[bytes | None] = queue.Queue(_QUEUED_AT_MOST)
        self._cut = False

    def next_message(self, wait_s: float) -> bytes | None:
        """The next message, ``b""`` when there was none for ``wait_s`` seconds, ``None`` when the stream is over."""
        if self._cut and self._queue.empty():
            return None
        try:
            return self._queue.get(timeout=wait_s)
        except queue.Empty:
            return None if self._cut else b""

    def _offer(self, message: bytes, *, droppable: bool) -> bool:
        """False when the browser is so far behind that it has to start anew."""
        if droppable and self._queue.qsize() >= _LEVELS_UNTIL:
            return True
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._end()
            return False
        return True

    def _end(self) -> None:
        self._cut = True
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(None)


class Hub:
    """The lines as the recorder last told them, and the streams that want to know. Safe to call from any thread."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._streams: list[Stream] = []
        self._closed = False
        self._link = "down"
        self._heard_s: float | None = None
        self._lines: dict[str, dict[str, Any]] = {}
        self._alarms: dict[Any, dict[str, Any]] = {}
        self._today: dict[str, Any] = {}

    def open_stream(
        self, owner: str, *, levels: bool = True, tab: str = "", lines: frozenset[str] | None = None
    ) -> Stream:
        """A stream that begins with the full state; levels only for who shows them, ``lines`` the only ones she sees.

        A browser's ``tab`` has one stream: that of the page it has left is only noticed when something is sent, so
        the new one ends it. Raises `TooManyStreamsError` at the caps."""
        with self._lock:
            for left in [each for each in self._streams if tab and each.owner == owner and each.tab == tab]:
                left._end()
                self._streams.remove(left)
            mine = sum(1 for stream in self._streams if stream.owner == owner)
            if self._closed or len(self._streams) >= STREAMS_AT_MOST or mine >= STREAMS_PER_USER:
                raise TooManyStreamsError("too many open pages; close some, or wait a few seconds")
            stream = Stream(owner, levels=levels, tab=tab, lines=lines)
            stream._offer(encode("state", self._snapshot(lines)), droppable=False)
            self._streams.append(stream)
            return stream

    def close_stream(self, stream: Stream) -> None:
        with self._lock:
            if stream in self._streams:
                self._streams.remove(stream)

    def close(self) -> None:
        """Ends all streams and admits no more: the service is going down."""
        with self._lock:
            self._closed = True
            for stream in self._streams:
                stream._end()
            self._streams.clear()

    @property
    def stream_count(self) -> int:
        with self._lock:
            return len(self._streams)

    def snapshot(self, lines: frozenset[str] | None = None) -> dict[str, Any]:
        """The full state as a page gets it at first; of ``lines`` alone, unless it is ``None``."""
        with self._lock:
            return self._snapshot(lines)

    def recorder_said(self, event: Mapping[str, Any]) -> None:
        """Takes one event of the recorder's socket (docs/interfaces.md) and passes it on; unknown kinds stay here."""
        kind = event.get("event")
        with self._lock:
            self._heard_s = self._now_s()
            if kind == "state":
                self._lines = {str(line["id"]): line for line in event["lines"]}
                self._alarms = {alarm["id"]: alarm for alarm in event["alarms"]}
                self._today = dict(event["today"])
                self._link = "up"
                self._publish("state", self._snapshot())
            elif kind == "line":
                line = event["line"]
                self._lines[str(line["id"])] = line
                self._publish("line", {"line": line, "now_utc_ms": _now_ms()}, line=str(line["id"]))
            elif kind == "levels":
                self._publish("levels", {"levels": event["levels"]}, droppable=True)
            elif kind == "alarm":
                alarm = event["alarm"]
                if alarm.get("resolved_utc_ms") is None:
                    self._alarms[alarm["id"]] = alarm
                else:
                    self._alarms.pop(alarm["id"], None)
                self._publish("alarm", {"alarm": alarm})
            elif kind == "call":
                self._publish("call", {"call": event["call"]}, line=str(event["call"]["line"]))
            elif kind == "recording":
                self._publish("recording", {"recording": event["recording"]}, line=str(event["recording"]["line"]))

    def today_is(self, today: Mapping[str, Any]) -> None:
        """Takes the recorder's counts of today's calls."""
        with self._lock:
            if dict(today) != self._today:
                self._today = dict(today)
                self._publish("today", {"today": self._today})

    def link_is(self, link: str, *, watched_ago_s: float = 0.0) -> None:
        """Notes whether the recorder is ``up``, ``stalled`` (connected, but not watching the lines) or ``down``.

        ``watched_ago_s``: when a stalled recorder last watched; that is how old the data are, whatever it says.
        """
        with self._lock:
            if link == "stalled":
                self._heard_s = self._now_s() - watched_ago_s
            if link != self._link:
                self._link = link
                self._publish("link", self._link_state())

    def _snapshot(self, lines: frozenset[str] | None = None) -> dict[str, Any]:
        return {
            **self._link_state(),
            "lines": [line for name, line in self._lines.items() if lines is None or name in lines],
            "alarms": list(self._alarms.values()),
            "today": self._today,
        }

    def _link_state(self) -> dict[str, Any]:
        age_s = None if self._heard_s is None else round(self._now_s() - self._heard_s, 1)
        return {"link": self._link, "age_s": age_s, "now_utc_ms": _now_ms()}

    def _publish(self, name: str, body: Mapping[str, Any], *, droppable: bool = False, line: str | None = None) -> None:
        """Encoded once for all who see all lines, and once more for each other set of lines."""
        message = encode(name, body)
        narrowed: dict[frozenset[str], bytes] = {}
        for stream in list(self._streams):
            if name == "levels" and not stream.levels:
                continue
            if stream.lines is not None and line is not None and line not in stream.lines:
                continue
            told = message
            if stream.lines is not None and name in ("state", "levels"):
                if stream.lines not in narrowed:
                    narrowed[stream.lines] = encode(name, self._narrow(name, body, stream.lines))
                told = narrowed[stream.lines]
            if not stream._offer(told, droppable=droppable):
                self._streams.remove(stream)

    def _narrow(self, name: str, body: Mapping[str, Any], lines: frozenset[str]) -> Mapping[str, Any]:
        if name == "state":
            return self._snapshot(lines)
        return {"levels": {line: level for line, level in body["levels"].items() if line in lines}}


def encode(name: str, body: Mapping[str, Any]) -> bytes:
    """One server-sent event (HTML Living Standard, section 9.2); JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
