"""The serial port of a line monitor, which may serve several telephone lines: opened once, each line hears its own."""

from __future__ import annotations

import logging
import termios
import threading
from typing import Final, Protocol
from weakref import WeakValueDictionary

import serial

from firmware.analog.whozz import CallRecord, Detail, RecordReader, Strange
from firmware.model import Instant
from firmware.ports import Clock
from firmware.worker import Worker

log = logging.getLogger("offhook.analog")

BAUD: Final = 9600
"""Of the monitor: 8 data bits, no parity, one stop bit (product manual)."""
_READ_S: Final = 0.25
_RETRY_S: Final = 0.5

_ports: WeakValueDictionary[str, MonitorPort] = WeakValueDictionary()
_ports_lock = threading.Lock()


class Listener(Protocol):
    """A line on the monitor. Every call comes on the port's thread."""

    def on_port(self, at: Instant) -> None:
        """The port is open (again)."""
        ...

    def on_lost(self, reason: str, at: Instant) -> None: ...

    def on_record(self, record: Detail | CallRecord, at: Instant) -> None: ...


class MonitorPort:
    """Reads from the first line's `join` to the last line's `leave`."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[int, Listener] = {}
        self._worker: Worker | None = None
        self._open = False
        self._lost: str | None = None

    def join(self, socket: int, line: Listener) -> None:
        """``line`` hears of ``socket`` (as numbered on the monitor) from now on."""
        with self._lock:
            if self._open:
                line.on_port(self._clock.now())
            elif self._lost is not None:
                line.on_lost(self._lost, self._clock.now())
            self._lines[socket] = line
            if self._worker is None:
                self._worker = Worker(f"monitor-{self._path}", self._run)
                self._worker.start()

    def leave(self, socket: int) -> None:
        """Nothing more is said to the line when this returns."""
        with self._lock:
            self._lines.pop(socket, None)
            worker = None
            if not self._lines:
                worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop(5.0)
            self._open, self._lost = False, None

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with serial.Serial(self._path, BAUD, timeout=_READ_S, exclusive=True) as port:
                    self._tell_open()
                    self._listen(port, stop)
            except (OSError, termios.error) as error:  # serial.SerialException is an OSError
                self._tell_lost(f"the line monitor at {self._path} cannot be reached: {error}; check its USB cable")
                stop.wait(_RETRY_S)

    def _listen(self, port: serial.Serial, stop: threading.Event) -> None:
        reader = RecordReader()
        while not stop.is_set():
            data = port.read(1)
            if data:
                data += port.read(port.in_waiting)
            at = self._clock.now()
            for record in reader.feed(data):
                if isinstance(record, Strange):
                    log.warning("line monitor: %s", record.why, extra={"offhook": {"port": self._path}})
                    continue
                with self._lock:
                    line = self._lines.get(record.line)
                    if line is not None:
                        line.on_record(record, at)

    def _tell_open(self) -> None:
        with self._lock:
            self._open, self._lost = True, None
            for line in self._lines.values():
                line.on_port(self._clock.now())

    def _tell_lost(self, reason: str) -> None:
        with self._lock:
            said, self._open, self._lost = self._lost, False, reason
            if said is not None:
                return
            for line in self._lines.values():
                line.on_lost(reason, self._clock.now())


def monitor_port(path: str, clock: Clock) -> MonitorPort:
    """The port at ``path``, shared by all lines of this process that name it."""
    with _ports_lock:
        port = _ports.get(path)
        if port is None:
            port = _ports[path] = MonitorPort(path, clock)
        return port
