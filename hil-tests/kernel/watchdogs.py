"""Runs the box's real unit under a real systemd on the test kernel, and hangs first the recorder, then systemd itself.

    .venv/bin/python hil-tests/kernel/watchdogs.py

The recorder must report that it is ready; hung, it must be ended and started again by systemd (WatchdogSec); and when
systemd hangs, the machine's watchdog (softdog here, RuntimeWatchdogSec) must reset the machine. Exit code 1 when one of
these does not happen.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import vm
from rich.console import Console
from rich.table import Table

_DEADLINE_S = 540.0
_SOONEST_S, _LATEST_S = 5.0, 60.0
"""RuntimeWatchdogSec=15s, petted every 7.5 s: a guest that ends sooner ended for another reason."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the guest ends with us
    console = Console() if sys.stdout.isatty() else Console(width=150)
    with tempfile.TemporaryDirectory(prefix="offhook-watchdogs-") as name:
        out = Path(name)
        began_s = time.monotonic()
        vm.run([f"project={Path.cwd()}"], out=out, deadline_s=_DEADLINE_S, next_program=vm.HERE / "guest-systemd.sh")
        ended = time.time()
        by_itself = time.monotonic() - began_s < _DEADLINE_S
        hung, reset = out / "hung", out / "reset"  # a reset kernel starts again, or the program ends
        seen = reset.stat().st_mtime if reset.exists() else ended
        reset_s = round(seen - hung.stat().st_mtime, 1) if hung.exists() and by_itself else None
        if not (out / "watchdogs.json").exists():
            console.print("systemd did not come up in the guest")
            return 1
        found = json.loads((out / "watchdogs.json").read_text())
        rows = judge(found, reset_s)
        if "error" in found and (out / "journal.txt").exists():
            console.print((out / "journal.txt").read_text(errors="replace")[-6000:], markup=False)
    table = Table(title=f"watchdogs on the test kernel, load {os.getloadavg()[0]:.1f}")
    for head in ("what", "seen", ""):
        table.add_column(head)
    for what, seen, good in rows:
        table.add_row(what, seen, "ok" if good else "FAILED")
    console.print(table)
    return 0 if all(good for _, _, good in rows) else 1


def judge(found: dict[str, Any], reset_s: float | None) -> list[tuple[str, str, bool]]:
    """(what, what was seen, whether it is as it must be)."""
    started, machine = found.get("started", {}), found.get("machine", {})
    restarted, told = found.get("restarted", {}), found.get("told", [])
    rows = [
        (
            "the recorder reports that it is ready (Type=notify)",
            f"{started.get('ActiveState')}: {started.get('StatusText')}",
            (started.get("Type"), started.get("ActiveState")) == ("notify", "active") and bool(started["StatusText"]),
        ),
        (
            "a recorder that hangs is ended and started again",
            f"after {found.get('back_after_s')} s (WatchdogSec={started.get('WatchdogUSec')}); "
            + (told[0].partition(": ")[2] if told else "systemd told nothing"),
            restarted.get("ActiveState") == "active" and any("Watchdog timeout" in line for line in told),
        ),
        (
            "systemd pets the machine's watchdog",
            f"{machine.get('WatchdogDevice')}, {machine.get('RuntimeWatchdogUSec')}",
            machine.get("RuntimeWatchdogUSec") == "15s" and "/dev/watchdog" in machine.get("WatchdogDevice", ""),
        ),
        (
            "a systemd that hangs is reset by it",
            "it was not" if reset_s is None else f"after {reset_s} s",
            reset_s is not None and _SOONEST_S <= reset_s <= _LATEST_S,
        ),
    ]
    return rows + ([("error", found["error"], False)] if "error" in found else [])


if __name__ == "__main__":
    sys.exit(main())
