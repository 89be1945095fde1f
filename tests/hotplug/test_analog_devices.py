"""Voice modems, sound cards and serial adapters on the bus: found by where they are plugged in, proposed or used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.adopt_devices import with_found_lines
from firmware.config import Settings
from firmware.ports import FoundDevice
from simulator.usb_bus import UsbBus
from simulator.voice_modem import VoiceModem
from tests.hotplug.test_hotplug import Watcher


@pytest.fixture
def bus() -> Iterator[UsbBus]:
    with UsbBus() as bus:
        yield bus


@pytest.fixture
def watcher(bus: UsbBus) -> Iterator[Watcher]:
    watcher = Watcher(bus)
    watcher.wait(watching=True)
    yield watcher
    watcher.close()


def test_a_voice_modem_plugged_in_becomes_a_line_that_rings(bus: UsbBus, watcher: Watcher, tmp_path: Path) -> None:
    modem = VoiceModem(tmp_path / "modem")
    modem.plug()
    try:
        bus.plug_port("1-1.3", vendor="0572", product="1340", tty="ttyACM0", port=modem.path)
        found = watcher.wait(found="1-1.3")
        port = "/dev/serial/by-path/platform-usb-0:1.3:1.0-port0"
        assert (found["driver"], found["options"]) == ("voice-modem", {"port": port, "family": "conexant"})
        watcher.wait(event="LineUp", line="fxo-1")
        modem.ring("02155550001")
        watcher.wait(event="CallerId", number="02155550001")
        modem.give_up()
    finally:
        modem.close()


def test_cards_and_adapters_are_proposed_and_a_modules_own_card_is_not(
    bus: UsbBus, watcher: Watcher, tmp_path: Path
) -> None:
    (tmp_path / "port").touch()
    bus.plug_card("1-1.5", number=2, identity="Android", vendor="2c7c", product="0125")
    bus.plug_card("1-1.4", number=3, identity="Device_1", title="USB Audio")
    card = watcher.wait(driver="audio-tap")
    assert (card["found"], card["proposal"]) == ("1-1.4", True)
    assert card["options"] == {"audio_device": "plughw:CARD=Device_1,DEV=0"}
    bus.plug_port("1-1.6", vendor="0403", product="6001", tty="ttyUSB0", port=tmp_path / "port")
    monitor = watcher.wait(driver="line-monitor")
    assert (monitor["found"], monitor["proposal"]) == ("1-1.6", True)
    bus.unplug("1-1.4")
    watcher.wait(gone="1-1.4")


def test_a_proposal_never_becomes_a_line_and_a_card_that_changed_its_name_keeps_its_line() -> None:
    card = FoundDevice("1-1.4", "audio-tap", {"audio_device": "plughw:CARD=Device,DEV=0"}, "card", proposal=True)
    modem = FoundDevice("1-1.3", "voice-modem", {"port": "/dev/ttyACM0", "family": "conexant"}, "modem")
    settings = with_found_lines(Settings(), [card, modem])
    assert [(line.id, line.driver) for line in settings.lines] == [("fxo-1", "voice-modem")]
    tap = FoundDevice("1-1.4", "audio-tap", {"audio_device": "plughw:CARD=Device,DEV=0"}, "card")
    settings = with_found_lines(settings, [tap])
    renamed = FoundDevice("1-1.4", "audio-tap", {"audio_device": "plughw:CARD=Device_1,DEV=0"}, "card", proposal=True)
    settings = with_found_lines(settings, [renamed])
    assert [line.options.audio_device for line in settings.lines[1:]] == ["plughw:CARD=Device_1,DEV=0"]
