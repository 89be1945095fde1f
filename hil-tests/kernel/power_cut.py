"""Cuts the power of a box in the middle of its calls, many times, and prints what each cut cost.

    .venv/bin/python hil-tests/kernel/power_cut.py --cuts 200

On the test kernel a box records calls on a disk whose every write and flush is logged (dm-log-writes). Then, for each
moment chosen at random, the disk is made as a cut would have left it (what was flushed is there; of what was in the
disk's cache all, some or nothing survives), a box is started from it, and its call list, its ledger and its database
are looked at. Goals: the database is intact, no call is missing, at most 1.0 s of sound is lost in any, the ledger
balances. Exit code 1 when one of these does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import vm
from restart import restart
from rich.console import Console
from rich.table import Table
from write_log import Cut, WriteLog

LOST_GOAL_MS = 1000
YOUNG_MS = 1000
"""A call this young may not be on the disk yet: nothing of it is older than the sound that may be lost."""
STILL_MS = 400
"""A guest that stands still for longer flushes that much later: what a cut takes then is the machine's doing."""
DISK_MIB = 192
LOG_MIB = 1536
_TELL_EVERY = 20
_TRIES = 3
_KEEP = (0.0, 0.5, 1.0)
GUEST = Path(__file__).with_name("power_cut_guest.py")


@dataclass
class Cost:
    """What one cut cost."""

    cut: Cut
    broken: str = ""
    missing: list[str] = field(default_factory=list)
    young_ms: list[int] = field(default_factory=list)
    """Ages of calls that were too young to be on the disk."""
    lost_ms: dict[str, int] = field(default_factory=dict)
    """Sound lost of each recording that had begun at the cut."""
    open: int = 0
    """Recordings that were being made at the cut."""
    faults: list[str] = field(default_factory=list)
    ready_s: float = 0.0
    tries: int = 1
    """Starts until the box answered in time: more than one on a machine that is busy otherwise."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--calls", type=int, default=6, help="from the 7th on the street pulls devices out, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--boxes", type=int, default=8, help="boxes that are started at the same time")
    parser.add_argument("--dir", type=Path, help="keep everything here; a run that is there already is used again")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the guest ends with us
    console = Console() if sys.stdout.isatty() else Console(width=150)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, load before {os.getloadavg()}, seed {wanted.seed}")
    with tempfile.TemporaryDirectory(prefix="offhook-cuts-") as name:
        folder = (wanted.dir or Path(name)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "run.json").exists() and not record_well(console, folder, wanted.calls, wanted.seed):
            return 1
        run = json.loads((folder / "run.json").read_text())
        log = WriteLog(folder / "log.img")
        cuts = choose(log, run, number=wanted.cuts, seed=wanted.seed)
        started = time.monotonic()
        costs: list[Cost] = []
        for one in suffer(folder, log, run, cuts, wanted.boxes):
            costs.append(one)
            if len(costs) % _TELL_EVERY == 0:
                console.print(f"{len(costs)} of {len(cuts)} cuts, {time.monotonic() - started:.0f} s")
    return report(console, run, log, costs)


def record_well(console: Console, folder: Path, calls: int, seed: int) -> bool:
    """Records until the guest had its processor all the time, or `_TRIES` times; the last try is judged as it is."""
    for n in range(1, _TRIES + 1):
        if not record(folder, calls=calls, seed=seed):
            console.print("the run with calls did not end well: see record-*.log")
            return False
        run = json.loads((folder / "run.json").read_text())
        still_ms, lost = longest_still_ms(run, WriteLog(folder / "log.img")), holes(run)
        if still_ms <= STILL_MS and not lost:
            return True
        console.print(
            f"try {n}: the machine held the guest up for {still_ms} ms, {lost} recordings have holes of their own; "
            f"load {os.getloadavg()}"
        )
    return True


def holes(run: dict[str, Any]) -> int:
    """Recordings that miss sound although nothing was cut."""
    return sum(1 for call in run["calls"] for r in call["recordings"] if r["gaps"])


def record(folder: Path, *, calls: int, seed: int) -> bool:
    """The run with calls. Its disk is in memory where there is room: the host's disk must not be what is slow."""
    with tempfile.TemporaryDirectory(prefix="offhook-disk-", dir=memory(folder)) as name:
        images = []
        for image, size in (("disk.img", DISK_MIB), ("log.img", LOG_MIB)):
            images.append(Path(name) / image)
            with images[-1].open("wb") as disk:
                disk.truncate(size << 20)
        command = [sys.executable, str(GUEST), str(calls), str(seed)]
        deadline_s = 120.0 + 40.0 * calls
        done = vm.run(command, out=folder, disks=images, deadline_s=deadline_s) == 0
        copy_sparse(images[1], folder / "log.img")
    return done


def memory(folder: Path) -> Path:
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and shutil.disk_usage(shm).free > LOG_MIB << 20 else folder


def choose(log: WriteLog, run: dict[str, Any], *, number: int, seed: int) -> list[Cut]:
    """Moments spread evenly at random over the time in which there were calls."""
    rng = random.Random(seed)
    first, last = span_of(run)
    marks = [(n, at) for n, at in log.marks("utc-") if first <= at <= last]
    picked = sorted(rng.choices(marks, k=number))
    return [Cut(entry=n, at_utc_ms=at, keep=rng.choice(_KEEP), seed=rng.randrange(1 << 30)) for n, at in picked]


def disks(folder: Path, log: WriteLog, cuts: list[Cut]) -> Iterator[tuple[Cut, Path]]:
    """The disk of each cut; whoever takes it removes it."""
    base = folder / "base.img"
    with base.open("wb") as empty:
        empty.truncate(DISK_MIB << 20)
    at = 0
    for n, cut in enumerate(cuts):
        log.replay(base, at, cut.entry)
        at = cut.entry
        image = folder / f"cut-{n:04d}.img"
        copy_sparse(base, image)
        log.cut(image, cut)
        yield cut, image


def suffer(folder: Path, log: WriteLog, run: dict[str, Any], cuts: list[Cut], boxes: int) -> Iterator[Cost]:
    """Starts a box from the disk of each cut and looks at what it says; ``boxes`` at a time, for they mostly wait."""
    room = threading.Semaphore(boxes)

    def one(cut: Cut, image: Path) -> Cost:
        box = image.with_suffix("")
        try:
            shutil.rmtree(box, ignore_errors=True)
            said = restart(image, box)
            result = {"at_utc_ms": cut.at_utc_ms, "keep": cut.keep, **said}
            image.with_suffix(".json").write_text(json.dumps(result))
            return cost(cut, run, said)
        finally:
            image.unlink()
            shutil.rmtree(box, ignore_errors=True)
            room.release()

    with ThreadPoolExecutor(boxes) as pool:
        waiting = []
        for cut, image in disks(folder, log, cuts):
            room.acquire()
            waiting.append(pool.submit(one, cut, image))
        for future in waiting:
            yield future.result()


def copy_sparse(source: Path, target: Path) -> None:
    """Copies what is data; holes stay holes."""
    size = source.stat().st_size
    with source.open("rb") as from_, target.open("wb") as to:
        to.truncate(size)
        at = 0
        while True:
            try:
                at = os.lseek(from_.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: no more data
                return
            end = os.lseek(from_.fileno(), at, os.SEEK_HOLE)
            while at < end:
                piece = os.pread(from_.fileno(), min(1 << 20, end - at), at)
                os.pwrite(to.fileno(), piece, at)
                at += len(piece)


def cost(cut: Cut, run: dict[str, Any], said: dict[str, Any]) -> Cost:
    """What a box started from the cut disk lacks, against what the box that was never cut had."""
    found = Cost(cut, broken=said.get("broken", ""))
    if found.broken:
        return found
    found.ready_s, found.tries = said["ready_s"], said["tries"]
    calls = {call["id"]: call for call in said["calls"]}
    for call in run["calls"]:
        age_ms = cut.at_utc_ms - call["started_utc_ms"]
        if age_ms < 0:
            continue
        kept = calls.get(call["id"])
        if kept is None and age_ms < YOUNG_MS:
            found.young_ms.append(age_ms)
            continue
        if kept is None:
            found.missing.append(f"{call['id']} ({age_ms} ms old)")
        elif kept["status"] != "ended":
            found.faults.append(f"{call['id']} is still {kept['status']}")
        lost = sound_lost(cut, call, kept)
        found.lost_ms |= lost
        ends = {r["id"]: r["started_utc_ms"] + (r["duration_ms"] or 0) for r in call["recordings"]}
        found.open += sum(1 for name in lost if ends[name] > cut.at_utc_ms)
    if said["integrity"] != "ok":
        found.faults.append(f"integrity_check: {said['integrity']}")
    balance = said["ledger"]["balance"]
    if not said["ledger"]["balanced"] or balance["open"] or balance["unexplained"]:
        found.faults.append(f"the ledger does not balance: {balance}")
    if said["exit"] != 0:
        found.faults.append(f"the recorder ended with {said['exit']}")
    return found


def sound_lost(cut: Cut, call: dict[str, Any], kept: dict[str, Any] | None) -> dict[str, int]:
    """Milliseconds of each recording that was open at the cut, or before, that are not there any more.

    An incoming call is recorded from its answer on; the seconds before it wait in memory until somebody answers. A
    recording with holes of its own (a starved guest) is not judged: what the cut took cannot be told from them.
    """
    after = {r["id"]: r for r in kept["recordings"]} if kept is not None else {}
    lost = {}
    for recording in call["recordings"]:
        begun = recording["started_utc_ms"]
        opened = max(begun, call["answered_utc_ms"] or begun) if call["direction"] == "incoming" else begun
        end = min(cut.at_utc_ms, begun + (recording["duration_ms"] or 0))
        if end <= opened or recording["gaps"]:
            continue
        there = after.get(recording["id"])
        until = begun + (there["duration_ms"] or 0) if there is not None and there["status"] == "sealed" else begun
        lost[recording["id"]] = max(0, end - max(until, opened))
    return lost


def longest_still_ms(run: dict[str, Any], log: WriteLog) -> int:
    """The longest time, while there were calls, in which the guest did not get to marking the time (every 50 ms)."""
    first, last = span_of(run)
    times = [at for _, at in log.marks("utc-") if first <= at <= last]
    return max((after - before for before, after in pairwise(times)), default=0)


def span_of(run: dict[str, Any]) -> tuple[int, int]:
    """From the first call's start to some time after the last one's end, UTC milliseconds."""
    calls = run["calls"]
    return min(c["started_utc_ms"] for c in calls), max(c["ended_utc_ms"] for c in calls) + 3000


def longest_flush_ms(run: dict[str, Any], log: WriteLog) -> int:
    """The box asks for a flush each 500 ms: much more than that, and the disk (or the guest) was not given time."""
    times = [(r["started_utc_ms"], r["duration_ms"] or 0, c) for c in run["calls"] for r in c["recordings"]]
    spans = [(max(at, c["answered_utc_ms"] or at), at + length) for at, length, c in times]
    longest, now, last = 0, 0, 0
    for entry in log.entries:
        if entry.mark.startswith("utc-"):
            now = int(entry.mark[4:])
        elif entry.flush and last:
            if any(begin <= last and now <= end for begin, end in spans):
                longest = max(longest, now - last)
            last = now
        elif entry.flush:
            last = now
    return longest


def report(console: Console, run: dict[str, Any], log: WriteLog, costs: list[Cost]) -> int:
    lost = sorted(ms for c in costs for ms in c.lost_ms.values())
    open_ones = sorted(max(c.lost_ms.values()) for c in costs if c.lost_ms)
    young = sorted(ms for c in costs for ms in c.young_ms)
    flushes = sum(1 for entry in log.entries if entry.flush)
    table = Table(title=f"{len(costs)} power cuts in a run of {len(run['calls'])} calls, {flushes} flushes")
    for head in ("what", "goal", "measured"):
        table.add_column(head)
    broken = [c for c in costs if c.broken]
    unsound = [fault for c in costs for fault in c.faults]
    missing = [text for c in costs for text in c.missing]
    table.add_row("recordings with holes before any cut (starved guest), not judged", "0", str(holes(run)))
    still_ms = longest_still_ms(run, log)
    table.add_row("longest time the machine held the guest up, ms", f"<= {STILL_MS}", str(still_ms))
    table.add_row("longest time without a flush in a recorded call, ms", "", str(longest_flush_ms(run, log)))
    table.add_row("box starts again, no person needed", "all", f"{len(costs) - len(broken)} of {len(costs)}")
    again = sum(1 for c in costs if c.tries > 1)
    table.add_row("started anew because the machine had no time for it in 60 s", "", str(again))
    table.add_row("ready after the start, s", "", spread([round(c.ready_s, 1) for c in costs if not c.broken]))
    table.add_row("database not intact, call left open, ledger not balanced", "0", str(len(unsound)))
    table.add_row(f"calls older than {YOUNG_MS} ms at the cut that are missing", "0", str(len(missing)))
    table.add_row("calls younger than that, not on the disk yet (age, ms)", "", spread(young))
    table.add_row("recordings begun before a cut", "", str(len(lost)))
    table.add_row("of these still open at the cut", "", str(sum(c.open for c in costs)))
    table.add_row("sound lost per recording, ms", f"max <= {LOST_GOAL_MS}", spread(lost))
    table.add_row("worst recording of each cut, ms", "", spread(open_ones))
    console.print(table)
    for c in costs:
        over = [f"{ms} ms of {name} lost" for name, ms in c.lost_ms.items() if ms > LOST_GOAL_MS]
        for fault in (*([c.broken] if c.broken else []), *c.faults, *(f"missing: {m}" for m in c.missing), *over):
            console.print(f"  - entry {c.cut.entry} at {c.cut.at_utc_ms}, keep {c.cut.keep}: {fault}")
    starved = holes(run) > 0 or still_ms > STILL_MS
    if starved:
        console.print("The guest had too little CPU for its own sound: repeat on a quiet machine.")
    console.print(f"load after {os.getloadavg()}")
    return 1 if starved or broken or unsound or missing or (lost and lost[-1] > LOST_GOAL_MS) else 0


def spread(values: list[Any]) -> str:
    if not values:
        return "none"
    ordered = sorted(values)
    median, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    return f"n {len(ordered)}, median {median}, p99 {p99}, max {ordered[-1]}"


if __name__ == "__main__":
    sys.exit(main())
