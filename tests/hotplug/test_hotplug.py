"""A process that watches the USB bus finds modules, uses them through their udev names, and loses them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.hotplug import line_ids
from firmware.modem.port_probe import order_told
from firmware.modem.usb_scan import stable_name, usb_map, usb_path_key
from firmware.ports import FoundDevice
from simulator.sim_module import Quirks, SimModule
from simulator.usb_bus import UsbBus

HERE = Path(__file__).parent


class Watcher:
    """The process under test, and what it tells."""

    def __init__(self, bus: UsbBus) -> None:
        root = str(HERE.parent.parent)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "watcher.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **bus.environment, "PYTHONPATH": root, "PYTHONWARNINGS": "ignore"},
        )
        self._told: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.put(json.loads(line))

    def wait(self, **wanted: object) -> dict[str, Any]:
        """The next thing told that has these values; what comes before it is passed over."""
        seen = []
        while True:
            try:
                told = self._told.get(timeout=20)
            except queue.Empty:
                raise AssertionError(f"the watcher did not tell {wanted}, only {seen}") from None
            if wanted.items() <= told.items():
                return told
            seen.append(told)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def bus() -> Iterator[UsbBus]:
    with UsbBus() as bus:
        yield bus


@pytest.fixture
def module(tmp_path: Path) -> Iterator[SimModule]:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.1)) as module:
        yield module


@pytest.fixture
def watcher(bus: UsbBus) -> Iterator[Watcher]:
    watcher = Watcher(bus)
    yield watcher
    watcher.close()


def test_a_module_plugged_in_becomes_a_line_that_rings(bus: UsbBus, module: SimModule, watcher: Watcher) -> None:
    watcher.wait(watching=True)
    bus.plug_sim7600("1-1.2", at=module.at_path, pcm=module.pcm_path, first_tty=0)
    found = watcher.wait(found="1-1.2")
    assert found["options"] == {
        "at_port": "/dev/serial/by-path/platform-usb-0:1.2:1.2-port0",
        "audio_port": "/dev/serial/by-path/platform-usb-0:1.2:1.4-port0",
        "family": "sim7600",
    }
    watcher.wait(event="LineUp", line="sim-1")
    module.incoming("+8613800138000")
    watcher.wait(event="CallerId", number="+8613800138000")


def test_a_module_pulled_and_put_back_under_other_tty_numbers_works_again(
    bus: UsbBus, module: SimModule, watcher: Watcher
) -> None:
    bus.plug_sim7600("1-1.2", at=module.at_path, pcm=module.pcm_path, first_tty=0)
    watcher.wait(event="LineUp", line="sim-1")
    module.unplug()
    bus.unplug("1-1.2")
    assert watcher.wait(event="LineDown")["reason"] == "USB device was unplugged"
    watcher.wait(gone="1-1.2")
    module.plug()
    bus.plug_sim7600("1-1.2", at=module.at_path, pcm=module.pcm_path, first_tty=5)
    watcher.wait(event="LineUp", line="sim-1")


def by_path(path: str, interface: int) -> str:
    return f"/dev/serial/by-path/platform-usb-0:{path.partition('-')[2]}:1.{interface}-port0"


def test_a_quectel_is_found_and_rings_and_its_sound_is_on_the_nmea_port(
    bus: UsbBus, watcher: Watcher, tmp_path: Path
) -> None:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.1, data_call=True), model="ec25") as module:
        bus.plug_quectel("1-1.3", at=module.at_path, pcm=module.pcm_path, first_tty=0)
        assert watcher.wait(found="1-1.3")["options"] == {
            "at_port": by_path("1-1.3", 2),
            "audio_port": by_path("1-1.3", 1),
            "family": "ec2x",
        }
        watcher.wait(event="LineUp", line="sim-1")
        module.incoming("+8613800138000")
        watcher.wait(event="CallerId", number="+8613800138000")


def test_a_quectel_that_is_a_sound_card_is_heard_through_it(bus: UsbBus, tmp_path: Path) -> None:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.1), model="ec25") as module:
        bus.plug_quectel("1-1.3", at=module.at_path, pcm=module.pcm_path, first_tty=0)
        bus.add_card("1-1.3", interface=5, number=2, identity="Android")
        watcher = Watcher(bus)
        try:
            found = watcher.wait(driver="at-modem")
            assert found["options"] == {
                "at_port": by_path("1-1.3", 2),
                "audio_device": "plughw:CARD=Android,DEV=0",
                "audio_playback": "plughw:CARD=Android,DEV=0",
                "family": "ec2x",
            }
        finally:
            watcher.close()


def test_a_huawei_stick_is_known_by_the_roles_of_its_interfaces(bus: UsbBus, watcher: Watcher, tmp_path: Path) -> None:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.1), model="huawei") as module:
        # Modem, AT, sound (oFono plugins/udevng.c): the other way round than the numbers of most sticks.
        ports = {1: module.at_path, 2: module.pcm_path}
        roles = ("ff/01/01", "ff/01/02", "ff/01/03")
        bus.plug_huawei("1-1.4", product="1506", ports=ports, first_tty=0, roles=roles)
        assert watcher.wait(found="1-1.4")["options"] == {
            "at_port": by_path("1-1.4", 1),
            "audio_port": by_path("1-1.4", 2),
            "family": "huawei",
        }
        watcher.wait(event="LineUp", line="sim-1")
        module.incoming("+8613800138000")
        watcher.wait(event="CallerId", number="+8613800138000")


@pytest.mark.parametrize(
    ("setport", "at", "audio"),
    [("A1,A2;1,3,2,A2", 2, 1), ("A1,A2;1,16,3,2,A2", 3, 2), ("", 2, 1)],
    ids=["usual order", "with a network port", "does not know AT^SETPORT"],
)
def test_a_1506_without_roles_is_asked_which_port_is_which(
    bus: UsbBus, watcher: Watcher, tmp_path: Path, setport: str, at: int, audio: int
) -> None:
    """asterisk-chan-dongle issue 185: the same USB id, two orders."""
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.1, setport=setport), model="huawei") as module:
        bus.plug_huawei("1-1.4", product="1506", ports={at: module.at_path, audio: module.pcm_path}, first_tty=0)
        assert watcher.wait(found="1-1.4")["options"] == {
            "at_port": by_path("1-1.4", at),
            "audio_port": by_path("1-1.4", audio),
            "family": "huawei",
        }
        watcher.wait(event="LineUp", line="sim-1")
        asked = [text for text in module.commands if "SETPORT" in text]
        assert asked == ["AT^SETPORT?"], "once: a port that a line uses is not opened again"
        module.incoming("+8613800138000")
        watcher.wait(event="CallerId", number="+8613800138000")


def test_a_stick_that_answers_late_is_found_when_it_does(bus: UsbBus, tmp_path: Path) -> None:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=3.0), model="huawei") as module:
        bus.plug_huawei("1-1.4", product="1506", ports={2: module.at_path, 1: module.pcm_path}, first_tty=0)
        watcher = Watcher(bus)
        try:
            assert watcher.wait(found="1-1.4")["options"]["at_port"] == by_path("1-1.4", 2)
        finally:
            watcher.close()


@pytest.mark.parametrize(
    ("answer", "order"),
    [
        ("\r\n^SETPORT:A1,A2;1,3,2,A2\r\n\r\nOK\r\n", (2, 1)),
        ("\r\n^SETPORT: A1,A2;1,16,3,2,A2\r\nOK\r\n", (3, 2)),
        ("^SETPORT:FF;12,10,16,5,A1", None),
        ("^SETPORT:FF;1,2", (1, None)),
        ("ERROR", None),
        ("", None),
    ],
)
def test_the_answer_to_setport_is_read(answer: str, order: object) -> None:
    assert order_told(answer) == order


def test_what_is_plugged_in_before_the_start_is_found(bus: UsbBus, module: SimModule, tmp_path: Path) -> None:
    with SimModule("sim-2", tmp_path) as other:
        bus.plug_sim7600("1-1.10", at=other.at_path, pcm=other.pcm_path, first_tty=0)
        bus.plug_sim7600("1-1.2", at=module.at_path, pcm=module.pcm_path, first_tty=5)
        watcher = Watcher(bus)
        try:
            # Both say the same USB serial number; the socket they are in tells them apart and gives their order.
            assert watcher.wait(driver="at-modem")["found"] == "1-1.2"
            assert watcher.wait(driver="at-modem")["found"] == "1-1.10"
        finally:
            watcher.close()


def test_line_ids_leave_out_those_taken() -> None:
    found = [FoundDevice(path=path, driver="at-modem") for path in ("1-1", "1-2")]
    assert list(line_ids(found)) == ["sim-1", "sim-2"]
    assert list(line_ids(found, ["sim-1", "desk"])) == ["sim-2", "sim-3"]


def test_sockets_are_counted_as_people_do() -> None:
    assert sorted(["1-1.10", "1-1.2", "1-1"], key=usb_path_key) == ["1-1", "1-1.2", "1-1.10"]


def test_a_name_by_place_is_preferred() -> None:
    links = [
        "/dev/serial/by-id/x",
        "/dev/serial/by-path/pci-usbv2-0:1:1.2-port0",
        "/dev/serial/by-path/pci-usb-0:1:1.2-port0",
    ]
    assert stable_name("/dev/ttyUSB2", links) == "/dev/serial/by-path/pci-usb-0:1:1.2-port0"
    assert stable_name("/dev/ttyUSB2", links[:1]) == "/dev/ttyUSB2"


def test_the_usb_map_parses_and_each_row_has_a_source() -> None:
    assert usb_map()["1e0e", "9001"].at_interface == 2
    assert all(row.source for row in usb_map().values())
