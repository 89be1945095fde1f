"""Files that must survive a power cut: made, renamed and flushed together with their folder's entry."""

from __future__ import annotations

import os
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Makes the names in ``folder`` safe: without this a new file can be gone after a power cut though its data was
    flushed (ext4)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Makes ``folder`` and what is missing above it, each entry flushed in its parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def publish(tmp: Path, final: Path) -> None:
    """``tmp`` becomes ``final`` in one step, with its data on the disk before its name."""
    fsync_file(tmp)
    tmp.replace(final)
    fsync_folder(final.parent)


def write_durably(final: Path, data: bytes) -> None:
    """``final`` holds exactly ``data`` afterwards, or is as it was before."""
    tmp = final.with_name(final.name + ".tmp")
    tmp.write_bytes(data)
    publish(tmp, final)
