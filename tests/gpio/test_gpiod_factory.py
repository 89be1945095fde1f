"""gpiozero's devices on libgpiod lines, played by a chip in memory. A real kernel's chip: docs/hat-profiles.md."""

import errno
import gc
import time
import weakref
from importlib.metadata import entry_points

import gpiozero
import pytest
from gpiozero.exc import GPIOPinInUse, PinInvalidPin, PinInvalidPull, PinSetInput

from firmware.gpio.chips import choose_chip
from firmware.gpio.gpiod_factory import GpiodFactory, pin_info
from tests.gpio.fake_chip import FakeChip, FakeChips


@pytest.fixture
def chip():
    return FakeChip(names=["ID_SDA", "FXO0_RING"])


@pytest.fixture
def expander():
    return FakeChip(label="expander")


@pytest.fixture
def factory(chip, expander):
    factory = GpiodFactory(FakeChips(chip, expander))
    yield factory
    factory.close()


def eventually(condition, deadline_s=2.0):
    until = time.monotonic() + deadline_s
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    assert condition()


def test_gpiozero_finds_it_by_its_name():
    (found,) = [e for e in entry_points(group="gpiozero_pin_factories") if e.name == "offhook-gpiod"]
    assert found.load() is GpiodFactory


def test_a_button_that_pulls_its_line_down(factory, chip):
    with gpiozero.Button(5, pin_factory=factory) as button:
        assert not button.is_pressed
        chip.drive(5, False)
        assert button.is_pressed
        button.wait_for_press(1)
        chip.drive(5, True)
        button.wait_for_release(1)
        assert not button.is_pressed


def test_edges_come_in_order_with_the_kernels_times(factory, chip):
    heard = []

    class Ear:
        def hear(self, ticks, state):
            heard.append((ticks, state))

    ear = Ear()
    with gpiozero.InputDevice(3, pull_up=None, active_state=True, pin_factory=factory) as device:
        device.pin.when_changed = ear.hear
        now_ns = time.monotonic_ns()
        for i in range(50):
            chip.drive(3, i % 2 == 0, now_ns + i * 1_000_000)
        eventually(lambda: len(heard) == 50)
        assert heard == [((now_ns + i * 1_000_000) / 1e9, i % 2 == 0) for i in range(50)]
        assert abs(factory.ticks_diff(factory.ticks(), heard[0][0])) < 1
        device.pin.when_changed = None
        chip.drive(3, True)
        time.sleep(0.05)
        assert len(heard) == 50


def test_many_lines_each_tell_their_own(factory, chip):
    buttons = [gpiozero.Button(i, pin_factory=factory) for i in range(8)]
    pressed = []
    for i, button in enumerate(buttons):
        button.when_pressed = lambda i=i: pressed.append(i)
    for i in (3, 1, 7):
        chip.drive(i, False)
    eventually(lambda: sorted(pressed) == [1, 3, 7])
    for button in buttons:
        button.close()
    assert chip.requests == {}


def test_an_output_is_driven_at_its_first_level_only(factory, chip):
    """A hook relay must not click because its pin was low for a moment."""
    relay = gpiozero.OutputDevice(2, active_high=False, initial_value=False, pin_factory=factory)
    assert chip.outputs == [(2, True)]
    relay.on()
    relay.off()
    assert chip.outputs == [(2, True), (2, False), (2, True)]
    assert relay.value == 0
    relay.close()
    with gpiozero.InputDevice(2, pin_factory=factory) as device, pytest.raises(PinSetInput):
        device.pin.state = 1


def test_lines_by_name_and_on_another_chip(factory, chip, expander):
    with (
        gpiozero.Button("FXO0_RING", pin_factory=factory),
        gpiozero.Button("expander:4", pin_factory=factory) as far,
        gpiozero.Button("GPIO4", pin_factory=factory) as near,
    ):
        assert set(chip.requests) == {1, 4}
        expander.drive(4, False)
        assert far.is_pressed
        assert not near.is_pressed


def test_one_line_is_one_pin(factory):
    assert factory.pin(4) is factory.pin("GPIO4") is factory.pin("4")
    assert factory.pin(4) is not factory.pin("expander:4")
    with gpiozero.Button(4, pin_factory=factory), pytest.raises(GPIOPinInUse):
        gpiozero.LED("GPIO4", pin_factory=factory)
    gpiozero.LED(4, pin_factory=factory).close()


def test_a_line_that_another_program_holds(factory, chip):
    chip.request_lines({6: gpiozero_settings()}, consumer="other-program")
    with pytest.raises(GPIOPinInUse, match="other-program"):
        gpiozero.Button(6, pin_factory=factory)


def gpiozero_settings():
    import gpiod  # noqa: PLC0415

    return gpiod.LineSettings()


@pytest.mark.parametrize("name", ["no-such-line", "no-such-chip:1", 99, "", None, True])
def test_pins_that_are_not_there(factory, name):
    with pytest.raises((PinInvalidPin, gpiozero.GPIOPinMissing)):
        gpiozero.Button(name, pin_factory=factory)


def test_wrong_values_are_refused(factory):
    pin = factory.pin(1)
    with pytest.raises(PinInvalidPull):
        pin.pull = "sideways"
    pin.close()


def test_a_chip_that_is_pulled_out_and_comes_back(factory, chip):
    button = gpiozero.Button(5, pin_factory=factory)
    chip.unplug()
    with pytest.raises(OSError, match="No such device") as lost:
        assert button.is_pressed
    assert lost.value.errno == errno.ENODEV
    button.close()
    with pytest.raises(PinInvalidPin):
        gpiozero.Button(5, pin_factory=factory)
    chip.plug()
    with gpiozero.Button(5, pin_factory=factory) as again:
        chip.drive(5, False)
        again.wait_for_press(1)
        assert again.is_pressed


def test_a_device_that_nobody_holds_goes(factory):
    button = gpiozero.Button(5, pin_factory=factory)
    gone = weakref.ref(button)
    del button
    gc.collect()
    assert gone() is None
    gpiozero.LED(5, pin_factory=factory).close()


def test_closing_the_factory_gives_every_line_back(chip):
    factory = GpiodFactory(FakeChips(chip))
    held = [gpiozero.Button(i, pin_factory=factory) for i in range(3)]
    factory.close()
    assert chip.requests == {}
    del held


def test_debounce_is_asked_of_the_kernel(factory, chip):
    with gpiozero.Button(5, bounce_time=0.05, pin_factory=factory):
        assert chip.requests[5].settings.debounce_period.total_seconds() == 0.05


PI_4 = [("/dev/gpiochip0", "gpiochip0", "pinctrl-bcm2711"), ("/dev/gpiochip1", "gpiochip1", "raspberrypi-exp-gpio")]
PI_5 = [("/dev/gpiochip0", "gpiochip0", "gpio-brcmstb@107d508500"), ("/dev/gpiochip4", "gpiochip4", "pinctrl-rp1")]


@pytest.mark.parametrize(
    ("wanted", "there", "path"),
    [
        (None, PI_4, "/dev/gpiochip0"),
        (None, PI_5, "/dev/gpiochip4"),
        (None, PI_4[1:], "/dev/gpiochip1"),
        ("raspberrypi-exp-gpio", PI_4, "/dev/gpiochip1"),
        ("gpiochip4", PI_5, "/dev/gpiochip4"),
        ("/dev/gpiochip0", PI_5, "/dev/gpiochip0"),
    ],
)
def test_which_chip(wanted, there, path):
    assert choose_chip(wanted, there) == path


@pytest.mark.parametrize(("wanted", "there"), [(None, []), (None, [*PI_4[1:], PI_5[0]]), ("x", PI_4)])
def test_no_chip_to_choose(wanted, there):
    with pytest.raises(PinInvalidPin, match="this machine has"):
        choose_chip(wanted, there)


def test_the_names_of_pins():
    assert {pin_info(name).name for name in (17, "17", "GPIO17", "gpio17")} == {"GPIO17"}
    assert pin_info("hat0:3").name == "hat0:3"
    assert pin_info("FXO0_RING").number == -1
