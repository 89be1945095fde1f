"""The guest's half of watchdogs.py: hangs the recorder, then systemd itself, and notes what became of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HOST = Path("/run/host")
UNIT = "offhook-recorder.service"
_START_DEADLINE_S = 240.0
_RESTART_DEADLINE_S = 240.0


def systemctl(*words: str) -> str:
    return subprocess.run(
        ["systemctl", *words], capture_output=True, text=True, timeout=_START_DEADLINE_S, check=True
    ).stdout.strip()


def shown(*names: str, unit: str | None = UNIT) -> dict[str, str]:
    """Properties of the unit, or of systemd itself."""
    asked = [word for name in names for word in ("-p", name)]
    return dict(line.split("=", 1) for line in systemctl("show", *asked, *([unit] if unit else [])).splitlines())


def wait_for(what: Callable[[], bool], deadline_s: float) -> float:
    """Seconds until it was so. Raises TimeoutError."""
    began_s = time.monotonic()
    while not what():
        if time.monotonic() - began_s > deadline_s:
            raise TimeoutError(f"not so after {deadline_s:g} s")
        time.sleep(0.2)
    return time.monotonic() - began_s


def main() -> None:
    found: dict[str, object] = {}
    try:
        systemctl("start", UNIT)  # Type=notify: it returns when the recorder said READY=1
        first = shown("ActiveState", "SubState", "StatusText", "MainPID", "WatchdogUSec", "NRestarts", "Type")
        found["started"] = first
        os.kill(int(first["MainPID"]), signal.SIGSTOP)

        def back() -> bool:
            now = shown("ActiveState", "MainPID", "NRestarts")
            return now["NRestarts"] != "0" and now["ActiveState"] == "active" and now["MainPID"] != first["MainPID"]

        found["back_after_s"] = round(wait_for(back, _RESTART_DEADLINE_S), 1)
        found["restarted"] = shown("ActiveState", "NRestarts", "StatusText")
        told = subprocess.run(["journalctl", "-b", "-u", UNIT], capture_output=True, text=True, check=False).stdout
        found["told"] = [line for line in told.splitlines() if "atchdog" in line]
        found["machine"] = shown("RuntimeWatchdogUSec", "WatchdogDevice", unit=None)
    except Exception as error:  # the host's half tells it
        found["error"] = f"{type(error).__name__}: {error}"
        journal = subprocess.run(["journalctl", "-b", "-o", "short-monotonic"], capture_output=True, check=False).stdout
        (HOST / "journal.txt").write_bytes(journal)
    (HOST / "watchdogs.json").write_text(json.dumps(found))
    (HOST / "hung").write_text("")
    os.kill(1, signal.SIGSEGV)  # systemd stands still after a crash of its own, and pets no watchdog any more


if __name__ == "__main__":
    main()
