"""The machine is stopped hard at random moments of an update: one of the two versions runs, whole, every time.

A killed emulator stops the processor; it does not lose what the disk had not yet flushed (`test_4_cuts.py` does).
OFFHOOK_STOPS says how many; what was done is kept in out/image-test/stops.jsonl, and a run goes on where one ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import BOOT_S, PROVE_S, Built
from emulator import Machine, MachineError, overlay
from test_1_box import told

pytestmark = pytest.mark.stops
STOPS = int(os.environ.get("OFFHOOK_STOPS", "20"))
SEED = int(os.environ.get("OFFHOOK_SEED", "1"))


@pytest.fixture(scope="session")
def ready(started: Path, scratch: Path, consoles: Path, key: Path, next_bundle: Path) -> Path:
    """A disk with the machine's memory in it (`savevm`): up, proved, and holding the update that is to come."""
    disk = overlay(started, scratch / "ready.qcow2")
    with Machine(disk, consoles, key=key, name="stops-ready") as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        box.copy_in(next_bundle, f"/data/{next_bundle.name}")
        box.ssh("sync")
        box.qmp("human-monitor-command", **{"command-line": "savevm ready"})
    return disk


def from_ready(ready: Path, at: Path, consoles: Path, key: Path) -> Machine:
    """The machine as it stood, on a disk of its own."""
    subprocess.run(["cp", "--sparse=always", str(ready), str(at)], check=True)
    return Machine(at, consoles, key=key, name=at.stem, more=["-loadvm", "ready"])


@pytest.fixture(scope="session")
def length_s(ready: Path, scratch: Path, consoles: Path, key: Path, next_bundle: Path) -> float:
    """From the wish to the restart, once without a stop."""
    disk = scratch / "stops-length.qcow2"
    with from_ready(ready, disk, consoles, key) as box:
        begun = time.monotonic()
        box.ssh(f"offhook update install /data/{next_bundle.name}", deadline_s=300)
        box.wait(r"offhook: booting slot B", 1800)
        length = time.monotonic() - begun
    disk.unlink()
    return length


@pytest.mark.parametrize("number", range(STOPS))
def test_one_version_runs_whole_after_a_stop(
    number: int,
    ready: Path,
    scratch: Path,
    consoles: Path,
    key: Path,
    built: Built,
    next_bundle: Path,
    length_s: float,
) -> None:
    done = consoles / "stops.jsonl"
    name = f"{built.version}/{SEED}/{number}"
    if done.exists() and any(json.loads(line)["stop"] == name for line in done.read_text().splitlines()):
        pytest.skip("done in an earlier run")
    after_s = random.Random(f"{SEED}-{number}").uniform(0, length_s * 1.15)
    disk = scratch / f"stop-{number}.qcow2"
    with from_ready(ready, disk, consoles, key) as box:
        asking = threading.Thread(target=_quietly, args=(box, next_bundle.name))
        asking.start()
        time.sleep(after_s)
        box.stop_hard()
        asking.join()
    with Machine(disk, consoles, key=key, name=f"stop-{number}-after") as box:
        slot = box.wait(r"offhook: booting slot ([AB])", 120)[1]
        box.wait_for_ssh(BOOT_S)
        box.wait_until(
            "systemctl is-active offhook-recorder.service offhook-web.service offhook-prove.service", PROVE_S
        )
        after = told(box)
        assert after["version"] in {built.version, next_bundle.name.removeprefix("offhook-").removesuffix(".raucb")}
        assert json.loads(box.ssh("offhook doctor --json; true"))["ok"]
        assert box.ssh("systemctl --failed --no-legend --plain").strip() == ""
    disk.unlink()
    with done.open("a") as file:
        file.write(
            json.dumps({"stop": name, "after_s": round(after_s, 1), "slot": slot, "phase": after["phase"]}) + "\n"
        )


def _quietly(box: Machine, bundle: str) -> None:
    with contextlib.suppress(MachineError):
        box.ssh(f"offhook update install /data/{bundle}", deadline_s=600)
