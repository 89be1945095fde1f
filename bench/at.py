"""The AT parser and the way to the socket: ``python -m bench.at [--lines 200000] [--events 200]``

Throughput on the quoted dialogues of the tests, beside python-gsmmodem-new's parser on the same lines; and the time
from a module's first byte about a call to the event at a client of the recorder's socket.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from firmware.ipc.client import RecorderClient
from firmware.modem.at_capture import records
from firmware.modem.at_events import parse_line
from firmware.modem.at_lines import LineCutter
from simulator.box import BoxUnderTest
from simulator.sim_module import Quirks, SimModule

GOAL_P99_MS = 50.0
ROUNDS = 5
TRANSCRIPTS = Path(__file__).resolve().parents[1] / "tests" / "modem" / "transcripts"


def transcript() -> bytes:
    """What the modules of the quoted dialogues said, one after the other."""
    said = b""
    for file in sorted(TRANSCRIPTS.glob("*.txt")):
        lines = [line.partition(" | ")[2] for line in file.read_text(encoding="utf-8").splitlines() if " | " in line]
        said += b"".join(data + b"\r\n" for way, data in records("\n".join(lines).encode()) if way == "<")
    return said


def ours(data: bytes, chunk: int) -> int:
    """Bytes to typed events, in chunks as a tty gives them."""
    cutter, count = LineCutter(), 0
    for at in range(0, len(data), chunk):
        for line in cutter.feed(data[at : at + chunk]):
            parse_line(line.text)
            count += 1
    return count


class TheirPort:
    """A serial port that gives what it is given, as the other parser reads it: one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.timeout = data, 0, None

    def read(self, size: int = 1) -> bytes:
        piece = self.data[self.at : self.at + size]
        self.at += len(piece)
        if not piece:
            raise EOFError
        return piece


def theirs(data: bytes) -> int:
    """python-gsmmodem-new's way: byte by byte (`SerialComms._readLoop`), then the patterns of its modem class."""
    from gsmmodem.modem import GsmModem  # noqa: PLC0415 - only where it is measured

    modem = GsmModem.__new__(GsmModem)
    patterns = [value for name, value in vars(GsmModem).items() if isinstance(value, re.Pattern)]
    port, buffer, count = TheirPort(data), bytearray(), 0
    end = b"\r\n"
    try:
        while True:
            buffer += port.read(1)
            if buffer.endswith(end):
                line = bytes(buffer[: -len(end)]).decode("utf-8", "replace")
                buffer.clear()
                if line:
                    count += 1
                    for pattern in patterns:
                        if pattern.match(line):
                            break
    except EOFError:
        del modem
        return count


def throughput(lines: int) -> None:
    data = transcript()
    per_round = ours(data, 64)
    rounds = max(1, lines // per_round)
    data *= rounds
    runs = {"ours": lambda: ours(data, 64), "python-gsmmodem-new": lambda: theirs(data)}
    best_s = dict.fromkeys(runs, float("inf"))
    counts = dict.fromkeys(runs, 0)
    for _ in range(ROUNDS):  # in turns, so that both meet the same load
        for name, run in runs.items():
            began_s = time.process_time()
            counts[name] = run()
            best_s[name] = min(best_s[name], time.process_time() - began_s)
    for name in runs:
        per_s = counts[name] / best_s[name]
        print(f"  {name:20} {per_s:10,.0f} lines/s  ({len(data) / best_s[name] / 1e6:.2f} MB/s, best of {ROUNDS})")
    print("  a module says fewer than 100 lines/s; ours makes typed events of all, theirs matches its few patterns")


def latency(events: int) -> float:
    """Milliseconds (p99) from the module's write to the client's event."""
    with (
        tempfile.TemporaryDirectory() as name,
        SimModule("sim-1", name, Quirks(boot_s=0.05, ring_every_s=60)) as module,
    ):
        folder = Path(name)
        box = BoxUnderTest(folder, {})
        document = (
            '[[lines]]\nid = "sim-1"\ndriver = "at-modem"\n[lines.options]\n'
            f'at_port = "{module.at_path}"\nfamily = "sim7600"\n'
        )
        (box.data / "first-boot.toml").write_text(document)
        box.command("migrate")
        recorder = box.child("recorder", "run")
        recorder.start()
        try:
            _until(lambda: box.lines_present({"sim-1"}))
            with RecorderClient(box.socket) as client, client.subscribe() as told:
                times = [_one(module, told) for _ in range(events)]
        finally:
            recorder.stop()
    times.sort()
    p50, p99 = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
    worst = f"worst {times[-1]:.1f} ms of {events}"
    print(f"  ring to socket: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {worst} (goal p99 {GOAL_P99_MS:g})")
    return p99


def _one(module: SimModule, told: object) -> float:
    began_s = time.monotonic()
    module.incoming("+8613800138000")
    _wait_phase(told, "ringing")
    took_ms = (time.monotonic() - began_s) * 1000
    module.caller_hangs_up()
    _wait_phase(told, "idle")
    return took_ms


def _wait_phase(told: object, phase: str) -> None:
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        event = told.next(5.0)  # type: ignore[attr-defined]
        if event is not None and event.get("event") == "line" and event["line"]["phase"] == phase:
            return
    raise TimeoutError(f"the line was never {phase}")


def _until(check: object) -> None:
    until_s = time.monotonic() + 30
    while not check():  # type: ignore[operator]
        if time.monotonic() > until_s:
            raise TimeoutError("the recorder did not come up")
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=200)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}")
    throughput(options.lines)
    return 0 if latency(options.events) <= GOAL_P99_MS else 1


if __name__ == "__main__":
    sys.exit(main())
