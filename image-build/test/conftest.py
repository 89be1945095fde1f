"""One card with the image, started for the first time; every test works on a copy-on-write disk over it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from emulator import Machine, card, need, overlay, put_on_card
from variants import bundle, later

OUT = Path(os.environ.get("OFFHOOK_IMAGE_OUT", Path(__file__).resolve().parents[2] / "out"))
BOOT_S = 600.0
PROVE_S = 900.0


@dataclass(frozen=True)
class Built:
    """What ``make image`` left in out/."""

    version: str
    image: Path
    slot: Path
    bundle: Path


@pytest.fixture(scope="session")
def built() -> Built:
    for program in ("qemu-system-aarch64", "qemu-img", "mcopy", "rauc", "debugfs", "ssh"):
        need(program)
    images = sorted(OUT.glob("offhook-*.img"), key=lambda path: path.stat().st_mtime)
    if not images:
        pytest.exit(f"there is no image in {OUT}: make image", returncode=2)
    version = images[-1].name.removeprefix("offhook-").removesuffix(".img")
    return Built(version, images[-1], OUT / f"slot-{version}.ext4", OUT / f"offhook-{version}.raucb")


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """Large: disks and bundles. The consoles stay in out/image-test for whoever wants to know."""
    with tempfile.TemporaryDirectory(prefix="image-test-", dir=OUT) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def consoles() -> Path:
    folder = OUT / "image-test"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def key(scratch: Path) -> Path:
    path = scratch / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "image-test", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def fresh_card(built: Built, scratch: Path, key: Path) -> Path:
    """As the owner puts it into the box: the image on a card of 4 GB, with a key for ssh written by the Imager."""
    disk = card(built.image, scratch / "card.img")
    public = key.with_suffix(".pub").read_text().strip()
    user_data = f"#cloud-config\nhostname: recorder\nssh_authorized_keys:\n  - {public}\ntimezone: Asia/Shanghai\n"
    put_on_card(disk, {"user-data": user_data}, scratch)
    return disk


@pytest.fixture(scope="session")
def started(fresh_card: Path, scratch: Path, consoles: Path, key: Path) -> Path:
    """The card after its first start, proved good and cleanly switched off: what most tests begin with."""
    disk = overlay(fresh_card, scratch / "started.qcow2")
    with Machine(disk, consoles, key=key, name="first-start") as box:
        box.wait(r"offhook: booting slot A", 120)
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        figures = box.ssh(
            "systemd-analyze; systemd-analyze critical-chain --no-pager; free -m; cat /data/state/card.log"
        )
        (consoles / "first-start.figures").write_text(f"ssh after {box.seconds():.0f} s\n{figures}")
        switch_off(box)
    return disk


def switch_off(box: Machine) -> None:
    box.ssh("systemctl poweroff", check=False)
    box.wait(r"Power down|reboot: System halted|Powering off", 300)
    box.stop_hard()


@pytest.fixture
def disk(started: Path, scratch: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = scratch / (re.sub(r"\W+", "-", request.node.name) + ".qcow2")
    yield overlay(started, path)
    path.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def next_version(built: Built) -> str:
    """Later than any commit there is."""
    return re.sub(r"\+\d{8}\.\d{6}", "+20991231.000000", built.version).removesuffix(".dirty")


@pytest.fixture(scope="session")
def next_bundle(built: Built, scratch: Path, next_version: str) -> Path:
    folder = scratch / "next"
    folder.mkdir()
    return bundle(later(built.slot, folder, next_version), next_version, folder)
