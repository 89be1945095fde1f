"""gpiozero devices work unchanged on the street's pins, with the street's own times, and notice when it goes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero import Button, DigitalInputDevice, OutputDevice

from simulator.pin_factory import StreetFactory, StreetGoneError
from simulator.pins import PinBank, boot_ns


def wait_for(condition, deadline_s=3.0):
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PinBank]:
    path = tmp_path / "pins.sock"
    monkeypatch.setenv("OFFHOOK_STREET_PINS", str(path))
    bank = PinBank(path)
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
def factory(bank: PinBank) -> Iterator[StreetFactory]:
    factory = StreetFactory()
    yield factory
    factory.close()


def test_a_button_sees_presses_and_the_pull_decides_when_nothing_drives(bank, factory):
    with Button(5, pull_up=True, pin_factory=factory) as button:
        assert not button.is_pressed
        bank.drive(5, False)
        assert wait_for(lambda: button.is_pressed)
        bank.drive(5, None)
        assert wait_for(lambda: not button.is_pressed)


def test_every_edge_of_a_25_hz_ring_arrives_with_the_moment_the_street_made_it(bank, factory):
    seen: list[tuple[float, int]] = []

    def changed(ticks: float, state: int) -> None:
        seen.append((ticks, state))

    device = DigitalInputDevice(6, pull_up=False, pin_factory=factory)
    device.pin.when_changed = changed
    made = []
    for n in range(50):
        made.append(bank.drive(6, n % 2 == 0) / 1e9)
        time.sleep(0.004)
    assert wait_for(lambda: len(seen) == 50), len(seen)
    assert [round(t, 6) for t, _ in seen] == [round(t, 6) for t in made]
    assert [bool(state) for _, state in seen] == [n % 2 == 0 for n in range(50)]
    assert 0 <= factory.ticks_diff(factory.ticks(), seen[-1][0]) < 3
    device.close()


def test_only_the_edges_asked_for_are_told(bank, factory):
    seen = []

    def changed(ticks: float, state: int) -> None:
        seen.append(bool(state))

    device = DigitalInputDevice(6, pull_up=False, pin_factory=factory)
    device.pin.edges = "falling"
    device.pin.when_changed = changed
    for level in (True, False, True, False):
        bank.drive(6, level)
    assert wait_for(lambda: len(seen) == 2)
    assert seen == [False, False]
    device.close()


def test_the_street_sees_what_the_box_writes(bank, factory):
    told: list[tuple[bool, int]] = []
    bank.on_output(17, lambda level, at: told.append((level, at)))
    before = boot_ns()
    with OutputDevice(17, initial_value=False, pin_factory=factory) as relay:
        assert wait_for(lambda: bank.output(17) is False)
        relay.on()
        assert wait_for(lambda: bank.output(17) is True)
    assert wait_for(lambda: bank.output(17) is None), "a closed pin is an input again"
    assert told[-1][0] is True
    assert told[-1][1] > before


def test_levels_that_were_there_before_the_box_came(bank):
    bank.drive(5, True)
    factory = StreetFactory()
    with DigitalInputDevice(5, pull_up=False, pin_factory=factory) as device:
        assert device.is_active
    factory.close()


def test_a_hat_that_was_pulled_off_is_unreadable_and_a_new_factory_finds_it_again(bank, factory):
    device = DigitalInputDevice(5, pull_up=False, pin_factory=factory)
    bank.take_away()
    assert wait_for(lambda: factory.lost)
    with pytest.raises(OSError, match="gone"):
        _ = device.pin.state
    device.close()
    with pytest.raises(StreetGoneError):
        StreetFactory()
    bank.drive(5, True)
    bank.start()
    again = StreetFactory()
    with DigitalInputDevice(5, pull_up=False, pin_factory=again) as device:
        assert device.is_active
    again.close()


def test_another_process_finds_the_factory_by_its_entry_point(bank):
    bank.drive(5, True)
    program = """
        import gpiozero
        device = gpiozero.DigitalInputDevice(5, pull_up=False)
        print(device.is_active, type(device.pin_factory).__name__)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={
            **os.environ,
            "GPIOZERO_PIN_FACTORY": "offhook-street",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == ["True", "StreetFactory"], done.stderr
