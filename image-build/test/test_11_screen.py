"""A screen on HDMI shows where the page is: the QR code on it is read with a camera's eyes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from conftest import BOOT_S, PROVE_S
from emulator import Machine, need


def test_the_code_on_the_screen_leads_to_the_page(disk: Path, consoles: Path, key: Path) -> None:
    need("zbarimg")
    with Machine(disk, consoles, key=key, name="screen", more=["-device", "virtio-gpu-pci"]) as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service offhook-screen.service", PROVE_S)
        address = box.ssh("ip -4 -o addr show scope global").split()[3].partition("/")[0]
        picture = consoles / "screen.png"
        end = time.monotonic() + 120
        read = ""
        while f"https://{address}/" not in read and time.monotonic() < end:
            box.qmp("screendump", filename=str(picture), format="png")
            look = ["zbarimg", "-q", "--raw", str(picture)]
            read = subprocess.run(look, capture_output=True, text=True, check=False).stdout
            time.sleep(2)
        assert f"https://{address}/" in read
