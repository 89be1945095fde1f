"""The units as systemd itself sees them: correct, and no more exposed than promised."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.drivers import DRIVERS

HERE = Path(__file__).resolve().parents[2] / "systemd"
SERVICES = sorted(path.name for path in HERE.glob("*.service"))
UNITS = sorted([*SERVICES, *(path.name for kind in ("*.timer", "*.path") for path in HERE.glob(kind))])
HELPERS = {"offhook-clock.service", "offhook-usb-power.service"}
"""What a wish of the recorder starts: each may do one thing more than the others."""
MOST_EXPOSED = {
    "offhook-migrate.service": 2.5,
    "offhook-recorder.service": 4.0,
    "offhook-web.service": 2.5,
    "offhook-sync.service": 2.5,
    "offhook-janitor.service": 2.5,
    "offhook-clock.service": 2.5,
    "offhook-usb-power.service": 2.5,
}

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def directives(unit: str) -> list[tuple[str, str]]:
    lines = (HERE / unit).read_text().splitlines()
    return [(name, value) for name, _, value in (line.partition("=") for line in lines if re.match(r"\w+=", line))]


def value_of(unit: str, name: str) -> str:
    return " ".join(value for one, value in directives(unit) if one == name)


def test_there_are_all_parts() -> None:
    assert set(SERVICES) == set(MOST_EXPOSED)
    assert "offhook-janitor.timer" in UNITS


@needs_systemd
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    offhook = tmp_path / "offhook"
    offhook.write_text("#!/bin/sh\n")
    offhook.chmod(0o755)
    for unit in UNITS:
        text = (HERE / unit).read_text().replace("/opt/offhook/venv/bin/offhook", str(offhook))
        (tmp_path / unit).write_text(text)
    checked = run("systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit) for unit in UNITS))
    about_ours = [line for line in checked.stderr.splitlines() if "offhook" in line]
    assert about_ours == []


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_exposure_is_at_most_what_is_promised(unit: str) -> None:
    threshold = str(round(MOST_EXPOSED[unit] * 10))
    measured = run(
        "systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={threshold}", str(HERE / unit)
    )
    assert measured.returncode == 0, measured.stdout[-400:] + measured.stderr
    figure = re.search(r"Overall exposure level for \S+: ([\d.]+)", measured.stdout)
    assert figure is not None
    assert float(figure[1]) <= MOST_EXPOSED[unit]
    if not run("systemd-analyze", "--version").stdout.startswith("systemd 252 "):
        return  # other versions weigh differently; the page shows what Debian 12's says
    table = (HERE.parent / "docs/security.md").read_text()
    assert f"| `{unit.removesuffix('.service')}` | {figure[1]} |" in table, "docs/security.md shows another figure"


def test_each_service_has_a_user_of_its_own_and_the_common_group() -> None:
    users = [value_of(unit, "User") for unit in SERVICES]
    assert users == [unit.removesuffix(".service") for unit in SERVICES]
    accounts = (HERE / "sysusers.d/offhook.conf").read_text()
    for user in users:
        assert re.search(rf"^u {user}\s", accounts, re.MULTILINE)
        assert re.search(rf"^m {user}\s+offhook$", accounts, re.MULTILINE)
    assert {value_of(unit, "Group") for unit in SERVICES} == {"offhook"}
    assert {value_of(unit, "UMask") for unit in SERVICES} == {"0007"}


def test_a_helper_has_the_one_right_it_needs_and_a_wish_that_starts_it() -> None:
    rights = {unit: value_of(unit, "CapabilityBoundingSet") for unit in SERVICES}
    assert {unit: right for unit, right in rights.items() if right} == {"offhook-clock.service": "CAP_SYS_TIME"}
    for unit in HELPERS:
        wish = value_of(unit.replace(".service", ".path"), "PathChanged")
        assert wish.startswith("/run/offhook-recorder/"), "a folder that only the recorder may write to"
        assert value_of(unit, "ExecStart").endswith(" " + wish)
    rules = (HERE / "udev/70-offhook.rules").read_text()
    assert "chgrp offhook-usb-power" in rules


def test_only_sync_reaches_the_network() -> None:
    for unit in SERVICES:
        if unit != "offhook-sync.service":
            assert value_of(unit, "IPAddressDeny") == "any"
    assert value_of("offhook-recorder.service", "RestrictAddressFamilies") == "AF_UNIX AF_NETLINK"
    assert value_of("offhook-web.service", "IPAddressAllow") == "localhost"


def test_the_recorder_never_gives_up_and_a_hang_is_noticed() -> None:
    unit = "offhook-recorder.service"
    assert value_of(unit, "Type") == "notify"
    assert value_of(unit, "Restart") == "always"
    assert value_of(unit, "StartLimitIntervalSec") == "0"
    assert value_of(unit, "WatchdogSec") == "20s"


def test_kernel_modules_of_allowed_devices_are_there_before_the_recorder() -> None:
    after = value_of("offhook-recorder.service", "After")
    for device, module in (("char-ttyUSB", "usbserial"), ("char-ttyACM", "cdc_acm"), ("char-alsa", "snd")):
        assert f"{device} rw" in value_of("offhook-recorder.service", "DeviceAllow")
        assert f"modprobe@{module}.service" in after


DEVICES = {
    "fxo-gpio": {"char-gpiochip", "char-alsa"},
    "at-modem": {"char-ttyUSB", "char-ttyAMA", "char-ttyS", "char-alsa"},
    "voice-modem": {"char-ttyACM", "char-ttyUSB"},
    "line-monitor": {"char-ttyUSB", "char-ttyAMA", "char-ttyS", "char-alsa"},
    "audio-tap": {"char-alsa"},
}
"""What each driver opens under /dev."""


def test_the_recorder_may_open_what_its_drivers_need() -> None:
    assert set(DRIVERS) <= set(DEVICES), "a new driver: name its devices here, and allow them in the unit"
    allowed = value_of("offhook-recorder.service", "DeviceAllow")
    for driver, devices in DEVICES.items():
        assert all(f"{device} rw" in allowed for device in devices), driver


def test_every_command_that_a_unit_runs_exists() -> None:
    for unit in SERVICES:
        command = value_of(unit, "ExecStart").split()[1:]
        words = [word for word in command if not word.startswith("-")][: 2 if command[0] in ("sync", "wish") else 1]
        shown = run(sys.executable, "-m", "cli.main", *words, "--help")
        assert shown.returncode == 0, shown.stderr
        for option in (word for word in command if word.startswith("--")):
            assert option in shown.stdout


def test_the_folder_does_not_hide_the_systemd_library() -> None:
    assert not (HERE / "__init__.py").exists()
    imported = subprocess.run(
        [sys.executable, "-c", "import systemd.daemon, systemd.journal"], cwd=HERE.parent, timeout=30, check=False
    )
    assert imported.returncode == 0


def test_modem_rules_are_read_before_modem_managers() -> None:
    (rules,) = HERE.glob("udev/*.rules")
    assert rules.name < "77-"
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in rules.read_text()
