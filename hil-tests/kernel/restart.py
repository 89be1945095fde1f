"""Starts a box from what a power cut left of its card, and asks it what it has."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.box import BoxUnderTest
from simulator.children import ChildError

_READY_DEADLINE_S = 60.0
_SETTLED_DEADLINE_S = 90.0
_TRIES = 3
_OPEN = """
    SELECT (SELECT count(*) FROM recording WHERE status IN ('recording', 'closed'))
         + (SELECT count(*) FROM call WHERE status <> 'ended')
"""


class CardError(Exception):
    """The card's file system cannot be repaired without a person."""


def unpack(image: Path, folder: Path) -> None:
    """Replays the journal of the ext4 file system in ``image``, as mounting does, and copies its files to ``folder``.

    Raises `CardError`.
    """
    checked = subprocess.run(
        ["e2fsck", "-f", "-p", str(image)], capture_output=True, text=True, timeout=120, check=False
    )
    if checked.returncode not in (0, 1):  # 1: it was not clean, and is now
        raise CardError(f"e2fsck ended with {checked.returncode}: {checked.stdout.strip()[-500:]}")
    folder.mkdir(parents=True)
    subprocess.run(["debugfs", "-R", f"rdump / {folder}", str(image)], capture_output=True, timeout=120, check=True)


def restart(image: Path, folder: Path) -> dict[str, Any]:
    """What the box says of itself once it has come up and closed what was open; ``broken`` when it does not."""
    for n in range(1, _TRIES + 1):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            unpack(image, folder / "data")
            return {"tries": n, **_run(folder)}
        except (subprocess.TimeoutExpired, ChildError) as error:
            # A machine that is busy otherwise is no finding; a box that hangs does so each time.
            broken = {"broken": f"{n} times: {error}"}
        except Exception as error:  # a card that cannot be used is a finding, and no reason to skip the other cuts
            return {"broken": f"{type(error).__name__}: {error}"}
    return broken


def _run(folder: Path) -> dict[str, Any]:
    box = BoxUnderTest(folder, {})
    recorder = box.child("recorder", "run")
    try:
        box.command("migrate")
        started = time.monotonic()
        recorder.start()
        recorder.wait_until(lambda: box.state() is not None, _READY_DEADLINE_S)
        ready_s = time.monotonic() - started
        _wait_settled(box.data / "offhook.db")
        began = datetime.fromtimestamp(0, UTC)
        calls, ledger = box.calls(began), box.ledger(began)
    finally:
        code = recorder.stop()
    with closing(sqlite3.connect(box.data / "offhook.db")) as database:
        integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
    return {"ready_s": ready_s, "calls": calls, "ledger": ledger, "integrity": integrity, "exit": code}


def _wait_settled(path: Path) -> None:
    """Returns when no call and no recording is open any more; the call list tells if one still is.

    The lines never come in sight here, so the box waits as long for them as it does for a module that was pulled out.
    """
    end = time.monotonic() + _SETTLED_DEADLINE_S
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        while database.execute(_OPEN).fetchone()[0] and time.monotonic() < end:
            time.sleep(0.25)
