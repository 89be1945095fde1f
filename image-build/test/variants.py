"""Other builds made from the one at hand: a later version, and versions that are broken in one way each.

Only what differs is changed inside a copy of the slot, so that a test of updates does not wait for a second build.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
_VERSION_FILE = "/usr/lib/offhook-box/version"


def later(slot: Path, folder: Path, version: str) -> Path:
    """The same build under another version."""
    copy = folder / f"slot-{version}.ext4"
    subprocess.run(["cp", "--sparse=always", str(slot), str(copy)], check=True)
    _put(copy, _VERSION_FILE, f"{version}\n", folder)
    return copy


def without_kernel(slot: Path) -> None:
    _debugfs(slot, ["rm /boot/vmlinuz"])


def without_program(slot: Path, folder: Path) -> None:
    """The ``offhook`` command of this build fails: nothing of ours runs."""
    _put(slot, "/usr/bin/offhook", "#!/bin/sh\nexit 1\n", folder, mode="0100755")


def without_init(slot: Path) -> None:
    """The kernel starts and has nothing to start: it panics."""
    _debugfs(slot, ["rm /usr/lib/offhook-box/start"])


def bundle(slot: Path, version: str, folder: Path) -> Path:
    """The signed update of a slot."""
    (folder / f"slot-{version}.ext4").exists() or slot.rename(folder / f"slot-{version}.ext4")
    environment = {**os.environ, "OFFHOOK_VERSION": version, "OFFHOOK_BUNDLE_COMPRESSION": "1"}
    done = subprocess.run(
        [str(HERE / "bundle.sh"), str(folder)], env=environment, capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip())


def _put(slot: Path, path: str, text: str, folder: Path, mode: str = "0100644") -> None:
    draft = folder / "put"
    draft.write_text(text)
    _debugfs(slot, [f"rm {path}", f"write {draft} {path}", f"set_inode_field {path} mode {mode}"])
    _debugfs(slot, [f"set_inode_field {path} uid 0", f"set_inode_field {path} gid 0"])
    draft.unlink()


def _debugfs(slot: Path, commands: list[str]) -> None:
    done = subprocess.run(
        ["debugfs", "-w", "-f", "-", str(slot)], input="\n".join(commands), capture_output=True, text=True, check=True
    )
    faults = [line for line in done.stderr.splitlines() if line and not line.startswith("debugfs ")]
    if faults:
        raise RuntimeError(f"{slot}: {faults}")
