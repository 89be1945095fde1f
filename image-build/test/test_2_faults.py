"""Updates that must not happen, and versions that must not stay."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import variants
from calls import begin_one
from conftest import BOOT_S, PROVE_S, Built
from emulator import Machine
from test_1_box import ask_for_update, told, wait_for_phase


@pytest.fixture(params=["kernel", "init", "program"])
def broken(request: pytest.FixtureRequest, built: Built, scratch: Path, next_version: str) -> Path:
    folder = scratch / f"broken-{request.param}"
    folder.mkdir()
    slot = variants.later(built.slot, folder, next_version)
    if request.param == "kernel":
        variants.without_kernel(slot)
    elif request.param == "init":
        variants.without_init(slot)
    else:
        variants.without_program(slot, folder)
    return variants.bundle(slot, next_version, folder)


def test_a_broken_version_goes_back_by_itself(
    disk: Path, consoles: Path, key: Path, built: Built, broken: Path
) -> None:
    with Machine(disk, consoles, key=key, name=f"rollback-{broken.parent.name}") as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        ask_for_update(box, broken)
        box.wait(r"offhook: booting slot B", 1800)
        # Three tries, each ended by a panic, a missing kernel, or the proof that cannot run.
        box.wait(r"offhook: booting slot A", 4 * BOOT_S)
        box.wait_for_ssh(BOOT_S)
        after = wait_for_phase(box, "rolled_back", PROVE_S)
        assert (after["version"], after["slot"]) == (built.version, "A")
        assert box.ssh("systemctl is-active offhook-recorder.service").strip() == "active"


def signed_by_somebody_else(bundle: Path, folder: Path) -> Path:
    made = folder / "offhook-foreign.raucb"
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
    request = ["openssl", "req", "-x509", *new_key, "-days", "9", "-subj", "/CN=somebody else", "-out", certificate]
    subprocess.run(request, check=True, capture_output=True)
    resign = ["rauc", "resign", "--cert", certificate, "--key", key, "--no-verify", "--signing-keyring", certificate]
    subprocess.run([*resign, str(bundle), str(made)], check=True, capture_output=True)
    return made


def test_what_is_refused_leaves_the_box_as_it_was(
    disk: Path, consoles: Path, key: Path, built: Built, scratch: Path, next_bundle: Path
) -> None:
    with Machine(disk, consoles, key=key, name="refused") as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        before = box.ssh("fw_printenv BOOT_ORDER")
        foreign = scratch / "foreign"
        foreign.mkdir()
        resigned = signed_by_somebody_else(next_bundle, foreign)
        # Cut short on the way.
        torn = foreign / "offhook-torn.raucb"
        torn.write_bytes(next_bundle.read_bytes()[: 8 << 20])
        for bad in (resigned, torn):
            ask_for_update(box, bad)
            assert wait_for_phase(box, "refused", 300)["phase"] == "refused"
        begin_one(box)
        ask_for_update(box, next_bundle, "--now")
        refused = wait_for_phase(box, "refused", 300)
        assert "in a call" in str(refused["text"])
        assert box.ssh("fw_printenv BOOT_ORDER") == before
        assert told(box)["version"] == built.version
        assert box.ssh("ls /data/offhook/updates/incoming /data/offhook/updates/taken").count(".raucb") == 0
