"""The socket's language without the socket: JSON lines in, checked messages out, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware.errors import OffhookError

MAX_LINE_BYTES = 1024 * 1024
"""The longest message, its newline included. docs/interfaces.md."""

ERROR_CODES = frozenset(
    {
        "bad_request", "unknown_command", "no_such_line", "not_supported", "wrong_phase", "device_lost", "conflict",
        "invalid", "busy", "internal", "no_minutes", "confirm_first",
    }
)  # fmt: skip

RequestId = int | str | None


class ProtocolError(OffhookError):
    """What came over the socket is not one of the messages of docs/interfaces.md."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question of a client; ``args`` is everything but its id and command."""

    id: RequestId
    cmd: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The one answer to a request: ``result``, or ``code`` and ``message`` (and ``details``) of a refusal."""

    result: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """More about a refusal, for machines: ``{"faults": [...]}`` with ``invalid``."""

    def to_message(self, request_id: RequestId) -> dict[str, Any]:
        """The JSON object that answers request ``request_id``."""
        if self.code is None:
            return {"id": request_id, "ok": True, "result": dict(self.result)}
        error = {**self.details, "code": self.code, "message": self.message}
        return {"id": request_id, "ok": False, "error": error}


def refusal(code: str, message: str, **details: Any) -> Reply:
    """A reply that says no: ``code`` (of `ERROR_CODES`) for machines, ``message`` for people."""
    return Reply(code=code, message=message, details=details)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no message; after a ``fatal`` one the stream cannot be understood any more."""

    reason: str
    fatal: bool = False


class LineDecoder:
    """Cuts a byte stream into JSON objects. Feed it whatever came, in whatever pieces."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._pending = bytearray()
        self._dead = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any] | BadLine]:
        """Every message that ``data`` completes, in order. After a fatal `BadLine` nothing more comes."""
        if self._dead:
            return
        searched = len(self._pending)
        self._pending += data
        start = 0
        while (end := self._pending.find(b"\n", max(start, searched))) >= 0:
            if end + 1 - start > self._max:
                break
            line = bytes(self._pending[start:end]).strip()
            start = end + 1
            if line:
                yield _parse(line)
        del self._pending[:start]
        if len(self._pending) >= self._max:
            self._dead = True
            self._pending.clear()
            yield BadLine(f"a message is longer than {self._max} bytes; send less at once", fatal=True)


def _parse(line: bytes) -> dict[str, Any] | BadLine:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadLine(f"not a line of JSON in UTF-8: {error}")
    if not isinstance(message, dict):
        return BadLine(f"a message is a JSON object, not {type(message).__name__}")
    return message


def parse_request(message: Mapping[str, Any]) -> Request:
    """The request in ``message``. Raises `ProtocolError` when it has no proper ``id`` or ``cmd``."""
    request_id = message.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, int | str):
        raise ProtocolError('a request carries an "id", a number or a string, that its answer will carry too')
    command = message.get("cmd")
    if not isinstance(command, str):
        raise ProtocolError('a request carries a "cmd", the name of a command (docs/interfaces.md lists them)')
    return Request(request_id, command, {k: v for k, v in message.items() if k not in ("id", "cmd")})


def encode(message: Mapping[str, Any]) -> bytes:
    """``message`` as one line. Raises `ProtocolError` when it is too long."""
    line = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise ProtocolError(f"a message of {len(line)} bytes is longer than {MAX_LINE_BYTES}; ask for less at once")
    return line
