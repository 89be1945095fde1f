"""The way back from a module that does not answer, and what is said of one that restarts by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.errors import DeviceError
from firmware.model import LineId
from firmware.modem.dialects import dialect, families
from firmware.modem.ladder import FIRST_PAUSE_S, LONGEST_PAUSE_S, Ladder, Restarts
from firmware.modem.rescue import Rescue
from firmware.modem.usb_power import replug, usb_device_of
from firmware.modem.usb_twins import named_by_shared_serial


@pytest.mark.parametrize("family", families())
def test_every_family_has_a_way_back_that_ends_with_the_admin(family: str) -> None:
    steps = [row.step for row in dialect(family).recovery]
    assert steps[-1] == "tell"
    assert "reopen" in steps
    assert steps.index("reopen") < steps.index("restart") < steps.index("power")


def test_the_steps_come_in_order_each_with_its_time_and_never_end() -> None:
    ladder = Ladder()
    ladder.use(dialect("sim7600").recovery)
    now_s, seen, times = 0.0, [], []
    while now_s < 86400 * 2:
        step = ladder.next_step(now_s)
        if step is not None:
            seen.append(step.step)
            times.append(now_s)
        now_s += 1
    assert seen[:5] == ["second_port", "reopen", "restart", "power", "tell"]
    assert times[2] - times[1] >= 10
    assert times[3] - times[2] >= 40
    assert times[5] - times[4] >= FIRST_PAUSE_S
    assert seen.count("tell") > 50, "it never gives up"
    last = [time for time, step in zip(times, seen, strict=True) if step == "tell"][-2:]
    assert LONGEST_PAUSE_S <= last[1] - last[0] < LONGEST_PAUSE_S + 200, "but it backs off"


def test_what_could_not_be_done_is_not_waited_for_and_what_helped_is_told() -> None:
    ladder = Ladder()
    ladder.use(dialect("sim7600").recovery)
    assert ladder.next_step(0.0) is not None
    ladder.skip()
    step = ladder.next_step(0.0)
    assert step is not None
    assert step.step == "reopen"
    assert ladder.next_step(1.0) is None
    assert ladder.worked() == ("reopen",)
    assert ladder.worked() == ()
    first = ladder.next_step(1.0)
    assert first is not None
    assert first.step == "second_port", "it begins anew"


def test_restarts_are_counted_over_ten_minutes() -> None:
    restarts = Restarts()
    assert [restarts.happened(at_s) for at_s in (0, 100, 200, 650)] == [1, 2, 3, 3]
    assert not restarts.calm(700)
    assert restarts.calm(650 + 3601)


class Told:
    def __init__(self) -> None:
        self.standing: dict[str, dict[str, str]] = {}

    def __call__(self, key: str, raised: bool, params: dict[str, str]) -> None:
        if raised:
            self.standing[key] = params
        else:
            self.standing.pop(key, None)


@pytest.fixture
def told() -> Told:
    return Told()


def rescue(told: Told, port: Path, now_s: Callable[[], float] = time.monotonic) -> Rescue:
    one = Rescue(LineId("sim-1"), port=str(port), second_port=None, reset_gpio=None, tell=told, now_s=now_s)
    one.speak(dialect("sim7600"))
    return one


def test_a_module_that_restarts_by_itself_names_its_power_supply_and_a_loop_is_one(tmp_path: Path, told: Told) -> None:
    one = rescue(told, tmp_path / "none")
    one.on_lost("module restarted by itself: check its power supply")
    assert told.standing["module_brown_out"]["count"] == "1"
    for _ in range(3):
        one.on_lost("module keeps restarting: its power supply is too weak, or its cable too thin")
    assert int(told.standing["module_boot_loop"]["count"]) >= 3


def test_a_restart_that_the_box_ordered_is_no_sign_of_a_weak_supply(tmp_path: Path, told: Told) -> None:
    one = rescue(told, tmp_path / "none")
    one.restart_is_meant()
    one.on_lost("module restarted by itself: check its power supply")
    assert not told.standing


def test_a_busy_port_is_said_until_it_is_free(tmp_path: Path, told: Told) -> None:
    one = rescue(told, tmp_path / "none")
    one.on_lost("port is in use by another program: stop ModemManager or that program")
    assert "module_port_busy" in told.standing
    one.on_ready()
    assert not told.standing


def test_a_silent_module_ends_at_the_admin_and_is_over_when_it_answers(tmp_path: Path, told: Told) -> None:
    now = [0.0]
    one = rescue(told, tmp_path / "none", lambda: now[0])
    for _ in range(300):
        one.on_lost("module does not answer")
        now[0] += 1
    assert told.standing["module_silent"] == {"tried": "reopen"}
    one.on_ready()
    assert not told.standing


def test_a_port_named_by_a_serial_number_that_two_modules_have_is_noticed(tmp_path: Path) -> None:
    port = "/dev/serial/by-id/usb-SimTech_SimTech_0123456789ABCDEF-if02-port0"
    for place, serial in (("1-1.2", "0123456789ABCDEF"), ("1-1.3", "0123456789ABCDEF"), ("1-1.4", "X1")):
        device = tmp_path / "bus/usb/devices" / place
        device.mkdir(parents=True)
        for name, value in (("idVendor", "1e0e"), ("idProduct", "9001"), ("serial", serial)):
            (device / name).write_text(value + "\n")
    assert named_by_shared_serial(port, tmp_path)
    assert not named_by_shared_serial("/dev/serial/by-path/x-usb-0:1.2:1.2-port0", tmp_path)
    (tmp_path / "bus/usb/devices/1-1.3/serial").write_text("other\n")
    assert not named_by_shared_serial(port, tmp_path)


def test_a_shared_serial_number_is_said_with_the_name_to_use_instead(
    told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("firmware.modem.rescue.named_by_shared_serial", lambda _port: True)
    rescue(told, tmp_path / "port").on_ready()
    assert set(told.standing["usb_serial_shared"]) == {"instead"}


def test_the_usb_device_of_a_port_is_found_and_switched(tmp_path: Path) -> None:
    usb = tmp_path / "devices/usb1/1-1/1-1.2"
    tty = usb / "1-1.2:1.2/ttyUSB2"
    tty.mkdir(parents=True)
    for name in ("authorized", "idVendor"):
        (usb / name).write_text("1")
    link = tmp_path / "class/tty/ttyUSB2"
    link.mkdir(parents=True)
    (link / "device").symlink_to(tty)
    device = usb_device_of("/dev/ttyUSB2", tmp_path)
    assert device == usb
    assert usb_device_of("/dev/ttyAMA0", tmp_path) is None
    replug(usb)
    assert (usb / "authorized").read_text() == "1"
    with pytest.raises(DeviceError):
        replug(tmp_path / "gone")
