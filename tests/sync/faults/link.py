"""The link between a box and its broker, as a TCP proxy: it cuts, goes silent, slows down, and hangs up on MQTT 5.

Needs no root and no netem. Single lost packets are for `simulator.tun_link`, behind which it may stand.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from firmware.worker import Worker

_BLOCK = 65536


@dataclass
class _Flow:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    seen: int = 0
    first: bytes = b""
    closing: bool = False


class Link:
    """Listens on ``port``; everything can be changed while it runs."""

    def __init__(self, target_port: int, *, host: str = "127.0.0.1") -> None:
        self._target_port = target_port
        self.host = host
        self._listener = socket.create_server((host, 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.open = True
        """False: whoever comes is refused by hanging up."""
        self.silent = False
        """True: half-open. Everything is swallowed, nobody is told."""
        self.deaf = False
        """True: what the broker says does not reach the box."""
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        """0: as fast as it goes."""
        self.only_311 = False
        """True: hangs up on a CONNECT of MQTT 5, as brokers did that knew none."""
        self.bytes_up = 0
        self._flows: list[_Flow] = []
        self._lock = threading.Lock()
        self._budget = 0.0
        self._budget_at = time.monotonic()
        self._worker = Worker("link", self._run)
        self._worker.start()

    def cut(self) -> None:
        """Ends every connection with a reset."""
        with self._lock:
            for flow in self._flows:
                _reset(flow.source)
            self._flows.clear()

    def heal(self) -> None:
        self.open, self.silent, self.deaf, self.only_311 = True, False, False, False
        self.delay_s, self.bytes_per_s = 0.0, 0.0

    def close(self) -> None:
        self._worker.stop(5.0)
        self.cut()
        self._listener.close()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            with self._lock:
                flows = list(self._flows)
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                for flow in flows:
                    if len(flow.waiting) < 32 and not flow.closing:
                        with contextlib.suppress(OSError, ValueError, KeyError):  # `cut` has just closed it
                            selector.register(flow.source, selectors.EVENT_READ, flow)
                busy = any(flow.waiting for flow in flows)
                for key, _events in selector.select(0.01 if busy else 0.05):
                    if key.data is None:
                        self._accept()
                    else:
                        self._read(key.data)
            self._pump(flows)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            client, _address = self._listener.accept()
            if not self.open:
                _reset(client)
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port), 2.0)
            except OSError:
                _reset(client)
                return
            for one in (client, server):
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._flows += [_Flow(client, server, first=b"?"), _Flow(server, client)]

    def _read(self, flow: _Flow) -> None:
        try:
            data = flow.source.recv(_BLOCK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            flow.closing = True
            return
        if self.silent or (self.deaf and not flow.first):
            return
        if flow.first == b"?":
            flow.first = data
            # CONNECT: fixed header of 2 bytes, "MQTT" with its length, then the protocol level (MQTT 5.0, 3.1.2.2).
            if self.only_311 and b"MQTT\x05" in data[:16]:
                self._end(flow)
                return
        flow.seen += len(data)
        flow.waiting.append((time.monotonic() + self.delay_s, data))

    def _pump(self, flows: list[_Flow]) -> None:
        now = time.monotonic()
        rate = self.bytes_per_s
        self._budget = min(self._budget + (now - self._budget_at) * rate, max(rate, 1.0)) if rate else 0.0
        self._budget_at = now
        for flow in flows:
            while flow.waiting and flow.waiting[0][0] <= now and (not rate or self._budget > 0):
                at, data = flow.waiting.popleft()
                try:
                    sent = flow.sink.send(data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    self._end(flow)
                    break
                self._budget -= sent
                if flow.first:
                    self.bytes_up += sent
                if sent < len(data):
                    flow.waiting.appendleft((at, data[sent:]))
                    break
            if flow.closing and not flow.waiting:
                self._end(flow)

    def _end(self, flow: _Flow) -> None:
        with self._lock:
            twins = [one for one in self._flows if one.source in (flow.source, flow.sink)]
            for one in twins:
                _reset(one.source)
            self._flows = [one for one in self._flows if one not in twins]


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
