"""What only a real kernel can show: GPIO lines, hot-plug by udev, and a box that makes lines of what is plugged in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hil.bench import Bench

pytestmark = pytest.mark.needs_kernel


@pytest.fixture
def chip() -> Iterator[object]:
    from simulator.kernel.pins import SimulatedChip  # noqa: PLC0415 - on the test kernel only

    made = SimulatedChip("suite", "suite-chip")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def factory() -> Iterator[object]:
    from firmware.gpio.gpiod_factory import GpiodFactory  # noqa: PLC0415

    made = GpiodFactory()
    yield made
    made.close()


def test_every_edge_of_a_ring_is_seen_in_time(chip, factory) -> None:
    pin = factory.pin("suite-chip:5")
    pin.input_with_pull("up")
    time.sleep(0.3)  # the box's bias has been set; from here on the street's level holds
    seen: list[tuple[float, int]] = []
    pin.edges = "both"
    pin.when_changed = handler = lambda at_s, level: seen.append((at_s, level))
    driven = []
    for n in range(50):  # 1 s of 25 Hz
        before_s = factory.ticks()
        chip.drive(5, n % 2 == 1)
        driven.append((before_s, factory.ticks()))
        time.sleep(0.02)
    time.sleep(0.2)
    assert handler
    assert [level for _, level in seen] == [n % 2 for n in range(50)]
    # gpio-sim stamps an edge in an interrupt of its own, within two ticks (1 ms) of the write that made it.
    late = [
        at_s for (at_s, _), (first_s, last_s) in zip(seen, driven, strict=True) if not first_s <= at_s <= last_s + 0.002
    ]
    assert late == []


def test_pulls_reach_the_line(chip, factory) -> None:
    pin = factory.pin("suite-chip:7")
    pin.input_with_pull("up")
    assert pin.state == 1
    pin.pull = "down"
    assert pin.state == 0


def test_a_relay_is_driven_for_real(chip, factory) -> None:
    moved = threading.Event()
    chip.on_output(16, lambda level, _at: moved.set() if level else None)
    pin = factory.pin("suite-chip:16")
    pin.output_with_state(0)
    assert chip.output(16) is False
    pin.state = 1
    assert chip.output(16) is True
    assert moved.wait(1.0)


def test_a_chip_that_is_pulled_out_is_an_error_and_heals(chip, factory) -> None:
    pin = factory.pin("suite-chip:5")
    pin.input_with_pull("up")
    chip.stop()
    with pytest.raises(OSError):  # noqa: PT011 - which one is the kernel's business
        assert pin.state is None
    pin.close()
    chip.start()
    deadline = time.monotonic() + 5.0
    while True:
        try:
            pin.input_with_pull("up")
            break
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert pin.state == 1


def test_the_module_is_found_by_its_usb_ids_through_the_option_driver(bench: Bench) -> None:
    found = bench.ask("lines.found")["devices"]
    modules = [device for device in found if device["driver"] == "at-modem"]
    assert len(modules) == 2
    for module in modules:
        assert module["options"]["at_port"].startswith("/dev/serial/by-path/")
        node = Path(module["options"]["at_port"]).resolve()
        driver = (Path("/sys/class/tty") / node.name / "device" / "driver").resolve().name
        assert driver == "option1"


def test_no_line_is_made_twice_of_one_module(bench: Bench) -> None:
    assert sorted(line["id"] for line in bench.ask("state")["lines"]) == ["fxo-1", "fxo-2", "sim-1", "sim-2"]
