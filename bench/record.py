"""What recording costs: our recorder, arecord and ffmpeg on the same simulated lines in real time, in turns.

Run it as ``python -m bench.record``; see ``--help``.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.null_sinks import NullSinks

RATE_HZ = 8000
SETTLE_S = 2.0
"""Programs start, open their devices and warm up; none of that is counted."""
GOAL_OVER_ARECORD_MS = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One tool, one run."""

    tool: str
    cpu_ms_per_channel_s: float
    rss_mib: float
    overruns: int
    gaps: int
    missing_frames: int
    """Against the wall clock of the measured window; start and stop make up to a period of it per line."""
    seal_ms_per_channel_s: float | None = None


def main_cpu_s(pids: list[int]) -> float:
    """CPU seconds that all threads of the processes have used; nanosecond counters, unlike ``ps``."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_mib(pids: list[int]) -> float:
    """Proportional memory (PSS): what the processes share is counted once."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def measure_ours(sinks: NullSinks, *, lines: int, seconds: float, folder: Path) -> Cost:
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.recording_child", str(lines), str(folder)],
        env=sinks.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    up = json.loads(child.stdout.readline())["up"]
    if up != lines:
        raise RuntimeError(f"only {up} of {lines} lines deliver sound")
    time.sleep(SETTLE_S)
    before_s, began_s = main_cpu_s([child.pid]), time.monotonic()
    time.sleep(seconds)
    cpu_s, span_s = main_cpu_s([child.pid]) - before_s, time.monotonic() - began_s
    memory = memory_mib([child.pid])
    child.stdin.write("stop\n")
    child.stdin.flush()
    closed = json.loads(child.stdout.readline())
    sealed = json.loads(child.stdout.readline())
    child.wait(30)
    expected = (span_s + SETTLE_S) * RATE_HZ
    return Cost(
        tool="offhook",
        cpu_ms_per_channel_s=cpu_s * 1000 / (span_s * lines),
        rss_mib=memory,
        overruns=closed["overruns"],
        gaps=closed["gaps"] + closed["lost"],
        missing_frames=round(max(0.0, expected * lines - sum(closed["frames"]))),
        seal_ms_per_channel_s=sealed["seal_cpu_s"] * 1000 / ((span_s + SETTLE_S) * lines),
    )


def measure_tool(tool: str, sinks: NullSinks, *, lines: int, seconds: float, folder: Path) -> Cost:
    """One process per line, as the tools are used."""
    commands = {
        "arecord": lambda n: ["arecord", "-q", "-D", f"line:{n}", "-f", "S16_LE", "-r", str(RATE_HZ), "-c", "1",
                              "-t", "wav", str(folder / f"{n}.wav")],
        "ffmpeg": lambda n: ["ffmpeg", "-nostdin", "-loglevel", "warning", "-f", "alsa", "-ar", str(RATE_HZ),
                             "-ac", "1", "-i", f"line:{n}", "-y", str(folder / f"{n}.wav")],
    }  # fmt: skip
    logs = [(folder / f"{n}.log").open("w+b") for n in range(lines)]
    running = []
    for n in range(lines):
        running.append(subprocess.Popen(commands[tool](n), env=sinks.environment, stdout=logs[n], stderr=logs[n]))
        time.sleep(0.05)  # the sound server lets only a few wait at its door
    pids = [process.pid for process in running]
    # Our lines are opened one by one too, and only counted when all are up.
    end = time.monotonic() + 30
    while not all((folder / f"{n}.wav").exists() for n in range(lines)):
        failed = next((n for n, process in enumerate(running) if process.poll() is not None), None)
        if failed is not None or time.monotonic() > end:
            for process in running:
                process.kill()
                process.wait(5)
            said = (folder / f"{failed}.log").read_text() if failed is not None else "it waits for its device"
            raise RuntimeError(f"{tool} did not start on each of {lines} lines: {said}")
        time.sleep(0.1)
    time.sleep(SETTLE_S)
    sizes = sum((folder / f"{n}.wav").stat().st_size for n in range(lines))
    before_s, began_s = main_cpu_s(pids), time.monotonic()
    time.sleep(seconds)
    cpu_s, span_s = main_cpu_s(pids) - before_s, time.monotonic() - began_s
    memory = memory_mib(pids)
    grown = sum((folder / f"{n}.wav").stat().st_size for n in range(lines)) - sizes
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        process.wait(15)
    overruns = 0
    for log in logs:
        log.seek(0)
        text = log.read().decode(errors="replace")
        overruns += text.count("overrun") + text.count("xrun")
        log.close()
    return Cost(
        tool=tool,
        cpu_ms_per_channel_s=cpu_s * 1000 / (span_s * lines),
        rss_mib=memory,
        overruns=overruns,
        gaps=overruns,
        missing_frames=max(0, round(span_s * RATE_HZ * lines - grown / 2)),
    )


def mean(costs: list[Cost]) -> Cost:
    """Costs averaged over the runs of one tool, faults added up."""
    count = len(costs)
    sealing = [cost.seal_ms_per_channel_s for cost in costs if cost.seal_ms_per_channel_s is not None]
    return Cost(
        tool=costs[0].tool,
        cpu_ms_per_channel_s=sum(cost.cpu_ms_per_channel_s for cost in costs) / count,
        rss_mib=max(cost.rss_mib for cost in costs),
        overruns=sum(cost.overruns for cost in costs),
        gaps=sum(cost.gaps for cost in costs),
        missing_frames=sum(cost.missing_frames for cost in costs),
        seal_ms_per_channel_s=sum(sealing) / len(sealing) if sealing else None,
    )


@click.command(help=__doc__)
@click.option("--lines", default=4, show_default=True, help="Simulated lines, all recorded at once.")
@click.option("--seconds", default=20.0, show_default=True, help="Measured seconds per tool.")
@click.option("--alternate", is_flag=True, help="Split each tool's time into three runs and take turns.")
@click.option("--tools", default="offhook,arecord,ffmpeg", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(*, lines: int, seconds: float, alternate: bool, tools: str, as_json: bool) -> None:
    load_before = os.getloadavg()
    runs: dict[str, list[Cost]] = {}
    rounds = 3 if alternate else 1
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as name:
        folder = Path(name)
        sinks = NullSinks(folder / "pulse", lines=lines, tone=True)
        sinks.start()
        try:
            for turn in range(rounds):
                for tool in tools.split(","):
                    work = folder / f"{tool}-{turn}"
                    work.mkdir()
                    if tool == "offhook":
                        cost = measure_ours(sinks, lines=lines, seconds=seconds / rounds, folder=work)
                    else:
                        cost = measure_tool(tool, sinks, lines=lines, seconds=seconds / rounds, folder=work)
                    runs.setdefault(tool, []).append(cost)
        finally:
            sinks.stop()
    costs = [mean(each) for each in runs.values()]
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    )
    load = {"before": load_before, "after": os.getloadavg()}
    if as_json:
        rows = [{field: getattr(cost, field) for field in Cost.__slots__} for cost in costs]
        print(json.dumps({"lines": lines, "seconds": seconds, "machine": machine, "load": load, "costs": rows}))
        return
    table = Table(title=f"{lines} lines, {seconds:g} s per tool" + (" in 3 alternate runs" if alternate else ""))
    for heading in (
        "",
        "CPU ms/s per line",
        "PSS MiB",
        "overruns",
        "gaps",
        "missing frames",
        "sealing ms/s",
    ):
        table.add_column(heading, justify="right")
    for cost in costs:
        sealing = "" if cost.seal_ms_per_channel_s is None else f"{cost.seal_ms_per_channel_s:.2f}"
        table.add_row(
            cost.tool,
            f"{cost.cpu_ms_per_channel_s:.2f}",
            f"{cost.rss_mib:.1f}",
            str(cost.overruns),
            str(cost.gaps),
            str(cost.missing_frames),
            sealing,
        )
    console = Console()
    console.print(table)
    ours = {cost.tool: cost.cpu_ms_per_channel_s for cost in costs}
    if "offhook" in ours and "arecord" in ours:
        over = ours["offhook"] - ours["arecord"]
        verdict = "met" if over <= GOAL_OVER_ARECORD_MS else "NOT met"
        console.print(f"Goal: at most arecord + {GOAL_OVER_ARECORD_MS:g} ms: {over:+.2f} ms, {verdict}")
    console.print(f"Load average before {load_before[0]:.2f}, after {os.getloadavg()[0]:.2f}; {machine}")


if __name__ == "__main__":
    main()
