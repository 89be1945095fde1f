"""The guest's half of power_cut.py: `record` a run on a disk that logs its writes; `restart` a box from disks."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from simulator.box import BoxUnderTest
from simulator.demo import Demo, Wishes

HOST = Path("/run/host")
_MARK_EVERY_S = 0.05
_READY_DEADLINE_S = 90.0
_SETTLED_DEADLINE_S = 60.0
_DM_TARGET_MESSAGE = 0xC138FD0E  # _IOWR(0xfd, 14, struct dm_ioctl of 312 bytes), linux/dm-ioctl.h


def mark(control: Any, text: str) -> None:
    """Puts ``text`` into the log; what `dmsetup message` does, without a process twenty times a second."""
    message = text.encode() + b"\0"
    size = 312 + 8 + len(message)
    head = struct.pack("<3IIIIiIIIQ128s129s7x", 4, 0, 0, size, 312, 0, 0, 0, 0, 0, 0, b"box", b"")
    fcntl.ioctl(control, _DM_TARGET_MESSAGE, bytearray(head + struct.pack("<Q", 0) + message), True)


@contextmanager
def marks() -> Iterator[None]:
    """Marks the time in the log while the body runs."""
    stop = threading.Event()

    def run() -> None:
        with Path("/dev/mapper/control").open("rb+", buffering=0) as control:
            while not stop.wait(_MARK_EVERY_S):
                mark(control, f"utc-{time.time_ns() // 1_000_000}")

    thread = threading.Thread(target=run, name="marks")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5.0)


def sh(*words: str) -> None:
    subprocess.run(words, check=True, timeout=60, stdout=subprocess.DEVNULL)


def record(calls: int, seed: int) -> None:
    """A day of calls; the box's data folder is on the logged disk. What the box says at the end goes to run.json."""
    sectors = int(Path("/sys/block/ubda/size").read_text())
    sh("dmsetup", "create", "box", "--table", f"0 {sectors} log-writes /dev/ubda /dev/ubdb")
    sh("mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-J", "size=8", "/dev/mapper/box")
    folder = Path("/tmp/demo")
    (folder / "data").mkdir(parents=True)
    sh("mount", "/dev/mapper/box", str(folder / "data"))
    demo = Demo(
        Wishes(once=True, calls=calls, seed=seed, page=False, kernel=True), folder, Console(width=150, quiet=True)
    )
    try:
        with marks():
            demo.start()
            demo.street("day", calls=calls, seed=seed)
            while demo.street("status")["running"]:
                demo.look_after()
                time.sleep(0.5)
            listed = demo.sealed_calls()
        street = [{"line": c.line, "start_utc_ms": c.start_utc_ms, "trouble": c.trouble} for c in demo.journal()]
    finally:
        demo.stop()
        for log in folder.glob("*.log"):
            shutil.copy(log, HOST / f"record-{log.name}")
    (HOST / "run.json").write_text(json.dumps({"calls": listed, "street": street}))
    sh("umount", str(folder / "data"))
    sh("dmsetup", "remove", "box")


def restart(images: list[Path]) -> None:
    """Each image as a box's card: mounted, the box started on it, what it says written to <image>.json."""
    for image in images:
        try:
            result = restart_one(image)
        except Exception as error:  # one disk that cannot be used is a finding, and no reason to skip the others
            result = {"broken": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        image.with_suffix(".json").write_text(json.dumps(result))


def restart_one(image: Path) -> dict[str, Any]:
    folder = Path("/tmp") / image.stem
    (folder / "data").mkdir(parents=True)
    sh("mount", "-o", "loop", str(image), str(folder / "data"))
    box = BoxUnderTest(folder, {})
    recorder = box.child("recorder", "run")
    try:
        box.command("migrate")
        started = time.monotonic()
        recorder.start()
        recorder.wait_until(lambda: box.state() is not None, _READY_DEADLINE_S)
        ready_s = time.monotonic() - started
        calls = settled(box)
        ledger = box.ledger(datetime.fromtimestamp(0, UTC))
    finally:
        code = recorder.stop()
    database = sqlite3.connect(folder / "data" / "offhook.db")
    integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    sh("umount", str(folder / "data"))
    return {"ready_s": ready_s, "calls": calls, "ledger": ledger, "integrity": integrity, "exit": code}


def settled(box: BoxUnderTest) -> list[dict[str, Any]]:
    """The list as soon as nothing in it is open any more."""
    end = time.monotonic() + _SETTLED_DEADLINE_S
    while True:
        calls = box.calls(datetime.fromtimestamp(0, UTC))
        open_ones = [c for c in calls if c["status"] != "ended"]
        open_ones += [c for c in calls for r in c["recordings"] if r["status"] in ("recording", "closed")]
        if not open_ones or time.monotonic() > end:
            return calls
        time.sleep(0.5)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if sys.argv[1] == "record":
        record(int(sys.argv[2]), int(sys.argv[3]))
    else:
        restart(sorted(HOST.glob("cut-*.img")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
