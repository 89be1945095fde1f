"""The same image on an emulated Pi 3, through Debian's U-Boot for the Pi: no network there, so the console tells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from conftest import BOOT_S, OUT
from emulator import Machine, overlay, put_on_card


def test_a_pi_3_starts_and_records_a_call(fresh_card: Path, scratch: Path, consoles: Path) -> None:
    parts = consoles / "pi"
    parts.mkdir(exist_ok=True)
    for name in ("u-boot.bin", "bcm2837-rpi-3-b.dtb"):
        shutil.copy(OUT / "boot-parts" / name, parts / name)
    card = scratch / "pi.img"
    subprocess.run(["cp", "--sparse=always", str(fresh_card), str(card)], check=True)
    # The owner of a card may ask for the self-test; its outcome goes to the console and the screen.
    put_on_card(card, {"selftest": ""}, scratch)
    disk = overlay(card, scratch / "pi.qcow2")
    with Machine(disk, consoles, machine="raspi3b", name="raspi3b") as box:
        box.wait(r"offhook: boot from mmc", 120)
        box.wait(r"offhook: booting slot A", 120)
        box.wait(r"first start: making the data partition", BOOT_S)
        heard = box.wait(r'"heard_s": ([\d.]+)', 3 * BOOT_S)
        assert float(heard[1]) >= 3.0
    card.unlink()
