"""Reads a captured conversation with a module: ``<`` from it, ``>`` to it, raw bytes with C escapes (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from firmware.errors import OffhookError
from firmware.modem.at_events import AtEvent, Unknown, parse_line
from firmware.modem.at_json import Json, as_json
from firmware.modem.at_lines import AtLine, LineCutter, LineType

_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_NAMED: Final = {
    b"r": b"\r", b"n": b"\n", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"e": b"\x1b",
}  # fmt: skip


class CaptureError(OffhookError):
    """The file is no capture."""


def unescaped(text: bytes) -> bytes:
    """``\\r``, ``\\n``, ``\\0``, ``\\x1a``, ``\\\\``, ``\\"``, ... as the bytes they stand for; the rest as it is."""

    def one(match: re.Match[bytes]) -> bytes:
        hexadecimal, octal, name = match.groups()
        if hexadecimal is not None:
            return bytes([int(hexadecimal, 16)])
        if octal is not None:
            return bytes([int(octal, 8) & 0xFF])
        return _NAMED.get(name, name)

    return _ESCAPE.sub(one, text)


def records(capture: bytes) -> list[tuple[str, bytes]]:
    """Direction (``<`` or ``>``) and bytes, in order. Empty lines and lines that begin with ``#`` are left out.

    A file in which no line begins with ``<`` or ``>`` is taken as the bytes of the module themselves. Where no record
    from the module holds a line end, each is a line. Raises `CaptureError` where some lines have a direction and others
    not.
    """
    lines = [(number, line) for number, line in enumerate(capture.splitlines(), 1) if line.strip() and line[:1] != b"#"]
    if not any(line[:1] in {b"<", b">"} for _, line in lines):
        return [("<", capture)] if capture else []
    found: list[tuple[str, bytes]] = []
    for number, line in lines:
        if line[:1] not in {b"<", b">"}:
            raise CaptureError(f"line {number} begins neither with < (from the module) nor with > (to it), nor with #")
        found.append((line[:1].decode(), unescaped(line[2:] if line[1:2] == b" " else line[1:])))
    if not any(b"\r" in data or b"\n" in data for way, data in found if way == "<"):
        found = [(way, data + b"\r\n") for way, data in found]
    return found


def events(capture: bytes, brand: str | None = None) -> Iterator[Json]:
    """One JSON object per line the module said, in order; echoes of commands are left out.

    ``brand``: only this vendor's words are known (see `firmware.modem.at_events.BRANDS`); None: all.
    """
    cutter = LineCutter()
    commands: list[str] = []
    for way, data in records(capture):
        if way == ">":
            commands += [text.strip() for text in data.decode("latin-1").splitlines()]
            continue
        for line in cutter.feed(data):
            if line.text in commands:
                commands.remove(line.text)  # an echo
            else:
                yield _as_json(line, brand)
    for line in cutter.feed(b"\r"):  # a capture may end in the middle of a line
        yield _as_json(line, brand)


def _as_json(line: AtLine, brand: str | None) -> Json:
    event: AtEvent = parse_line(line.text, brand)
    if isinstance(event, Unknown) and line.type is LineType.OK:
        return {"kind": line.text.lower()}
    if isinstance(event, Unknown) and line.type is LineType.ERROR:
        return {"kind": "error", "text": line.text}
    return as_json(event)
