"""The street's side of the box's GPIO pins: who drives them, at what level, and what the box writes.

A box that has no GPIO of its own connects over a Unix socket (`simulator.pin_factory`); JSON objects, one per line.
Street to box: first ``{"levels": {"5": 1, ...}}``, then ``{"pin": 5, "level": 1, "at_boot_ns": ...}`` at each change; a
level of null means that nothing drives the pin (its pull decides). Box to street: ``{"claim": 5, "function": "input",
"pull": "up"}`` and ``{"write": 5, "level": 1}``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from firmware.worker import Worker

log = logging.getLogger("offhook.street.pins")

_SEND_DEADLINE_S = 1.0


def boot_ns() -> int:
    """Nanoseconds on CLOCK_BOOTTIME, the clock that the box's moments are made of."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class PinBank:
    """The pins of one simulated Pi, served on ``path``. `drive` may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._levels: dict[int, bool | None] = {}
        self._outputs: dict[int, bool] = {}
        self._listeners: dict[int, list[Callable[[bool, int], None]]] = {}
        self._clients: dict[socket.socket, bytes] = {}
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._worker: Worker | None = None

    def start(self) -> None:
        """Serves the pins. Raises OSError when the socket's folder is not there."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        listener.listen()
        listener.setblocking(False)
        self._listener = listener
        self._worker = Worker("street-pins", self._serve)
        self._worker.start()

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self._path.unlink(missing_ok=True)

    def take_away(self) -> None:
        """The hat is pulled off: every box loses its pins until `start` puts the hat back."""
        self.stop()

    def drive(self, pin: int, level: bool | None) -> int:
        """Puts ``pin`` at ``level`` (None: lets go of it). Returns the moment, boot time in ns."""
        with self._lock:
            at = boot_ns()
            if self._levels.get(pin) == level and pin in self._levels:
                return at
            self._levels[pin] = level
            text = json.dumps({"pin": pin, "level": None if level is None else int(level), "at_boot_ns": at})
            for client in list(self._clients):
                self._send(client, text)
        return at

    def output(self, pin: int) -> bool | None:
        """What the box drives ``pin`` at; None when it does not."""
        with self._lock:
            return self._outputs.get(pin)

    def on_output(self, pin: int, listener: Callable[[bool, int], None]) -> None:
        """Calls ``listener(level, boot ns)`` when the box writes ``pin``; on the pins' thread, so return at once."""
        with self._lock:
            self._listeners.setdefault(pin, []).append(listener)

    @property
    def boxes(self) -> int:
        """How many processes have the pins open now."""
        with self._lock:
            return len(self._clients)

    def _send(self, client: socket.socket, text: str) -> None:
        try:
            client.settimeout(_SEND_DEADLINE_S)
            client.sendall(text.encode() + b"\n")
        except OSError as error:
            log.warning("a box stopped reading its pins: %s", error)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _serve(self, stop: threading.Event) -> None:
        assert self._listener is not None
        with self._listener as listener, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while not stop.is_set():
                for key, _ in selector.select(timeout=0.2):
                    if key.fileobj is listener:
                        client, _ = listener.accept()
                        self._welcome(client)
                        selector.register(client, selectors.EVENT_READ)
                    elif isinstance(key.fileobj, socket.socket) and not self._read(key.fileobj):
                        selector.unregister(key.fileobj)
                        self._drop(key.fileobj)
            for client in list(self._clients):
                self._drop(client)

    def _welcome(self, client: socket.socket) -> None:
        with self._lock:
            levels = {str(pin): None if level is None else int(level) for pin, level in self._levels.items()}
            self._clients[client] = b""
            self._send(client, json.dumps({"levels": levels}))

    def _drop(self, client: socket.socket) -> None:
        with self._lock:
            self._clients.pop(client, None)
            client.close()

    def _read(self, client: socket.socket) -> bool:
        """Takes in what a box wrote; False when it hung up."""
        try:
            data = client.recv(65536)
        except OSError:
            return False
        if not data:
            return False
        *lines, rest = (self._clients[client] + data).split(b"\n")
        self._clients[client] = rest
        for line in lines:
            message = json.loads(line)
            if "write" in message:
                self._written(int(message["write"]), bool(message["level"]))
            elif message.get("function") == "input":
                with self._lock:
                    self._outputs.pop(int(message["claim"]), None)
        return True

    def _written(self, pin: int, level: bool) -> None:
        with self._lock:
            self._outputs[pin] = level
            listeners = list(self._listeners.get(pin, ()))
        at = boot_ns()
        for listener in listeners:
            listener(level, at)
