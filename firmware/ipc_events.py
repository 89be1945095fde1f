"""The socket's events made of what the database has taken. Shapes: docs/interfaces.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_CALL = (
    "id",
    "line",
    "direction",
    "status",
    "started_utc_ms",
    "number",
    "name",
    "presentation",
    "answered_utc_ms",
    "ended_utc_ms",
    "outcome",
    "end_reason",
    "parts",
    "number_e164",
    "ring_pattern",
    "flags",
)


def call_event(seq: int, body: Mapping[str, Any]) -> Json:
    """A call changed."""
    return {"event": "call", "seq": seq, "call": {name: body[name] for name in _CALL}}


def alarm_event(seq: int, body: Mapping[str, Any]) -> Json:
    """An alarm was raised, repeated, acknowledged or resolved."""
    return {"event": "alarm", "seq": seq, "alarm": dict(body)}


def recording_event(seq: int, body: Mapping[str, Any]) -> Json:
    """A recording reached another status."""
    recording = {name: body.get(name) for name in ("id", "call_id", "line", "status")}
    return {"event": "recording", "seq": seq, "recording": recording}
