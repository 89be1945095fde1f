"""The guest's half of power_cut.py: a run with calls whose box stores on a disk that logs its writes."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from simulator.demo import Demo, Wishes

HOST = Path("/run/host")
_MARK_EVERY_S = 0.05
_REST_S = 4.0
"""Three lines and not all of them at the same moment: the guest's one processor shall have time for each call."""
_DM_TARGET_MESSAGE = 0xC138FD0E  # _IOWR(0xfd, 14, struct dm_ioctl of 312 bytes), linux/dm-ioctl.h


def mark(control: Any, text: str) -> None:
    """Puts ``text`` into the log; what `dmsetup message` does, without a process twenty times a second."""
    message = f"mark {text}".encode() + b"\0"
    size = 312 + 8 + len(message)
    head = struct.pack("<3IIIIiIIIQ128s129s7x", 4, 0, 0, size, 312, 0, 0, 0, 0, 0, 0, b"box", b"")
    fcntl.ioctl(control, _DM_TARGET_MESSAGE, bytearray(head + struct.pack("<Q", 0) + message), True)


@contextmanager
def marks() -> Iterator[None]:
    """Marks the time in the log while the body runs."""
    stop = threading.Event()

    def run(control: Any) -> None:
        while not stop.wait(_MARK_EVERY_S):
            mark(control, f"utc-{time.time_ns() // 1_000_000}")

    with Path("/dev/mapper/control").open("rb+", buffering=0) as control:
        mark(control, "begin")  # a log without marks is of no use: better to fail here
        thread = threading.Thread(target=run, args=(control,), name="marks")
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
    wishes = Wishes(once=True, calls=calls, seed=seed, page=False, kernel=True, modules=("sim7600",))
    demo = Demo(wishes, folder, Console(width=150, quiet=True))
    try:
        with marks():
            demo.start()
            demo.street("day", calls=calls, seed=seed, rest_s=_REST_S)
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


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    record(int(sys.argv[1]), int(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
