"""EMQX's file transfer over MQTT: the broker itself assembles files, with none of our code behind it.

What the broker does stands in docs/emqx.md with its sources. In short: it never says what it has, so the box counts the
pieces it has confirmed; an answer names the topic it answers; pieces die after a while; a failed `fin` names no
gap, so that everything goes again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sync import wire
from sync.dialects import Answer, Later
from sync.outbox import DueFile
from sync.ranges import Ranges
from sync.topics import WireError

COMMAND = "$file-async"
RESPONSE = "$file-response"
FIN_S = 60.0
"""A broker that assembles a large file answers late (its ``assemble_timeout`` is 5 minutes by default)."""

KEEP_EVERY_S = 10.0
_AGED = 0.9
"""Pieces older than this part of their life are not counted on."""
_CONFLICT_S = 3600.0
_INCOMPLETE_S = 30.0
_LONGEST_S = 3600.0


@dataclass(slots=True)
class _Known:
    file: DueFile
    have: Ranges = field(default_factory=Ranges)
    since_ms: int = 0
    """When the oldest of them was confirmed, by the wall clock; 0: there is none."""
    lengths: dict[int, int] = field(default_factory=dict)
    """Of what is on its way, by offset."""
    failed: int = 0
    kept_s: float = 0.0
    changed: bool = False


class EmqxFiles:
    """Lives as long as the settings do, over connections: what is confirmed stays so."""

    def __init__(self, dev: str, *, segments_h: float, utc_ms: Callable[[], int]) -> None:
        """``utc_ms``: the wall clock; what is confirmed ages over restarts, too."""
        self.filters = (f"{RESPONSE}/{dev}",)
        self._life_ms = segments_h * 3_600_000 * _AGED
        self._files: dict[str, _Known] = {}
        self._utc_ms = utc_ms

    def opened(self, file: DueFile, now_s: float, /) -> None:
        known = self._files.setdefault(file.fid, _Known(file))
        if file.have and not known.since_ms:
            known.have, known.since_ms = _kept(file.have)
        if not 0 <= self._utc_ms() - known.since_ms < self._life_ms:
            known.have, known.since_ms = Ranges(), 0
        known.lengths.clear()
        known.kept_s = now_s

    def init(self, fid: str) -> str:
        return f"{COMMAND}/{fid}/init"

    def chunk(self, fid: str, offset: int, data: bytes) -> str:
        if known := self._files.get(fid):
            known.lengths[offset] = len(data)
        return f"{COMMAND}/{fid}/{offset}/{wire.chunk_digest(data)}"

    def fin(self, file: DueFile) -> str:
        return f"{COMMAND}/{file.fid}/fin/{file.size}/{file.sha256}"

    def abort(self, fid: str) -> str:
        self._files.pop(fid, None)
        return f"{COMMAND}/{fid}/abort"

    def answer(self, topic: str, payload: bytes, /) -> Answer | None:
        if topic != self.filters[0]:
            raise WireError(f"no answer of EMQX comes on {topic!r:.80}")
        fid, step, code, why = _parsed(payload)
        known = self._files.get(fid)
        if known is None:
            return None  # of an earlier attempt
        match step:
            case ["init"]:
                return self._of_init(known, code, why)
            case ["fin", *_]:
                return self._of_fin(known, code, why)
            case [offset, *_] if offset.isdecimal():
                return self._of_chunk(known, int(offset), code)
        return None

    def to_keep(self, now_s: float, /) -> Iterator[tuple[str, str]]:
        for fid, known in self._files.items():
            if known.changed and now_s - known.kept_s >= KEEP_EVERY_S:
                known.changed, known.kept_s = False, now_s
                yield fid, json.dumps({"since_ms": known.since_ms, "have": list(known.have)})

    def _of_init(self, known: _Known, code: int, why: str) -> Answer | None:
        if code == wire.RC_OK:
            return wire.FileAck(f=known.file.fid, state="receiving", have=tuple(known.have))
        if "conflict" in why:
            # The broker remembers another init of this id: of a database that was made anew. It forgets it in time.
            return Later(known.file.fid, _CONFLICT_S, f"the broker knows another file of this name: {why}")
        return None  # asked again after a while, as if nothing had come

    def _of_chunk(self, known: _Known, offset: int, code: int) -> Answer | None:
        length = known.lengths.pop(offset, 0)
        if code == wire.RC_OK and length:
            known.have |= [(offset, offset + length)]
            known.since_ms = known.since_ms or self._utc_ms()
            known.changed = True
        again = wire.RC_OK if code == wire.RC_OK else wire.RC_RESEND
        return wire.FileAck(f=known.file.fid, state="receiving", have=tuple(known.have), rc=again)

    def _of_fin(self, known: _Known, code: int, why: str) -> Answer:
        file = known.file
        if code == wire.RC_OK:
            del self._files[file.fid]
            return wire.FileAck(f=file.fid, state="stored", size=file.size, sha256=file.sha256, store="emqx")
        known.have, known.since_ms, known.changed = Ranges(), 0, True
        known.kept_s = 0.0
        if "incomplete" in why:
            # A node that holds pieces may be down: it is worth waiting for, but not for ever the same time.
            known.failed += 1
            wait_s = min(_INCOMPLETE_S * 2.0 ** min(known.failed - 1, 10), _LONGEST_S)
            return Later(file.fid, wait_s, "the broker lacks pieces that it had confirmed; everything goes again")
        return wire.FileAck(f=file.fid, state="receiving", rc=wire.RC_RESEND_ALL, desc=f"the broker says {why}"[:400])


def _parsed(payload: bytes) -> tuple[str, list[str], int, str]:
    """File id, what was answered, reason code and its description. Raises `WireError`."""
    try:
        answer: Any = json.loads(payload)
        topic, code, why = answer["topic"], answer["reason_code"], answer.get("reason_description", "")
        root, fid, *step = topic.split("/")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WireError(f"not an answer of EMQX's file transfer: {error}"[:200]) from None
    if type(code) is not int or root not in (COMMAND, "$file"):
        raise WireError(f"not an answer of EMQX's file transfer: {topic!r:.80}, {code!r:.20}")
    return fid, step, code, str(why)


def _kept(text: str) -> tuple[Ranges, int]:
    try:
        kept = json.loads(text)
        return Ranges((int(start), int(end)) for start, end in kept["have"]), int(kept["since_ms"])
    except (ValueError, KeyError, TypeError):
        return Ranges(), 0
