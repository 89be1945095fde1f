"""A blocking client of the recorder's socket, for the page, the sync and the command line."""

from __future__ import annotations

import itertools
import socket
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from firmware.errors import OffhookError, RequestError
from firmware.ipc.codec import BadLine, LineDecoder, encode

REQUEST_DEADLINE_S = 5.0
_READ_BYTES = 65536


class RecorderUnreachableError(OffhookError, ConnectionError):
    """The recorder does not run, does not answer, or hung up. The message says what to do."""


class RefusedError(RequestError):
    """A refusal as it came over the socket; ``details`` is the whole error object (``faults`` with ``invalid``)."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.details = error
        super().__init__(str(error.get("code", "internal")), str(error.get("message", "the recorder gave no reason")))


class _Connection:
    """One connected socket with the messages that came over it."""

    def __init__(self, path: Path, deadline_s: float) -> None:
        self._path = path
        self._decoder = LineDecoder()
        self._messages: deque[dict[str, Any]] = deque()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(deadline_s)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise RecorderUnreachableError(_why_not_connected(path, error)) from error

    def send(self, message: dict[str, Any], deadline_s: float) -> None:
        self._socket.settimeout(max(deadline_s, 0.001))
        try:
            self._socket.sendall(encode(message))
        except OSError as error:
            raise self._lost(str(error)) from error

    def receive(self, deadline_s: float) -> dict[str, Any] | None:
        """The next message; None when none came within ``deadline_s`` seconds."""
        end = time.monotonic() + deadline_s
        while not self._messages:
            left_s = end - time.monotonic()
            if left_s <= 0:
                return None
            self._socket.settimeout(left_s)
            try:
                data = self._socket.recv(_READ_BYTES)
            except TimeoutError:
                return None
            except OSError as error:
                raise self._lost(str(error)) from error
            if not data:
                raise self._lost("it closed the connection")
            for message in self._decoder.feed(data):
                if isinstance(message, BadLine):
                    raise self._lost(message.reason)
                self._messages.append(message)
        return self._messages.popleft()

    def close(self) -> None:
        self._socket.close()

    def _lost(self, why: str) -> RecorderUnreachableError:
        return RecorderUnreachableError(
            f"lost the recorder at {self._path}: {why}; it may be restarting, so try again in a few seconds"
        )


def _why_not_connected(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"may not open {path}; run this as a member of the group offhook (or with sudo)"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return f"no recorder listens at {path}; start it (systemctl start offhook-recorder, or offhook run)"
    return f"cannot reach the recorder at {path}: {error}; see systemctl status offhook-recorder"


class RecorderClient:
    """Asks the recorder. Not for use from several threads at once; make one each, they are cheap."""

    def __init__(self, path: Path | str, deadline_s: float = REQUEST_DEADLINE_S) -> None:
        self._path = Path(path)
        self._deadline_s = deadline_s
        self._ids = itertools.count(1)
        self._connection: _Connection | None = None

    def request(self, cmd: str, **args: Any) -> dict[str, Any]:
        """The result of ``cmd``.

        Raises `RefusedError` (a `RequestError`) when the recorder says no and `RecorderUnreachableError` (a
        `ConnectionError`) when it does not run or gives no answer by the deadline; what came of the request is then
        unknown.
        """
        end = time.monotonic() + self._deadline_s
        if self._connection is None:
            self._connection = _Connection(self._path, self._deadline_s)
        request_id = next(self._ids)
        try:
            self._connection.send({**args, "id": request_id, "cmd": cmd}, end - time.monotonic())
            while (message := self._connection.receive(end - time.monotonic())) is not None:
                if "event" not in message and message.get("id") in (request_id, None):
                    return _result(message)
        except RecorderUnreachableError:
            self.close()
            raise
        self.close()  # an answer that comes after its deadline must not be taken for the next one's
        raise RecorderUnreachableError(
            f"the recorder did not answer {cmd} within {self._deadline_s:g} s; see systemctl status offhook-recorder"
        )

    def subscribe(self, levels: bool = False) -> Subscription:
        """Events from now on, the full state first, over a connection of its own. Raises as `request` does."""
        return Subscription(self._path, levels=levels, deadline_s=self._deadline_s)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class Subscription:
    """An endless iterator of events; ends by `RecorderUnreachableError` when the recorder goes, or by `close`."""

    def __init__(self, path: Path, *, levels: bool, deadline_s: float) -> None:
        self._connection = _Connection(path, deadline_s)
        self._early: deque[dict[str, Any]] = deque()
        try:
            self._connection.send({"id": 0, "cmd": "subscribe", "levels": levels}, deadline_s)
            end = time.monotonic() + deadline_s
            while (message := self._connection.receive(end - time.monotonic())) is not None:
                if "event" not in message:
                    _result(message)
                    return
                self._early.append(message)
            raise RecorderUnreachableError(
                f"the recorder at {path} did not answer subscribe within {deadline_s:g} s; "
                "see systemctl status offhook-recorder"
            )
        except BaseException:
            self._connection.close()
            raise

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """The next event; None when none came within ``timeout_s`` seconds (then send the browser a keep-alive)."""
        if self._early:
            return self._early.popleft()
        return self._connection.receive(timeout_s)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            event = self.next(timeout_s=60.0)
            if event is not None:
                yield event

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _result(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("ok") is True and isinstance(message.get("result"), dict):
        result: dict[str, Any] = message["result"]
        return result
    error = message.get("error")
    raise RefusedError(error if isinstance(error, dict) else {})
