"""Updates from a USB stick: the newest bundle on it that is newer than what runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from appliance.versions import is_downgrade, order
from firmware.update_wishes import Action, Wish, receive, wish

_MOUNTED = Path("/run/offhook-box/update-stick")


def newest(names: list[str], running: str) -> str | None:
    """Of files called ``offhook-VERSION.raucb`` the highest version, when it is higher than ``running``."""
    versions = {}
    for name in names:
        try:
            versions[name] = order(name.removeprefix("offhook-").removesuffix(".raucb"))
        except ValueError:
            continue
    if not versions:
        return None
    best = max(versions, key=lambda name: versions[name])
    version = best.removeprefix("offhook-").removesuffix(".raucb")
    return best if is_downgrade(running, version) else None


def take_from(device: str, data_dir: Path, run_dir: Path, *, running: str) -> str:
    """Copies the update from the stick and asks for it. Says what was done. Raises OSError."""
    _MOUNTED.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-o", "ro,nosuid,nodev,noexec", device, str(_MOUNTED)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        return f"{device} holds no file system of a USB stick: {mounted.stderr.strip()}"
    try:
        found = newest([path.name for path in _MOUNTED.glob("offhook-*.raucb")], running)
        if found is None:
            return f"no update on {device} that is newer than {running}"
        with (_MOUNTED / found).open("rb") as stream:
            name = receive(data_dir, found, stream)
    finally:
        subprocess.run(["umount", str(_MOUNTED)], check=False)
    wish(run_dir, Wish(Action.INSTALL, "usb", name))
    return f"{found} taken from {device}"
