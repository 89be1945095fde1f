"""Gives orders to a street that runs in another process (`simulator.street`)."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from firmware.errors import OffhookError

_DEADLINE_S = 15.0


class StreetError(OffhookError):
    """The street refused an order, or is gone."""


def order(path: Path, cmd: str, **arguments: Any) -> dict[str, Any]:
    """The street's answer to one order. Raises `StreetError`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(_DEADLINE_S)
            channel.connect(str(path))
            channel.sendall(json.dumps({"cmd": cmd, **arguments}).encode() + b"\n")
            line = channel.makefile("rb").readline()
    except OSError as error:
        raise StreetError(f"the street at {path} does not answer: {error}") from error
    answer: dict[str, Any] = json.loads(line or b'{"ok": false, "error": "it hung up"}')
    if not answer.pop("ok"):
        raise StreetError(f"the street refused {cmd!r}: {answer.get('error')}")
    return answer
