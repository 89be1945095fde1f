"""The street's own log: one JSON object per call in ``street.jsonl``, as the call was to be seen on the line."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cattrs
from attrs import define, evolve, field, frozen


def utc_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


@frozen(kw_only=True)
class Said:
    """A prompt that was said to its end."""

    side: str
    prompt: str
    at_utc_ms: int


@frozen(kw_only=True)
class FaultDone:
    kind: str
    at_utc_ms: int
    back_utc_ms: int | None = None


@define(kw_only=True)
class StreetCall:
    """What happened. ``outcome`` is what can be seen on the line: an analog line does not tell busy from no answer."""

    id: str
    line: str
    direction: str
    number: str | None
    presentation: str
    """``valid``, ``withheld``, or ``unknown``: the call was answered before the exchange had told who calls."""
    start_utc_ms: int
    answered_utc_ms: int | None = None
    end_utc_ms: int | None = None
    outcome: str = ""
    said: list[Said] = field(factory=list)
    cut: list[str] = field(factory=list)
    """Prompts that were begun and not said to their end: whether they can be heard is nobody's promise."""
    faults: list[FaultDone] = field(factory=list)
    beside: list[StreetCall] = field(factory=list)
    """Calls that came of it: a second caller who was taken. In the log each stands by itself."""
    trouble: str | None = None
    """The call did not go as planned: what the street could not do. Such a call proves nothing and fails the run."""


class Journal:
    """Appends finished calls; may be used from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._count = 0

    @property
    def count(self) -> int:
        return self._count

    def write(self, call: StreetCall) -> None:
        calls = (evolve(call, beside=[]), *call.beside)
        lines = [json.dumps(cattrs.unstructure(one), ensure_ascii=False) for one in calls]
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
            self._count += 1


def read(path: Path) -> list[StreetCall]:
    """The calls in a street's log, in the order in which they ended."""
    if not path.exists():
        return []
    return list(_parse(path.read_text(encoding="utf-8").splitlines()))


def _parse(lines: Iterable[str]) -> Iterable[StreetCall]:
    for line in lines:
        data: dict[str, Any] = json.loads(line)
        yield cattrs.structure(data, StreetCall)
