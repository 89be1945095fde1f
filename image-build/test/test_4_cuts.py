"""Power cuts in an update that lose what the disk had not flushed: 200 of them, through the real boot script.

Every write and flush of the disk during an update is logged (QEMU's blklogwrites, in the format of dm-log-writes). For
each cut the disk is made as it would have been left: what was flushed is there, of the writes since then each may be.
Then U-Boot starts from it. It must choose a slot, and when it chooses the new one, that is there to the last byte.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest
from conftest import BOOT_S, PROVE_S
from emulator import Machine, overlay
from test_1_box import told

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from state import OFFSET, SIZE, unpacked
from write_log import Entry, WriteLog

pytestmark = pytest.mark.stops
CUTS = int(os.environ.get("OFFHOOK_CUTS", "200"))
BOOTED = 10
SEED = int(os.environ.get("OFFHOOK_SEED", "1"))


@dataclass(frozen=True)
class Logged:
    before: Path
    """The disk when the log begins."""
    log: Path
    slot_b: tuple[int, int]
    """Where the new slot is: first byte and length of what was written."""
    digest: str


@pytest.fixture(scope="session")
def logged(started: Path, scratch: Path, consoles: Path, key: Path, next_bundle: Path, next_version: str) -> Logged:
    before = scratch / "cuts-before.img"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(started), str(before)], check=True)
    disk = scratch / "cuts-disk.img"
    subprocess.run(["cp", "--sparse=always", str(before), str(disk)], check=True)
    log = scratch / "cuts.log"
    log.touch()
    with Machine(disk, consoles, key=key, name="cuts-record", log_writes=log) as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        box.copy_in(next_bundle, f"/data/{next_bundle.name}")
        box.ssh(f"offhook update install /data/{next_bundle.name}", deadline_s=300)
        box.wait(r"offhook: booting slot B", 1800)
    start = _partition(before, 3)
    slot = next_bundle.parent / f"slot-{next_version}.ext4"
    disk.unlink()
    return Logged(before, log, (start, slot.stat().st_size), hashlib.sha256(slot.read_bytes()).hexdigest())


def _partition(disk: Path, number: int) -> int:
    with disk.open("rb") as file:
        record = file.read(512)
    at = 446 + 16 * (number - 1) + 8
    return int.from_bytes(record[at : at + 4], "little") * 512


def test_a_cut_leaves_a_slot_that_boots(logged: Logged, scratch: Path, consoles: Path, key: Path) -> None:
    entries = WriteLog(logged.log).entries
    lots = random.Random(SEED)
    # The state changes near the end: half of the cuts are made in the last tenth of the log.
    marks = sorted(
        lots.randrange(len(entries) * 9 // 10, len(entries)) if lots.random() < 0.5 else lots.randrange(len(entries))
        for _ in range(CUTS)
    )
    booted = set(lots.sample(range(CUTS), min(BOOTED, CUTS)))
    chosen = {"A": 0, "B": 0}
    for number, disk in _cuts(logged, entries, marks, lots, scratch):
        state = _state(disk)
        slot = _boot(disk, scratch, consoles, key, number, whole=number in booted)
        chosen[slot] += 1
        assert state is None or set(state) >= {"BOOT_ORDER"}
        if slot == "B":
            assert _slot_b(disk, logged) == logged.digest, f"cut {number} (entry {marks[number]}): B is not complete"
    print(f"{CUTS} cuts: {chosen}, {len(booted)} of them booted")
    assert chosen["A"]


def _cuts(
    logged: Logged, entries: list[Entry], marks: list[int], lots: random.Random, scratch: Path
) -> Iterator[tuple[int, Path]]:
    """The disk after each cut, in the order of the log; the writes that were flushed are put on it as it goes."""
    safe = scratch / "cuts-safe.img"
    subprocess.run(["cp", "--sparse=always", str(logged.before), str(safe)], check=True)
    done = 0
    with logged.log.open("rb") as log:
        for number, mark in enumerate(marks):
            last_flush = max((at for at in range(done, mark) if entries[at].flush), default=None)
            if last_flush is not None:
                with safe.open("r+b") as disk:
                    for entry in entries[done : last_flush + 1]:
                        _write(disk, log, entry)
                done = last_flush + 1
            survived = [entry for entry in entries[done:mark] if lots.random() < 0.5]
            with safe.open("r+b") as disk:
                lost = [(entry.at, _write(disk, log, entry)) for entry in survived]
            yield number, safe
            # Taken back, last first, so that no cut needs a copy of the whole disk.
            with safe.open("r+b") as disk:
                for at, content in reversed(lost):
                    disk.seek(at)
                    disk.write(content)
    safe.unlink()


def _write(disk: BinaryIO, log: BinaryIO, entry: Entry) -> bytes:
    """What stood there before."""
    if not entry.writes:
        return b""
    log.seek(entry.data_at)
    disk.seek(entry.at)
    before = disk.read(entry.length)
    disk.seek(entry.at)
    disk.write(log.read(entry.length))
    return before


def _state(disk: Path) -> dict[str, str] | None:
    with disk.open("rb") as file:
        file.seek(OFFSET)
        return unpacked(file.read(SIZE))


def _slot_b(disk: Path, logged: Logged) -> str:
    at, length = logged.slot_b
    digest = hashlib.sha256()
    with disk.open("rb") as file:
        file.seek(at)
        while length:
            block = file.read(min(length, 1 << 20))
            digest.update(block)
            length -= len(block)
    return digest.hexdigest()


def _boot(disk: Path, scratch: Path, consoles: Path, key: Path, number: int, *, whole: bool) -> str:
    """The slot that the boot script takes."""
    layer = overlay(disk, scratch / "cut.qcow2")
    try:
        with Machine(layer, consoles, key=key, name=f"cut-{number}" if whole else "cut") as box:
            slot = box.wait(r"offhook: booting slot ([AB])", 180)[1]
            if whole:
                box.wait_for_ssh(BOOT_S)
                box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
                assert told(box)["version"]
        return slot
    finally:
        layer.unlink()
