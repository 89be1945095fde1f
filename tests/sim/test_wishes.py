"""What the recorder may only wish for: the clock, and the power of a module's USB port."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware.errors import DeviceError
from firmware.modem.usb_power import replug_or_wish
from firmware.root_wishes import WishError, power_cycle, set_clock

NOON_S = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp())


class Clock:
    def __init__(self) -> None:
        self.set_s: float | None = None

    def __call__(self, _clock: int, seconds: float) -> None:
        self.set_s = seconds


def test_the_clock_is_set_to_what_the_network_told(tmp_path: Path) -> None:
    wish, clock = tmp_path / "network-time", Clock()
    wish.write_text(f"{NOON_S} sim-1\n")
    said = set_clock(wish, ntp_synced=tmp_path / "none", set_time=clock)
    assert clock.set_s == NOON_S
    assert said == "the clock was set to 2026-11-30 12:00:00 UTC, as the network of sim-1 says"


def test_a_clock_that_the_internet_has_set_stays(tmp_path: Path) -> None:
    wish, clock, synced = tmp_path / "network-time", Clock(), tmp_path / "synchronized"
    wish.write_text(f"{NOON_S} sim-1\n")
    synced.touch()
    assert "not needed" in set_clock(wish, ntp_synced=synced, set_time=clock)
    assert clock.set_s is None


@pytest.mark.parametrize(
    "text", ["", "now sim-1", "315532800 sim-1", "99999999999 sim-1", f"{NOON_S} sim-1; reboot", "1" * 400]
)
def test_a_wish_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    wish, clock = tmp_path / "network-time", Clock()
    wish.write_text(text)
    with pytest.raises(WishError):
        set_clock(wish, ntp_synced=tmp_path / "none", set_time=clock)
    assert clock.set_s is None


def test_a_system_that_refuses_is_said(tmp_path: Path) -> None:
    def refuses(_clock: int, _seconds: float) -> None:
        raise PermissionError(1, "Operation not permitted")

    wish = tmp_path / "network-time"
    wish.write_text(f"{NOON_S} sim-1\n")
    with pytest.raises(WishError, match="cannot be set"):
        set_clock(wish, ntp_synced=tmp_path / "none", set_time=refuses)


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    device = tmp_path / "sys/bus/usb/devices/1-1.2"
    device.mkdir(parents=True)
    (device / "authorized").write_text("1")
    return device


def test_a_module_is_taken_off_the_bus_and_put_back(tmp_path: Path, usb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = Path.write_text
    monkeypatch.setattr(Path, "write_text", lambda self, text: (written.append(text), write(self, text))[1])
    wish = tmp_path / "usb-power"
    write(wish, "1-1.2\n")
    assert power_cycle(wish, sys_root=tmp_path / "sys") == "the USB device at 1-1.2 was switched off and on"
    assert written == ["0", "1"]


@pytest.mark.parametrize("text", ["", "../../etc", "1-1.3", "usb1", "1-1.2/../../../x", "1-1.2\n1-1.3"])
def test_nothing_but_a_device_that_is_there_is_switched(tmp_path: Path, usb: Path, text: str) -> None:
    wish = tmp_path / "usb-power"
    wish.write_text(text)
    with pytest.raises(WishError):
        power_cycle(wish, sys_root=tmp_path / "sys")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to what is read-only")
def test_a_recorder_that_may_not_switch_leaves_its_wish(tmp_path: Path, usb: Path) -> None:
    (usb / "authorized").chmod(0o444)
    replug_or_wish(usb, str(tmp_path))
    assert (tmp_path / "usb-power").read_text() == "1-1.2\n"


def test_a_switch_that_is_not_there_is_wished_for_and_without_a_folder_said(tmp_path: Path, usb: Path) -> None:
    (usb / "authorized").unlink()
    usb.rmdir()
    replug_or_wish(usb, str(tmp_path))
    assert (tmp_path / "usb-power").read_text() == "1-1.2\n"
    with pytest.raises(DeviceError):
        replug_or_wish(usb, None)
    with pytest.raises(DeviceError):
        replug_or_wish(usb, str(tmp_path / "none"))
