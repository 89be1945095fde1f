"""One client of the recorder's socket: its requests are answered in order, its events wait in a bounded queue."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from firmware.ipc.codec import BadLine, LineDecoder, ProtocolError, Reply, Request, encode, parse_request, refusal
from firmware.worker import Worker

log = logging.getLogger("offhook.ipc")

_READ_BYTES = 65536
_SEND_DEADLINE_S = 10.0
"""A client that takes nothing for this long is hung up on; it will connect again and get the full state."""

_MAX_REPLIES = 64
"""A client that asks on and on without reading the answers is hung up on."""


class ClientConnection:
    """Reads on one thread and writes on another, so that a slow reader never delays an event's way in.

    An event that finds the queue full empties it: the client then gets one fresh ``state`` in place of all it missed.
    """

    def __init__(
        self,
        connected: socket.socket,
        *,
        handler: Callable[[Request], Reply],
        full_state: Callable[[], Mapping[str, Any]],
        gone: Callable[[ClientConnection], None],
        queue_events: int,
    ) -> None:
        self._socket = connected
        self._socket.settimeout(_SEND_DEADLINE_S)
        self._handler = handler
        self._full_state = full_state
        self._gone = gone
        self._queue_events = queue_events
        self._wake = threading.Condition()
        self._replies: deque[bytes] = deque()
        self._events: deque[tuple[int | None, bytes]] = deque()
        self._levels: bytes | None = None
        self._subscribed = False
        self._wants_levels = False
        self._owes_state = False
        self._state_seq = -1
        self._closed = False
        self._reading = Worker("ipc-read", self._read)
        self._writing = Worker("ipc-write", self._write)

    def start(self) -> None:
        self._writing.start()
        self._reading.start()

    def offer(self, line: bytes, *, is_levels: bool, seq: int | None) -> None:
        """Queues an event for this client if it wants it. Returns at once."""
        with self._wake:
            if not self._subscribed or self._owes_state or self._closed:
                return  # the state that it is owed will tell
            if is_levels:
                if self._wants_levels:
                    self._levels = line  # a meter shows the newest value; older ones are of no use
            elif len(self._events) >= self._queue_events:
                self._events.clear()
                self._levels = None
                self._owes_state = True
            else:
                self._events.append((seq, line))
            self._wake.notify()

    def hang_up(self) -> None:
        """Ends both threads soon; returns at once."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def join(self, deadline_s: float) -> None:
        """Waits until both threads ended. Raises `WorkerStuckError`."""
        self._reading.join(deadline_s)
        self._writing.join(deadline_s)

    def _read(self, stop: threading.Event) -> None:
        decoder = LineDecoder()
        try:
            while not stop.is_set() and not self._closed:
                try:
                    data = self._socket.recv(_READ_BYTES)
                except TimeoutError:
                    continue
                if not data:
                    return
                for message in decoder.feed(data):
                    self._take(message)
        except OSError as error:
            log.debug("a client went away: %s", error)
        finally:
            self._finish()

    def _finish(self) -> None:
        """Lets the writer send what is still to be sent (the reason for hanging up, say), then closes."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._writing.join(_SEND_DEADLINE_S + 1)
        self._socket.close()
        self._gone(self)

    def _take(self, message: dict[str, Any] | BadLine) -> None:
        if isinstance(message, BadLine):
            self._reply(refusal("bad_request", message.reason).to_message(None))
            if message.fatal:
                raise ConnectionError(message.reason)
            return
        try:
            request = parse_request(message)
        except ProtocolError as error:
            self._reply(refusal("bad_request", str(error)).to_message(None))
            return
        reply = self._subscribe(request) if request.cmd == "subscribe" else self._handler(request)
        self._reply(reply.to_message(request.id))
        if request.cmd == "subscribe" and reply.code is None:
            with self._wake:
                self._subscribed = True
                self._owes_state = True
                self._wake.notify()

    def _subscribe(self, request: Request) -> Reply:
        levels = request.args.get("levels", False)
        unknown = sorted(set(request.args) - {"levels"})
        if unknown or not isinstance(levels, bool):
            return refusal("bad_request", 'subscribe takes only "levels", true or false')
        with self._wake:
            self._wants_levels = levels
        return Reply()

    def _reply(self, message: Mapping[str, Any]) -> None:
        try:
            line = encode(message)
        except ProtocolError as error:
            line = encode(refusal("internal", f"the answer does not fit: {error}").to_message(message.get("id")))
        with self._wake:
            if len(self._replies) >= _MAX_REPLIES:
                raise ConnectionError("it asks without reading the answers")
            self._replies.append(line)
            self._wake.notify()

    def _write(self, stop: threading.Event) -> None:
        try:
            while (line := self._next_line(stop)) is not None:
                self._socket.sendall(line)
        except (OSError, ProtocolError) as error:
            log.info("hung up on a client: %s", error)
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _next_line(self, stop: threading.Event) -> bytes | None:
        """Answers first, then the owed state, then events, then levels. None: all is sent and it is time to end."""
        with self._wake:
            while not stop.is_set():
                if self._replies:
                    return self._replies.popleft()
                if self._closed:
                    return None
                if self._owes_state:
                    self._owes_state = False  # from here on events queue up again, so none falls between
                    break
                if self._events:
                    seq, line = self._events.popleft()
                    if seq is None or seq > self._state_seq:
                        return line
                elif self._levels is not None:
                    levels, self._levels = self._levels, None
                    return levels
                else:
                    self._wake.wait(1.0)
            else:
                return None
        return self._state_line()

    def _state_line(self) -> bytes:
        """The full state; outside the lock, because the runtime may publish while it makes one."""
        state = self._full_state()
        seq = state.get("seq")
        self._state_seq = seq if isinstance(seq, int) else -1
        return encode(state)
