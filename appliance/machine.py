"""The machine under the services: which slot and version runs, and the restart."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

VERSION_FILE = Path("/usr/lib/offhook-box/version")
_SLOT = re.compile(r"(?:^|\s)rauc\.slot=([AB])(?:\s|$)")


def version() -> str:
    """Of the image that runs; empty on a machine that is no image."""
    try:
        return VERSION_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def slot(command_line: str | None = None) -> str:
    """``A`` or ``B``, as the boot script said it to the kernel; empty on a machine that is no image."""
    found = _SLOT.search(Path("/proc/cmdline").read_text() if command_line is None else command_line)
    return found[1] if found else ""


def restart() -> None:
    """Asks systemd; every service gets its time to stop."""
    subprocess.run(["systemctl", "reboot"], timeout=60, check=False)
