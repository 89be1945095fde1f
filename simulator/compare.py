"""Holds the box's call list, ledger and recordings against the street's own log, one to one. Pure.

``calls`` and ``ledger`` are what ``offhook calls --json`` and ``offhook ledger --json`` print. Everything that differs
is one sentence; an empty list means that the box told the truth, the whole truth and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.hearing import Match, matches
from simulator.journal import StreetCall
from simulator.scenario import FaultKind, Side
from simulator.speech import LOCAL, REMOTE, say

TOLERANCE_MS = 1000
_CONTROL_PROMPTS = 2
_NOT_TAKEN = ("missed", "rejected")
"""Outcomes that the ledger counts as missed: somebody called and was not spoken to."""

Channels = npt.NDArray[np.floating]
Decode = Callable[[str], tuple[Channels, int]]
"""A recording's path (relative to the data folder) → samples (frames x channels), rate in Hz."""

BoxCall = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A call of the street and the box's row of it."""

    street: StreetCall
    box: BoxCall


@dataclass(frozen=True)
class Pairing:
    pairs: tuple[Pair, ...]
    missing: tuple[StreetCall, ...]
    extra: tuple[BoxCall, ...]


def pair(street: Iterable[StreetCall], calls: Iterable[BoxCall]) -> Pairing:
    """Joins calls of the same line by the moment they began, nearest first, not further apart than three tolerances."""
    left = list(street)
    right = list(calls)
    nearness = sorted(
        (abs(s.start_utc_ms - b["started_utc_ms"]), i, j)
        for i, s in enumerate(left)
        for j, b in enumerate(right)
        if s.line == b["line"] and abs(s.start_utc_ms - b["started_utc_ms"]) <= 3 * TOLERANCE_MS
    )
    joined: dict[int, int] = {}
    for _, i, j in nearness:
        if i not in joined and j not in joined.values():
            joined[i] = j
    taken = set(joined.values())
    return Pairing(
        pairs=tuple(Pair(left[i], right[j]) for i, j in sorted(joined.items())),
        missing=tuple(s for i, s in enumerate(left) if i not in joined),
        extra=tuple(b for j, b in enumerate(right) if j not in taken),
    )


def compare_lists(pairing: Pairing) -> list[str]:
    """Nothing missing, nothing extra, and each pair tells the same call."""
    found = [f"{_name(s)}: the box has no such call" for s in pairing.missing]
    found += [f"{b['line']} {b['id']}: the box lists a call that never was" for b in pairing.extra]
    for one in pairing.pairs:
        found += _compare_pair(one)
    return found


def _compare_pair(one: Pair) -> list[str]:
    street, box, name = one.street, one.box, _name(one.street)
    found = []
    if street.trouble:
        found.append(f"{name}: did not go as planned: {street.trouble}")
    for what, told in (("direction", street.direction), ("number", street.number), ("outcome", street.outcome)):
        if box[what] != told:
            found.append(f"{name}: {what} was {told!r}, the box says {box[what]!r}")
    if street.number is None and box["presentation"] != street.presentation:
        found.append(f"{name}: the number was {street.presentation}, the box says {box['presentation']!r}")
    for what, at, key in (
        ("start", street.start_utc_ms, "started_utc_ms"),
        ("answer", street.answered_utc_ms, "answered_utc_ms"),
        ("end", street.end_utc_ms, "ended_utc_ms"),
    ):
        if at is None and box[key] is None:
            continue
        if at is None or box[key] is None:
            found.append(f"{name}: {what} was {at}, the box says {box[key]}")
        elif abs(box[key] - at) > TOLERANCE_MS:
            found.append(f"{name}: the box has its {what} {box[key] - at:+d} ms off")
    return found


def compare_ledger(
    ledger: dict[str, Any], pairing: Pairing, excused: Callable[[dict[str, Any]], bool] = lambda _entry: False
) -> list[str]:
    """The ledger balances, every call is in it as what it was, and every fault in it has a cause in the street.

    ``excused`` says of a fault's entry whether somebody else made it (a bench that kills the recorder).
    """
    found = []
    balance = ledger["balance"]
    if not ledger["balanced"]:
        found.append(f"the ledger does not balance: {balance}")
    found += [f"the ledger has {balance[key]} {key} entries" for key in ("open", "unexplained") if balance[key]]
    entries: list[dict[str, Any]] = ledger["entries"]
    by_call: dict[str, set[str]] = {}
    for entry in entries:
        if entry["call_id"]:
            by_call.setdefault(entry["call_id"], set()).add(entry["disposition"])
    for one in pairing.pairs:
        expected = "missed" if one.street.outcome in _NOT_TAKEN else "call"
        if by_call.get(one.box["id"], set()) - {"fault"} != {expected}:
            got = sorted(by_call.get(one.box["id"], set())) or "nothing"
            found.append(f"{_name(one.street)}: the ledger should have it as {expected!r} and has {got}")
    known = {pair.box["id"] for pair in pairing.pairs}
    found += [
        f"{e['line']} {e['id']}: the ledger's {e['kind']} belongs to a call that never was"
        for e in entries
        if e["call_id"] and e["call_id"] not in known
    ]
    return found + _unexplained_faults([e for e in entries if not (e["fault"] and excused(e))], pairing)


def _unexplained_faults(entries: list[dict[str, Any]], pairing: Pairing) -> list[str]:
    pulled = [
        (pair.street.line, fault)
        for pair in pairing.pairs
        for fault in pair.street.faults
        if fault.kind != FaultKind.PULL_SOUND
    ]
    faults = [entry for entry in entries if entry["fault"]]
    found = []
    for entry in faults:
        explained = any(
            (entry["line"] == line or fault.kind == FaultKind.PULL_HAT)
            and abs(entry["at_utc_ms"] - fault.at_utc_ms) <= 5 * TOLERANCE_MS
            for line, fault in pulled
        )
        if not explained:
            found.append(f"{entry['line']}: the ledger names a fault nobody made: {entry['fault']} ({entry['kind']})")
    for line, fault in pulled:
        if not any(e["line"] == line and abs(e["at_utc_ms"] - fault.at_utc_ms) <= 5 * TOLERANCE_MS for e in faults):
            found.append(f"{line}: {fault.kind} at {fault.at_utc_ms} is not in the ledger")
    return found


@dataclass(frozen=True)
class Heard:
    """One prompt looked for in one channel of one file."""

    call: str
    file: str
    prompt: str
    role: str
    wanted: bool
    match: Match

    @property
    def right(self) -> bool:
        return self.match.heard == self.wanted


def listen(one: Pair, decode: Decode) -> tuple[list[Heard], list[str]]:
    """Looks for every prompt that was said, and for some that were not, in every file of an answered call."""
    name = _name(one.street)
    recordings = [r for r in one.box.get("recordings", []) if r["status"] != "deleted"]
    if not recordings:
        return [], [f"{name}: has no recording"] if one.street.said else []
    faults = [f"{name}: part {r['part']} is {r['status']}, not sealed" for r in recordings if r["status"] != "sealed"]
    sealed = [r for r in recordings if r["status"] == "sealed"]
    heard: list[Heard] = []
    for key in ("flac_path", "opus_path"):
        heard += _listen_to([(r, *decode(r[key])) for r in sealed], key.partition("_")[0], one.street)
    said = {(h.file, h.prompt, h.role, h.wanted) for h in heard if h.wanted and h.match.heard}
    wrong = []
    for h in heard:
        if h.wanted and (h.file, h.prompt, h.role, True) not in said:
            wrong.append(f"{name}: {h.prompt} is not on channel {h.role} of the {h.file} (score {h.match.score})")
        if not h.wanted and h.match.heard:
            wrong.append(f"{name}: {h.prompt} is on channel {h.role} of the {h.file} (score {h.match.score})")
    if sealed:
        roles = {role for r in sealed for role in r["roles"]}
        for spoken in one.street.said:
            if not roles & {spoken.side, "mixed"}:
                wrong.append(f"{name}: no channel of the recording is for the {spoken.side} side")
    return heard, faults + list(dict.fromkeys(wrong))


def _listen_to(parts: list[tuple[dict[str, Any], Channels, int]], file: str, street: StreetCall) -> list[Heard]:
    """Every part by itself; a prompt counts as said when one of the parts has it."""
    said = {spoken.prompt: spoken.side for spoken in street.said}
    strangers = [p.id for p in (*REMOTE, *LOCAL) if p.id not in said and p.id not in street.cut]
    start = sum(map(ord, street.id)) % len(strangers)
    control = (strangers * 2)[start : start + _CONTROL_PROMPTS]
    found = []
    for recording, channels, rate_hz in parts:
        for n, role in enumerate(recording["roles"]):
            channel = channels[:, n]
            for prompt, side in said.items():
                wanted = role in (side, "mixed")
                found.append(Heard(street.id, file, prompt, role, wanted, matches(channel, rate_hz, say(prompt))))
            for prompt in control:
                found.append(Heard(street.id, file, prompt, role, False, matches(channel, rate_hz, say(prompt))))
    return found


def _name(call: StreetCall) -> str:
    other = {Side.LOCAL: "to", Side.REMOTE: "from"}[Side.REMOTE if call.direction == "incoming" else Side.LOCAL]
    return f"{call.line} {call.direction} {other} {call.number or call.presentation} ({call.id})"
