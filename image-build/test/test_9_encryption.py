"""Recordings encrypted with a key on a USB stick: with it the box starts by itself, without it nothing can be read."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import BOOT_S, PROVE_S, switch_off
from emulator import Machine, overlay, put_on_card


def with_stick(stick: Path) -> list[str]:
    drive = f"if=none,id=stick,format=raw,file={stick}"
    return ["-device", "qemu-xhci", "-drive", drive, "-device", "usb-storage,drive=stick"]


def test_the_data_is_encrypted_with_the_key_on_a_stick(
    fresh_card: Path, scratch: Path, consoles: Path, key: Path
) -> None:
    stick = scratch / "stick.img"
    subprocess.run(["mkfs.vfat", "-C", str(stick), "65536"], check=True, capture_output=True)
    card = scratch / "encrypted.img"
    subprocess.run(["cp", "--sparse=always", str(fresh_card), str(card)], check=True)
    put_on_card(card, {"encrypt-with-usb-key": ""}, scratch)
    disk = overlay(card, scratch / "encrypted.qcow2")

    with Machine(disk, consoles, key=key, name="encrypted-first", more=with_stick(stick)) as box:
        box.wait(r"first start: making the data partition", BOOT_S)
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-recorder.service", PROVE_S)
        assert box.ssh("blkid -p -s TYPE -o value $(readlink -f /dev/offhook/data)").strip() == "crypto_LUKS"
        assert box.ssh("findmnt -no SOURCE /data").strip() == "/dev/mapper/offhook-data"
        device_id = box.ssh("cat /data/offhook/identity/device-id")
        switch_off(box)
    found = subprocess.run(["mdir", "-b", "-i", str(stick), "::"], capture_output=True, text=True, check=True)
    assert "offhook.key" in found.stdout

    with Machine(disk, consoles, key=key, name="encrypted-second", more=with_stick(stick)) as box:
        box.wait_for_ssh(BOOT_S)
        assert box.ssh("cat /data/offhook/identity/device-id") == device_id
        assert box.ssh("findmnt -no SOURCE /data").strip() == "/dev/mapper/offhook-data"
        switch_off(box)

    # A thief with the card alone: the box says why it has nothing, and goes on.
    with Machine(disk, consoles, key=key, name="encrypted-alone") as box:
        box.wait(r"data partition cannot be used \(it is encrypted, and no USB stick with its key", BOOT_S)
        box.wait_for_page(BOOT_S)
    card.unlink()
