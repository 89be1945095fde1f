"""Gives every inode of an ext4 image the same change, access and creation time, so that two builds are the same.

mke2fs before 1.47.1 copies the times of the files it packs, and the change time of a file is when the build touched it.
Usage: ext4_times.py IMAGE EPOCH_S. Modification times stay.
"""

from __future__ import annotations

import subprocess
import sys


def in_use(image: str) -> list[int]:
    """Inode numbers that mke2fs filled: they come without gaps, so the number of free ones says where they end."""
    shown = subprocess.run(["dumpe2fs", "-h", image], capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    return list(range(2, int(fields["Inode count"]) - int(fields["Free inodes"]) + 1))


def commands(inodes: list[int], epoch_s: int) -> str:
    fields = [(name, f"@{epoch_s}") for name in ("atime", "ctime", "crtime")]
    fields += [(f"{name}_extra", "0") for name in ("atime", "ctime", "mtime", "crtime")]
    return "".join(f"set_inode_field <{inode}> {name} {value}\n" for inode in inodes for name, value in fields)


def main(image: str, epoch: str) -> None:
    script = commands(in_use(image), int(epoch))
    subprocess.run(["debugfs", "-w", "-f", "-", image], input=script, text=True, capture_output=True, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
