"""Soak and torture for the lab: calls for hours while things go wrong, and one HTML report with plots.

    .venv/bin/python hil-tests/soak.py --calls 1000 --report soak.html

The street of `simulator/` makes the calls; meanwhile sound cards and modules are pulled and put back, the recorder is
killed, the cloud's broker is killed and comes back (a flapping network), and the card is filled to the last block. At
the end every call of the street must be in the list, on the ledger and in the cloud, and be heard as it was said,
where nothing was pulled from under it. Clock jumps and power cuts need a kernel of their own: `--power-cuts N` makes
them in the test kernel afterwards. What this machine cannot do is printed as "not tested". Exit code 1 when anything is
wrong.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from soak_report import Sample, write

from simulator.compare import compare_ledger, compare_lists, listen, pair
from simulator.demo import Demo, Wishes

LINES = ("fxo-1", "fxo-2", "sim-1", "sim-2")
_SAMPLE_S = 5.0
_LOOK_S = 0.5
_FULL_S = 8.0
_NAMED_MS = 10_000
_BATCH = 40
"""Calls of one day; the next follows at once."""


@dataclass
class Soak:
    """What happened; moments in seconds from the start."""

    samples: list[Sample] = field(default_factory=list)
    torments: list[tuple[float, str]] = field(default_factory=list)
    torments_seen: int = 0
    """Named faults in the box's ledger."""
    differences: list[str] = field(default_factory=list)
    not_tested: list[str] = field(default_factory=list)
    calls: int = 0
    heard: int = 0
    seconds: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two torments; 0: none")
    parser.add_argument("--power-cuts", type=int, default=0, help="afterwards, in the test kernel")
    parser.add_argument("--report", type=Path, default=Path("soak.html"))
    wanted = parser.parse_args()
    console = Console(width=150)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, load before {os.getloadavg()}, seed {wanted.seed}")
    soak = Soak(not_tested=["clock jumps on this machine's own clock (tests/whole moves the clock of a box instead)"])
    with tempfile.TemporaryDirectory(prefix="offhook-soak-", ignore_cleanup_errors=True) as name:
        run(soak, Path(name), calls=wanted.calls, seed=wanted.seed, every_s=wanted.every, console=console)
    cuts = power_cuts(wanted.power_cuts) if wanted.power_cuts else "not asked for (--power-cuts 200)"
    if not wanted.power_cuts:
        soak.not_tested.append("power cuts: not asked for")
    write(wanted.report, soak, cuts)
    for text in soak.not_tested:
        console.print(f"not tested: {text}")
    for text in soak.differences[:50]:
        console.print(f"[red]{text}[/red]")
    console.print(f"{soak.calls} calls in {soak.seconds:.0f} s, {len(soak.torments)} torments, "
                  f"{len(soak.differences)} differences; report: {wanted.report}")  # fmt: skip
    return 1 if soak.differences or (wanted.power_cuts and not cuts.startswith("exit code 0")) else 0


def run(soak: Soak, folder: Path, *, calls: int, seed: int, every_s: float, console: Console) -> None:
    disk = small_disk(folder / "data")
    if disk is None:
        soak.not_tested.append("full disk: mounting a small one needs root")
    demo = Demo(Wishes(once=True, page=False, cloud=True), folder, console)
    begun, begun_at = time.monotonic(), datetime.now(UTC)
    dice = random.Random(seed)
    try:
        demo.start()
        torments = torments_of(demo, disk)
        next_torment, next_sample, batch = begun + every_s, 0.0, 0
        while True:
            demo.look_after()
            status = demo.street("status")
            if not status["running"]:
                if status["over"] >= calls:
                    break
                demo.street("day", calls=min(_BATCH, calls - status["over"]), seed=seed + batch)
                batch += 1
            now = time.monotonic()
            if every_s and now >= next_torment:
                name = dice.choice(sorted(torments))
                soak.torments.append((now - begun, name))
                torments[name]()
                next_torment = time.monotonic() + every_s
            if now >= next_sample:
                soak.samples.append(sample(demo, now - begun, status["over"]))
                next_sample = now + _SAMPLE_S
            time.sleep(_LOOK_S)
        judge(soak, demo, begun_at)
    finally:
        soak.seconds = time.monotonic() - begun
        soak.differences += demo.stop()
        if disk is not None:
            subprocess.run(["umount", "-l", str(disk)], check=False)


def judge(soak: Soak, demo: Demo, begun: datetime) -> None:
    """Everything the street did against everything the box says; sound only where nobody interfered."""
    listed = demo.sealed_calls()
    street = demo.journal()
    pairing = pair(street, listed)
    soak.calls = len(street)
    disturbed = [begun.timestamp() * 1000 + at * 1000 for at, _ in soak.torments]

    def undisturbed(start_ms: float, end_ms: float | None) -> bool:
        return not any(start_ms - 15_000 < at < (end_ms or start_ms) + 5_000 for at in disturbed)

    ledger = demo.ledger()
    soak.torments_seen = sum(1 for entry in ledger["entries"] if entry["fault"])
    for call in pairing.missing:
        # What nobody could see, for the recorder was dead or the device away, stands in the ledger under its name.
        named = [
            entry["fault"]
            for entry in ledger["entries"]
            if entry["line"] == call.line
            and entry["fault"]
            and entry["at_utc_ms"] < (call.end_utc_ms or call.start_utc_ms) + _NAMED_MS
            and (entry["until_utc_ms"] or entry["at_utc_ms"]) > call.start_utc_ms - _NAMED_MS
        ]
        if undisturbed(call.start_utc_ms, call.end_utc_ms) or not named:
            soak.differences.append(f"{call.line} {call.id}: the box has no such call, and no fault that explains it")
    quiet = [one for one in pairing.pairs if undisturbed(one.street.start_utc_ms, one.street.end_utc_ms)]
    clean = type(pairing)(pairs=quiet, missing=[], extra=[])
    soak.differences += compare_lists(clean)
    for one in quiet:
        heard, wrong = listen(one, demo.box.decode)
        soak.heard += len(heard)
        soak.differences += wrong
    if not ledger["balanced"] or ledger["balance"]["open"]:
        soak.differences.append(f"the ledger does not balance: {ledger['balance']}")
    if not soak.torments:
        soak.differences += compare_ledger(ledger, pairing)
    findings = demo.box.command("doctor", "--json", well=(0, 1))
    if '"ok": true' not in findings:
        soak.differences.append(f"offhook doctor: {findings[:2000]}")


def torments_of(demo: Demo, disk: Path | None) -> dict[str, Callable[[], None]]:
    """Each returns when it is over: what was pulled is back."""
    dice = random.Random(7)

    def pulled(what: str, lines: tuple[str, ...]) -> Callable[[], None]:
        def act() -> None:
            line = dice.choice(lines)
            demo.street("pull", what=what, line=line)
            time.sleep(dice.uniform(1.0, 4.0))
            demo.street("put_back", what=what, line=line)

        return act

    def full() -> None:
        assert disk is not None
        filler = disk / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
                    file.flush()
            except OSError:
                pass
        time.sleep(_FULL_S)
        filler.unlink(missing_ok=True)

    found: dict[str, Callable[[], None]] = {
        "a sound device is pulled": pulled("sound", LINES),
        "a module is pulled": pulled("module", ("sim-1", "sim-2")),
        "the recorder is killed": lambda: void(demo.kill_recorder()),
        "the broker is killed": lambda: demo.kill("broker"),
    }
    if disk is not None:
        found["the disk is full"] = full
    return found


def void(_: object) -> None:
    return None


def small_disk(data: Path) -> Path | None:
    """A disk of its own for the box, so that it can be filled; None where this user may not mount one."""
    data.mkdir(parents=True)
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return None
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m,mode=700", "soak", str(data)], check=False)
    return data if done.returncode == 0 else None


def sample(demo: Demo, at_s: float, over: int) -> Sample:
    """Memory of the recorder, calls that are over, and the machine's load."""
    rss_mib = 0.0
    for pid in demo.pids("recorder"):
        try:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    rss_mib = int(line.split()[1]) / 1024
        except OSError:
            rss_mib = 0.0
    return Sample(at_s=at_s, calls=over, rss_mib=rss_mib, load=os.getloadavg()[0])


def power_cuts(cuts: int) -> str:
    """What power_cut.py says."""
    script = Path(__file__).with_name("kernel") / "power_cut.py"
    done = subprocess.run(
        [sys.executable, str(script), "--cuts", str(cuts)], capture_output=True, text=True, check=False
    )
    return f"exit code {done.returncode}\n{done.stdout}{done.stderr[-3000:]}"


if __name__ == "__main__":
    sys.exit(main())
