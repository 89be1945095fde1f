"""The ways an update comes to the box: uploaded on the page (and back), on a USB stick, by the cloud's command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from conftest import BOOT_S, PROVE_S, Built
from emulator import Machine
from page import Page
from test_1_box import wait_for_phase

PASSWORD = "four words in a row"


def owner_of(box: Machine, folder: Path) -> Page:
    """The admin's account, made with the code that the screen shows."""
    page = Page(box, folder)
    code = box.ssh("cat /run/offhook/first-run-code").strip()
    account = {"name": "owner", "password": PASSWORD, "password_again": PASSWORD}
    assert page.post("/first-run", form_on="/first-run", code=code, **account) == 302
    return page


def test_the_owner_updates_from_the_page_and_goes_back(
    disk: Path, scratch: Path, consoles: Path, key: Path, built: Built, next_bundle: Path, next_version: str
) -> None:
    with Machine(disk, consoles, key=key, name="page") as box:
        box.wait(r"offhook: booting slot A", 120)
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        page = owner_of(box, scratch)
        system, update = "/settings/system/", "/settings/system/update"
        assert built.version in page.get(system)
        assert page.post(update, form_on=system, deadline_s=1800, file=next_bundle, action="install") == 302
        box.wait(r"offhook: booting slot B", 1800)
        box.wait_for_ssh(BOOT_S)
        done = wait_for_phase(box, "done|rolled_back|failed", PROVE_S)
        assert (done["phase"], done["version"], done["by"]) == ("done", next_version, "page: owner")
        # The session outlived the restart, and the page offers the way back.
        assert built.version in page.get(system)
        assert page.post(update, form_on=system, action="back") == 302
        box.wait(r"offhook: booting slot A", 600)
        box.wait_for_ssh(BOOT_S)
        back = wait_for_phase(box, "done|rolled_back|failed", PROVE_S)
        assert (back["phase"], back["version"], back["slot"]) == ("done", built.version, "A")


def test_an_update_is_taken_from_a_stick_that_is_plugged_in(
    disk: Path, scratch: Path, consoles: Path, key: Path, next_bundle: Path, next_version: str
) -> None:
    stick = scratch / "update-stick.img"
    subprocess.run(["mkfs.vfat", "-C", str(stick), str(1 << 20)], check=True, capture_output=True)
    subprocess.run(["mcopy", "-i", str(stick), str(next_bundle), f"::{next_bundle.name}"], check=True)
    with Machine(disk, consoles, key=key, name="stick", more=["-device", "qemu-xhci,id=usb"]) as box:
        box.wait(r"offhook: booting slot A", 120)
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        box.qmp("blockdev-add", **{"driver": "file", "node-name": "stick", "filename": str(stick)})
        box.qmp("device_add", driver="usb-storage", drive="stick", id="stick", bus="usb.0")
        box.wait(r"offhook: booting slot B", 1800)
        box.wait_for_ssh(BOOT_S)
        done = wait_for_phase(box, "done|rolled_back|failed", PROVE_S)
        assert (done["phase"], done["version"], done["by"]) == ("done", next_version, "usb")
    stick.unlink()


def test_an_update_is_installed_by_the_clouds_command(
    disk: Path, consoles: Path, key: Path, next_bundle: Path, next_version: str
) -> None:
    wished = json.dumps({"id": "command-1", "version": next_version})
    with Machine(disk, consoles, key=key, name="cloud") as box:
        box.wait(r"offhook: booting slot A", 120)
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        box.copy_in(next_bundle, f"/data/offhook/updates/incoming/{next_bundle.name}")
        # As the sync process leaves it, in the one folder where it alone may write.
        as_sync = "setpriv --reuid offhook-sync --regid offhook --clear-groups"
        box.ssh(f"{as_sync} tee /run/offhook-sync/update-install <<'END'\n{wished}\nEND")
        box.wait(r"offhook: booting slot B", 1800)
        box.wait_for_ssh(BOOT_S)
        done = wait_for_phase(box, "done|rolled_back|failed", PROVE_S)
        assert (done["phase"], done["version"], done["by"]) == ("done", next_version, "cloud")
        answer = json.loads(box.ssh("cat /data/offhook/update/answer-command-1.json"))
        assert (answer["state"], answer["result"]["current"]) == ("done", next_version)
