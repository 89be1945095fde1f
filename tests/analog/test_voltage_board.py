"""A board without a loop sensor: its A/D converter tells the handset, through the driver and into the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.analog.converter import Converter
from firmware.analog.profile import parse_profile
from firmware.errors import ConfigError, DeviceError
from firmware.store.database import open_reader
from firmware.store.line_health import line_health
from simulator.line_script import LineScript
from simulator.line_volts import SHORT_FRENCH, VoltLine, volts
from simulator.networks import NETWORKS
from tests.analog.virtual_house import VirtualHouse

PROFILE = """
title = "Voltage board"
[[ports]]
ring = {{ pin = 5, active_high = false, pull = "up" }}
audio = {{ device = "none" }}
voltage = {{ device = "{folder}/iio", channel = "voltage1", volts_per_volt = 60.0, offset_v = 1.65 }}
"""
_MV_PER_STEP = 0.125
"""Of an ADS1115 at its range of 4.096 V."""


class Board:
    """The kernel's folder of the converter, holding what the line's voltage is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "iio"
        self.folder.mkdir()
        (self.folder / "name").write_text("ads1115\n")
        (self.folder / "in_voltage_scale").write_text(f"{_MV_PER_STEP}\n")
        self.profile = folder / "board.toml"
        self.profile.write_text(PROFILE.format(folder=folder))
        self.show(51.0)

    def show(self, line_v: float) -> None:
        raw = round((line_v / 60.0 + 1.65) * 1000 / _MV_PER_STEP)
        (self.folder / "in_voltage1_raw").write_text(f"{raw}\n")


def day(code: str) -> LineScript:
    script = LineScript(NETWORKS[code], bounce_ms=0)
    script.rest(3).rings(2, "02155550001", heralded=False).rest(0.4).lifts().rest(0.3).talks(4).hangs_up().rest(8)
    script.rings(2, None).rest(14)
    script.lifts().rest(0.2).dials("18005550199").talks(4).flash(110).talks(2).hangs_up().rest(8)
    return script


@pytest.mark.parametrize(
    ("code", "line", "options"),
    [("GB", VoltLine(), ""), ("FR", SHORT_FRENCH, 'on_hook_v = 52.0\nhook_threshold = "drop"\n')],
)
def test_calls_are_found_by_voltage_and_their_voltages_kept(
    code: str, line: VoltLine, options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, script = Board(tmp_path), day(code)
    samples = [value for _, value in volts(script, line, until_s=script.now_s + 20)]
    house = VirtualHouse(tmp_path, code, profile=str(board.profile), options=options)
    house.outside_every_s = 0.025
    house.before_step = lambda at_s: board.show(samples[min(round(at_s / 0.025), len(samples) - 1)])
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(house.alsa_config))
    house.begin()
    try:
        house.play([edge for edge in script.edges if edge[0] == "ring"], script.pcm(), script.now_s + 10)
    finally:
        rows = house.end()
    assert (rows.alarms, rows.faults, rows.balance["unexplained"]) == ([], [], 0)
    told = [(call["direction"], call["outcome"]) for call in rows.calls]
    assert told == [("incoming", "answered"), ("incoming", "missed"), ("outgoing", "unsupervised")]
    assert rows.calls[2]["number"] == "18005550199"
    reader = open_reader(tmp_path / f"{code}.db")
    (health,) = line_health(reader)
    reader.conn.close()
    answered, missed, outgoing = reversed(health["calls"])
    for call in (answered, outgoing):
        assert call["on_hook_v"] == pytest.approx(line.on_hook_v, abs=1.0)
        assert call["off_hook_v"] == pytest.approx(line.off_hook_v, abs=1.5)
    assert (missed["on_hook_v"], missed["off_hook_v"]) == (pytest.approx(line.on_hook_v, abs=1.0), None)
    assert health["trend"]["on_hook_v"]["median"] == pytest.approx(line.on_hook_v, abs=1.0)


def test_a_converter_that_is_gone_is_a_lost_device(tmp_path: Path) -> None:
    board = Board(tmp_path)
    spec = parse_profile(board.profile.read_text()).port(1).voltage
    assert spec is not None
    converter = Converter(spec)
    assert converter.read() == pytest.approx(51.0, abs=0.1)
    (board.folder / "in_voltage1_raw").unlink()
    with pytest.raises(DeviceError, match="cannot be read"):
        converter.read()
    (board.folder / "in_voltage1_raw").write_text("rubbish")
    with pytest.raises(DeviceError, match="cannot be read"):
        Converter(spec)


def test_a_board_must_see_the_handset_somehow() -> None:
    with pytest.raises(ConfigError, match="needs 'off_hook'"):
        parse_profile('title = "x"\n[[ports]]\nring = { pin = 5 }\naudio = { device = "a" }\n')
    with pytest.raises(ConfigError, match="must not be 0"):
        parse_profile(
            'title = "x"\n[[ports]]\nring = { pin = 5 }\naudio = { device = "a" }\n'
            'voltage = { device = "ads1115", volts_per_volt = 0 }\n'
        )
