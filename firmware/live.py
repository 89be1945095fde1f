"""What the box is doing right now, as subscribers of the socket see it: a frozen snapshot, replaced at each change."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from firmware.line_state import LineState
from firmware.model import Call, LineId, LineKind
from firmware.ports import Clock
from firmware.signals.numbers import e164

Json = dict[str, Any]


class SoundState(StrEnum):
    """Whether a line can be heard."""

    OK = "ok"
    SILENT = "silent"
    LOST = "lost"
    NONE = "none"
    """The driver has no sound at all."""


@dataclass(frozen=True, slots=True)
class LineAbout:
    """What does not change while a line runs."""

    id: LineId
    label: str
    kind: LineKind
    driver: str
    country: str = ""
    """ISO 3166."""


def call_as_json(call: Call, country: str = "") -> Json:
    """CALL of docs/interfaces.md; ``country`` (ISO 3166) is that of its line."""
    return {
        "id": call.id,
        "line": call.line,
        "direction": call.direction.value,
        "status": call.status.value,
        "started_utc_ms": call.started.utc_ms,
        "number": call.number,
        "name": call.name,
        "presentation": call.presentation.value,
        "answered_utc_ms": call.answered.utc_ms if call.answered else None,
        "ended_utc_ms": call.ended.utc_ms if call.ended else None,
        "outcome": call.outcome.value if call.outcome else None,
        "end_reason": call.end_reason.value if call.end_reason else None,
        "parts": call.parts,
        "number_e164": e164(call.number, country),
        "ring_pattern": call.ring_pattern,
        "flags": sorted(flag.value for flag in call.flags),
    }


def line_as_json(about: LineAbout, state: LineState, sound: SoundState, *, recording: bool, fault: str | None) -> Json:
    """LINE of docs/interfaces.md. ``recording`` says that sound reaches the disk, not that it should."""
    return {
        "id": about.id,
        "label": about.label,
        "kind": about.kind.value,
        "driver": about.driver,
        "present": state.present,
        "phase": state.phase.value,
        "sound": sound.value,
        "recording": recording,
        "call": call_as_json(state.call, about.country) if state.call else None,
        "waiting": {"number": state.knocks[-1].number} if state.knocks else None,
        "fault": {"en": fault, "zh": f"设备不可用：{fault}"} if fault else None,
    }


class LiveView:
    """The newest of everything a subscriber starts with. Written by the core and the store, read by any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seq = 0
        self._lines: dict[str, Json] = {}
        self._alarms: list[Json] = []
        self._today: Json = {"calls": 0, "missed": 0}
        self._config_version = 0

    def set_line(self, line: Json) -> Json | None:
        """The ``line`` event to publish; None when nothing changed."""
        with self._lock:
            if self._lines.get(line["id"]) == line:
                return None
            self._lines[line["id"]] = line
            return {"event": "line", "seq": self._next(), "at_utc_ms": self._clock.now().utc_ms, "line": line}

    def drop_line(self, line: LineId) -> Json:
        """The full state to publish after a line left the settings."""
        with self._lock:
            self._lines.pop(line, None)
            self._next()
        return self.full_state()

    def set_standing(self, alarms: Sequence[Mapping[str, Any]], today: Mapping[str, Any]) -> None:
        """Alarms and counts, as the database holds them."""
        with self._lock:
            self._alarms = [dict(alarm) for alarm in alarms]
            self._today = dict(today)

    def set_config_version(self, version: int) -> None:
        with self._lock:
            self._config_version = version

    def next_seq(self) -> int:
        """The number of an event that is about to be published."""
        with self._lock:
            return self._next()

    def full_state(self) -> Json:
        """The ``state`` event as it is now."""
        with self._lock:
            return {
                "event": "state",
                "seq": self._seq,
                "at_utc_ms": self._clock.now().utc_ms,
                "lines": list(self._lines.values()),
                "alarms": self._alarms,
                "today": self._today,
                "config_version": self._config_version,
            }

    def _next(self) -> int:
        self._seq += 1
        return self._seq
