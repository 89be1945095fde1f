"""What calibration says of boards that are wired right, swapped, the wrong way round, or not at all."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.calibrate import command
from cli.context import Box
from firmware.analog.calibration import judge
from firmware.analog.profile import Debounce
from firmware.edges_command import raw_edges
from firmware.errors import RequestError
from firmware.events import LineUp
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import RawEdge
from tests.analog.hat import Hat

IDLE = {Sensor.RING: False, Sensor.OFF_HOOK: False}


def ringing(sensor, hz=25.0, chatter_ms=0.0):
    """Two bursts of a second."""
    half = 500 / hz
    return [
        RawEdge(sensor, n % 2 == 0, start + n * half)
        for start in (1000.0, 6000.0)
        for n in range(round(2000 / half / 2))
    ]


def handset(sensor, chatter_ms=20.0):
    edges, at = [], 1000.0
    while at < 1000 + chatter_ms:
        edges += [RawEdge(sensor, True, at), RawEdge(sensor, False, at + 2)]
        at += 5
    return [*edges, RawEdge(sensor, True, at), RawEdge(sensor, False, 6000.0)]


def verdict(ring, hook, idle=IDLE):
    return judge(ring, 20_000, hook, 10_000, idle=idle, now=Debounce())


@pytest.mark.parametrize("hz", [16.7, 20.0, 25.0, 30.0])
@pytest.mark.parametrize("chatter_ms", [0.0, 20.0, 50.0])
def test_a_board_that_is_right_gets_times_that_fit_it(hz, chatter_ms):
    said = verdict(ringing(Sensor.RING, hz), handset(Sensor.OFF_HOOK, chatter_ms))
    assert said.faults == ()
    assert said.debounce.ring_gap_ms >= 2 * 1000 / hz
    assert said.debounce.ring_min_ms < 400, "the shortest burst of any country"
    assert said.debounce.off_hook_ms > chatter_ms
    assert said.debounce.off_hook_ms <= 200


def test_swapped_pins_are_said_in_words():
    said = verdict(ringing(Sensor.OFF_HOOK), handset(Sensor.RING))
    assert len(said.faults) == 1
    assert "swapped" in said.faults[0]
    assert "ring" in said.faults[0]
    assert "Exchange" in said.faults[0]


def test_swapped_pins_are_found_by_the_ring_alone():
    assert "swapped" in verdict(ringing(Sensor.OFF_HOOK), []).faults[0]


def test_swapped_pins_are_found_by_the_handset_alone():
    assert "swapped" in verdict([], handset(Sensor.RING)).faults[0]


def test_a_loop_sensor_that_sees_the_ringing_too_is_not_swapped():
    ring = sorted(ringing(Sensor.RING) + ringing(Sensor.OFF_HOOK), key=lambda e: e.at_ms)
    assert verdict(ring, handset(Sensor.OFF_HOOK)).faults == ()


def test_pins_that_do_not_move_are_named():
    said = verdict([], [])
    assert ["ring pin" in f or "off_hook pin" in f for f in said.faults] == [True, True]


def test_a_level_that_is_the_wrong_way_round_is_named():
    said = verdict(ringing(Sensor.RING), handset(Sensor.OFF_HOOK), {Sensor.RING: False, Sensor.OFF_HOOK: True})
    assert "active_high" in said.faults[0]


class _Runtime:
    """The core loop, as far as the command asks it."""

    def __init__(self, line):
        self.lines = {"fxo-1": type("Running", (), {"driver": line})()}

    def do(self, work):
        return work()


class _Client:
    """A socket that answers ``line.edges`` by the real command on a real driver."""

    def __init__(self, line):
        self.runtime = _Runtime(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def request(self, name, *, line, since_boot_ns):
        assert name == "line.edges"
        return json.loads(json.dumps(raw_edges(self.runtime, line, since_boot_ns)))


@dataclass(frozen=True)
class _Box(Box):
    line: object

    def client(self):
        return _Client(self.line)


@pytest.mark.soak  # 24 s
@pytest.mark.parametrize("swapped", [False, True])
def test_the_command_watches_a_real_driver(swapped):
    hat = Hat()
    try:
        line, told = hat.line()
        told.wait(LineUp)
        ring, hook = ("off_hook", "ring") if swapped else ("ring", "off_hook")

        def person():
            time.sleep(0.7)
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                hat.show(ring, True)
                time.sleep(0.02)
                hat.show(ring, False)
                time.sleep(0.02)
            time.sleep(8.0)
            hat.show(hook, True)
            time.sleep(1.2)
            hat.show(hook, False)

        hands = threading.Thread(target=person)
        hands.start()
        result = CliRunner().invoke(command, ["fxo-1", "--wait", "14"], obj=_Box(Path(), Path(), line))
        hands.join()
        assert result.exit_code == int(swapped), result.output
        assert ("swapped" in result.output) is swapped
        assert ("[debounce]" in result.output) is not swapped
    finally:
        hat.close()


def test_lines_without_sensors_are_refused():
    with pytest.raises(RequestError, match="no sensors"):
        raw_edges(_Runtime(object()), "fxo-1", 0)
    with pytest.raises(RequestError, match="offhook lines"):
        raw_edges(_Runtime(object()), "fxo-9", 0)
