"""The box from its image: it starts, shows the page, records a call, and updates itself."""

from __future__ import annotations

import json
import re
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from calls import record_one
from conftest import BOOT_S, PROVE_S, Built
from emulator import Machine

pytestmark = pytest.mark.ci


def page(box: Machine, path: str = "/") -> tuple[int, str]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(f"https://127.0.0.1:{box.https}{path}", headers={"Host": "offhook.local"})
    try:
        with urllib.request.urlopen(request, timeout=120, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def ask_for_update(box: Machine, bundle: Path, *options: str) -> None:
    box.copy_in(bundle, f"/data/{bundle.name}")
    box.ssh(f"offhook update install {' '.join(options)} /data/{bundle.name} && rm /data/{bundle.name}", deadline_s=300)


def told(box: Machine) -> dict[str, object]:
    found: dict[str, object] = json.loads(box.ssh("offhook update status --json; true"))
    return found


def wait_for_phase(box: Machine, phases: str, deadline_s: float) -> dict[str, object]:
    box.wait_until(f'offhook update status --json | grep -qE \'"phase": "({phases})"\'', deadline_s)
    return told(box)


def test_it_starts_shows_the_page_records_a_call_and_updates_itself(
    disk: Path, consoles: Path, key: Path, built: Built, next_bundle: Path, next_version: str
) -> None:
    figures = {}
    with Machine(disk, consoles, key=key, name="box") as box:
        box.wait(r"offhook: booting slot A", 120)
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-recorder.service offhook-web.service nginx.service", BOOT_S)
        figures["recording ready after, s"] = round(box.seconds())
        code, text = page(box)
        assert code == 200
        assert "Offhook" in text
        assert box.ssh("cat /proc/sys/kernel/hostname").strip() == "recorder"
        assert box.ssh("findmnt -no OPTIONS /").startswith("ro")
        # The data partition has grown to the end of the card of 4 GB.
        assert int(box.ssh("df -m --output=size /data | tail -1")) > 1500
        assert box.ssh("systemctl --failed --no-legend --plain").strip() == ""

        call = record_one(box)
        assert call["call"]["outcome"] == "answered"
        assert call["heard_s"] > 0.8 * 8
        assert call["heard_s"] > 0.9 * (call["of_s"] - 6)
        assert -15 < call["level_dbfs"] < -3
        figures |= {"call heard, s": call["heard_s"], "call recorded, s": round(call["of_s"], 1)}

        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        figures["memory, MB"] = memory_mb(box)
        asked = time.monotonic()
        ask_for_update(box, next_bundle)
        box.wait(r"offhook: booting slot B", 1800)
        figures["update to restart, s"] = round(time.monotonic() - asked)
        box.wait_for_ssh(BOOT_S)
        done = wait_for_phase(box, "done|rolled_back|failed", PROVE_S)
        figures["update to proved, s"] = round(time.monotonic() - asked)
        assert (done["phase"], done["version"], done["slot"]) == ("done", next_version, "B")
        assert done["other_version"] == built.version
        assert "BOOT_ORDER=B A" in box.ssh("fw_printenv")
        # The call is still there, under the new version.
        calls = json.loads(box.ssh("offhook calls --json"))["calls"]
        assert [one["id"] for one in calls] == [call["call"]["id"]]
        assert json.loads(box.ssh("offhook doctor --json; true"))["ok"]
    (consoles / "box.figures").write_text("".join(f"{name}: {value}\n" for name, value in figures.items()))


def memory_mb(box: Machine) -> int:
    """The whole stack: every process of our services and of nginx, shared pages by their share (PSS)."""
    slices = "/sys/fs/cgroup/system.slice"
    groups = f"{slices}/offhook-*.service/cgroup.procs {slices}/nginx.service/cgroup.procs"
    shown = box.ssh(f"for pid in $(cat {groups}); do cat /proc/$pid/smaps_rollup; done 2>/dev/null; true")
    return round(sum(int(value) for value in re.findall(r"^Pss: +(\d+) kB", shown, re.MULTILINE)) * 1024 / 1e6)
