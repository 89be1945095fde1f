"""The same image on an emulated Pi 3, through Debian's U-Boot for the Pi: no network there, so the console tells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BOOT_S, OUT
from emulator import Machine, overlay, put_on_card


@pytest.fixture(autouse=True)
def parts(consoles: Path) -> Path:
    """What the firmware of a Pi would load: the boot loader, and the tree of the board."""
    folder = consoles / "pi"
    folder.mkdir(exist_ok=True)
    for name in ("u-boot.bin", "bcm2837-rpi-3-b.dtb"):
        shutil.copy(OUT / "boot-parts" / name, folder / name)
    return folder


def _card(scratch: Path, fresh_card: Path, name: str, files: dict[str, str]) -> Path:
    """A fresh card with ``files`` of its owner on it, as a disk that keeps what is written for itself."""
    card = scratch / f"{name}.img"
    subprocess.run(["cp", "--sparse=always", str(fresh_card), str(card)], check=True)
    put_on_card(card, files, scratch)
    return overlay(card, scratch / f"{name}.qcow2")


def test_a_pi_3_starts_and_records_a_call(fresh_card: Path, scratch: Path, consoles: Path) -> None:
    # The owner of a card may ask for the self-test; its outcome goes to the console and the screen.
    disk = _card(scratch, fresh_card, "pi", {"selftest": ""})
    with Machine(disk, consoles, machine="raspi3b", name="raspi3b") as box:
        box.wait(r"offhook: boot from mmc", 120)
        box.wait(r"offhook: booting slot A", 120)
        box.wait(r"first start: making the data partition", BOOT_S)
        heard = box.wait(r'"heard_s": ([\d.]+)', 3 * BOOT_S)
        assert float(heard[1]) >= 3.0
    disk.with_suffix(".img").unlink()


def test_the_early_watchdog_is_the_boards_own(fresh_card: Path, scratch: Path, consoles: Path) -> None:
    disk = _card(scratch, fresh_card, "pi-watchdog", {"extra.env": "early_watchdog=1\n"})
    with Machine(disk, consoles, machine="raspi3b", name="raspi3b-watchdog") as box:
        box.wait(r"offhook: watchdog at 0x3f100000", 120)
        # QEMU's does not wait: it resets the board at once, and the boot counter runs down as it should.
        box.wait(r"booting slot A \(order A B, left A 1, B 3\)", 120)
    disk.with_suffix(".img").unlink()
