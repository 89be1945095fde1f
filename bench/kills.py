"""Kills the recorder with SIGKILL again and again while the street calls, and prints what each kill cost.

    .venv/bin/python -m bench.kills --kills 100

Goals: every call in the list; at most 1.0 s lost of the sound before a kill; a call that is still up at the restart
goes on as the next part of the same row within 5 s; the hole is a named fault; the database is sound; the ledger
balances. Exit code 1 when one of these does not hold.

Kills may come faster than the box is back. A kill is then asked for what the box could do before the next one: a
further part is due when it watched the call for a second, and the 5 s count from the last kill before that part. A
call that fell into holes with less than a second between them was seen by nobody. While the street has pulled the
line's device out there is no sound to record: no further part is due then, but an alarm that names the loss is.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.demo import Demo, Wishes
from simulator.journal import StreetCall

LOST_GOAL_MS = 1000
RESUME_GOAL_MS = 5000
TOLERANCE_MS = 1000


@dataclass
class Kill:
    """One kill: when, what was up, and what it cost."""

    at_utc_ms: int
    recording: dict[str, str]
    """Lines that were being recorded, each with its call."""
    lost_ms: dict[str, int] = field(default_factory=dict)
    resumed_ms: dict[str, int] = field(default_factory=dict)
    back_utc_ms: int = 0


@dataclass(frozen=True)
class Absence:
    """The street had pulled the device of a line out."""

    line: str
    at_utc_ms: int
    back_utc_ms: int
    told: bool
    """An alarm of the box names it."""

    def hides_ms(self, line: str, from_utc_ms: int, until_utc_ms: int) -> int:
        """How much of the time between two moments the line had no sound to give."""
        if line != self.line:
            return 0
        return max(0, min(until_utc_ms, self.back_utc_ms) - max(from_utc_ms, self.at_utc_ms))


@dataclass
class Run:
    kills: list[Kill]
    calls: int
    faults: list[str]
    unseen: int
    """Calls that came and went while the recorder was down: nobody can list them, the hole is named."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--calls", type=int, default=24, help="calls per run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=5.0, help="mean seconds between two kills")
    parser.add_argument("--keep", type=Path, default=None, help="keep the runs' folders here")
    wanted = parser.parse_args()
    console = Console(width=150) if not sys.stdout.isatty() else Console()
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, load before {os.getloadavg()}, seed {wanted.seed}")
    runs: list[Run] = []
    seed = wanted.seed
    while sum(len(run.kills) for run in runs) < wanted.kills:
        left = wanted.kills - sum(len(run.kills) for run in runs)
        with tempfile.TemporaryDirectory(prefix="offhook-kills-", ignore_cleanup_errors=True) as name:
            folder = (wanted.keep / f"run-{seed}") if wanted.keep else Path(name)
            runs.append(one_run(folder, calls=wanted.calls, seed=seed, most=left, every_s=wanted.every))
        seed += 1
    return report(runs, console)


def one_run(folder: Path, *, calls: int, seed: int, most: int, every_s: float) -> Run:
    """A day of calls with kills in it, then everything is looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    demo = Demo(Wishes(once=True, calls=calls, seed=seed, page=False), folder, Console(quiet=True))
    demo.start()
    try:
        kills = play(demo, calls=calls, seed=seed, most=most, every_s=every_s)
        listed = demo.sealed_calls()
        ledger = demo.ledger()
    finally:
        street = demo.journal()
        demo.stop()
    holes = [e for e in ledger["entries"] if e["fault"] == "recorder_was_down"]
    faults, unseen = compare(street, listed, holes)
    absences = pulled(street, folder / "data" / "offhook.db")
    for kill, following in zip(kills, [*kills[1:], None], strict=True):
        faults += cost(kill, following, listed, holes, absences)
    faults += soundness(folder / "data" / "offhook.db", ledger)
    return Run(kills, len(street), faults, unseen)


def play(demo: Demo, *, calls: int, seed: int, most: int, every_s: float) -> list[Kill]:
    rng = random.Random(seed)
    kills: list[Kill] = []
    demo.street("day", calls=calls, seed=seed)
    next_s = time.monotonic() + 3.0
    while demo.street("status")["running"]:
        demo.look_after()
        if len(kills) < most and time.monotonic() >= next_s:
            kill = strike(demo, rng)
            if kill is not None:
                kills.append(kill)
                next_s = time.monotonic() + rng.uniform(0.6, 1.4) * every_s
        time.sleep(0.1)
    return kills


def strike(demo: Demo, rng: random.Random) -> Kill | None:
    """Kills the recorder, mostly while something is recorded; None when this is not the moment."""
    state = demo.box.state()
    if state is None or not all(line["present"] for line in state["lines"] if line["kind"] == "analog"):
        return None
    recording = {line["id"]: line["call"]["id"] for line in state["lines"] if line["recording"]}
    if not recording and rng.random() < 0.9:
        return None
    return Kill(at_utc_ms=demo.kill_recorder(), recording=recording)


def compare(
    street: list[StreetCall], listed: list[dict[str, Any]], holes: list[dict[str, Any]]
) -> tuple[list[str], int]:
    """Each call of the street has exactly one row, unless all of it fell into holes."""
    faults, unseen = [], 0
    claimed: set[str] = set()
    for call in street:
        rows = [c for c in listed if c["line"] == call.line and c["id"] not in claimed and _overlaps(c, call)]
        if not rows and _within(call, holes):
            unseen += 1
            continue
        if not rows:
            faults.append(f"{call.line} {call.id}: not in the list")
            continue
        row = min(rows, key=lambda c: abs(c["started_utc_ms"] - call.start_utc_ms))
        claimed.add(row["id"])
        if row["status"] != "ended":
            faults.append(f"{row['id']}: still {row['status']}")
    extra = [c for c in listed if c["id"] not in claimed]
    faults += [f"{c['id']}: {c['direction']}, {c['flags']}: a row that is no call of the street" for c in extra]
    return faults, unseen


def _overlaps(row: dict[str, Any], call: StreetCall) -> bool:
    ended = row["ended_utc_ms"] or row["started_utc_ms"]
    return bool(row["started_utc_ms"] <= call.end_utc_ms + TOLERANCE_MS and ended >= call.start_utc_ms - TOLERANCE_MS)


def _within(call: StreetCall, holes: list[dict[str, Any]]) -> bool:
    unseen_from: int | None = None
    until = 0
    for hole in sorted((h for h in holes if h["line"] == call.line), key=lambda h: h["at_utc_ms"]):
        if unseen_from is None or hole["at_utc_ms"] > until + TOLERANCE_MS:
            unseen_from, until = hole["at_utc_ms"], 0
        until = max(until, hole["until_utc_ms"] or 0)
        if unseen_from <= call.start_utc_ms + TOLERANCE_MS and call.end_utc_ms <= until:
            return True
    return False


def pulled(street: list[StreetCall], database: Path) -> list[Absence]:
    """Each time the street pulled a device out, and whether the box has an alarm of it."""
    connection = sqlite3.connect(database)
    try:
        alarms = connection.execute(
            "SELECT subject, since_utc_ms, last_utc_ms FROM alarm WHERE key IN ('sound_lost', 'line_down')"
        ).fetchall()
    finally:
        connection.close()
    absences = []
    for call in street:
        for fault in call.faults:
            if fault.kind.startswith("pull"):
                back = fault.back_utc_ms or sys.maxsize
                told = any(s == call.line and since <= back and last >= fault.at_utc_ms for s, since, last in alarms)
                absences.append(Absence(call.line, fault.at_utc_ms, back, told))
    return absences


def cost(
    kill: Kill,
    following: Kill | None,
    listed: list[dict[str, Any]],
    holes: list[dict[str, Any]],
    absences: list[Absence],
) -> list[str]:
    """What was lost at this kill, per line that was recorded; ``following`` is the next one."""
    faults = []
    next_utc_ms = following.at_utc_ms if following else sys.maxsize
    for line, call_id in kill.recording.items():
        call = next((c for c in listed if c["id"] == call_id), None)
        if call is None:
            faults.append(f"{call_id}: was recorded at the kill and is not in the list")
            continue
        parts = sorted((r["started_utc_ms"], r["duration_ms"] or 0) for r in call["recordings"])
        before = [p for p in parts if p[0] <= kill.at_utc_ms]
        if not before:
            faults.append(f"{call_id}: nothing is left of the recording that was killed at {kill.at_utc_ms}")
            continue
        started, duration = before[-1]
        kill.lost_ms[line] = max(0, kill.at_utc_ms - started - duration)
        later = [p for p in parts if p[0] > kill.at_utc_ms]
        if later and later[0][0] < next_utc_ms:
            kill.resumed_ms[line] = later[0][0] - kill.at_utc_ms
        hole = [h for h in holes if h["line"] == line and _near(h, kill.at_utc_ms)]
        if not hole:
            faults.append(f"{line}: the hole after the kill at {kill.at_utc_ms} is not in the ledger")
            continue
        kill.back_utc_ms = max(kill.back_utc_ms, min(h["until_utc_ms"] or sys.maxsize for h in hole))
        watched_until = min(call["ended_utc_ms"] or 0, next_utc_ms)
        up_ms = watched_until - kill.back_utc_ms
        hidden = [a for a in absences if a.hides_ms(line, kill.back_utc_ms, watched_until)]
        hidden_ms = sum(a.hides_ms(line, kill.back_utc_ms, watched_until) for a in hidden)
        if not later and up_ms - hidden_ms > TOLERANCE_MS:
            faults.append(f"{call['id']}: was up after the restart and has no further part")
        if not later and up_ms > TOLERANCE_MS and not all(a.told for a in hidden):
            faults.append(f"{call['id']}: its device was pulled out after the restart and no alarm says so")
        if kill.lost_ms[line] > LOST_GOAL_MS:
            faults.append(f"{call['id']}: {kill.lost_ms[line]} ms of sound before the kill are lost")
        if kill.resumed_ms.get(line, 0) > RESUME_GOAL_MS:
            faults.append(f"{call['id']}: recorded again only {kill.resumed_ms[line]} ms after the kill")
    return faults


def _near(hole: dict[str, Any], at_utc_ms: int) -> bool:
    return bool(hole["at_utc_ms"] - TOLERANCE_MS <= at_utc_ms <= (hole["until_utc_ms"] or sys.maxsize))


def soundness(database: Path, ledger: dict[str, Any]) -> list[str]:
    connection = sqlite3.connect(database)
    try:
        said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    faults = [] if said == "ok" else [f"integrity_check: {said}"]
    balance = ledger["balance"]
    if not ledger["balanced"] or balance["open"] or balance["unexplained"]:
        faults.append(f"the ledger does not balance: {balance}")
    return faults


def report(runs: list[Run], console: Console) -> int:
    kills = [kill for run in runs for kill in run.kills]
    lost = sorted(ms for kill in kills for ms in kill.lost_ms.values())
    resumed = sorted(ms for kill in kills for ms in kill.resumed_ms.values())
    table = Table(title=f"{len(kills)} kills of the recorder in {len(runs)} runs")
    for head in ("what", "goal", "measured"):
        table.add_column(head)
    table.add_row("kills in a recorded call", ">= 60 of 100", str(sum(1 for kill in kills if kill.recording)))
    table.add_row("recordings that were open at a kill", "", str(len(lost)))
    table.add_row("sound lost before the kill, ms", f"max <= {LOST_GOAL_MS}", spread(lost))
    table.add_row("calls that went on as the next part", "", str(len(resumed)))
    table.add_row("recorded again after the kill, ms", f"max <= {RESUME_GOAL_MS}", spread(resumed))
    table.add_row("calls of the street", "", str(sum(run.calls for run in runs)))
    table.add_row("came and went wholly in a hole", "named fault", str(sum(run.unseen for run in runs)))
    faults = [fault for run in runs for fault in run.faults]
    table.add_row("violations", "0", str(len(faults)))
    console.print(table)
    for fault in faults:
        console.print(f"  - {fault}")
    console.print(f"load after {os.getloadavg()}")
    return 1 if faults else 0


def spread(values: list[int]) -> str:
    if not values:
        return "-"
    return f"median {values[len(values) // 2]}, p95 {values[int(len(values) * 0.95)]}, max {values[-1]}"


if __name__ == "__main__":
    sys.exit(main())
