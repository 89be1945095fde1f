"""Boards that are found without any settings."""

import gpiozero
import pytest

from firmware.analog.found import found_lines, found_panel, hat_product
from firmware.gpio.gpiod_factory import GpiodFactory
from tests.gpio.fake_chip import FakeChip, FakeChips


@pytest.fixture
def plug():
    """Makes a machine that has chips of these labels."""

    def plug(*labels):
        gpiozero.Device.pin_factory = GpiodFactory(FakeChips(*(FakeChip(label=label) for label in labels)))

    yield plug
    gpiozero.Device.pin_factory = None


def test_a_machine_without_a_board(plug):
    plug("pinctrl-bcm2711")
    assert found_lines() == []


def test_a_board_with_a_chip_of_its_own(plug):
    plug("pinctrl-bcm2711", "offhook-four-line")
    found = found_lines()
    assert [d.path for d in found] == [f"offhook-four-line:{port}" for port in (1, 2, 3, 4)]
    assert {d.driver for d in found} == {"fxo-gpio"}
    assert found[2].options == {"profile": "four-line-hat", "port": 3}
    assert found[2].description == "Four-line monitor hat, port 3"


def test_lamps_and_button_of_the_board_that_is_there(plug):
    plug("pinctrl-bcm2711")
    assert found_panel() is None
    plug("offhook-two-line")
    panel = found_panel()
    assert (panel.ready.pin, panel.recording.pin, panel.fault.pin, panel.button.pin) == (24, 25, 12, 26)


def test_the_product_in_a_hats_eeprom(tmp_path):
    product = tmp_path / "product"
    assert hat_product(product) is None
    product.write_bytes(b"Offhook two-line hat\0")
    assert hat_product(product) == "Offhook two-line hat"
    product.write_bytes(b"\0")
    assert hat_product(product) is None


def test_a_broken_profile_of_the_admin_hides_no_board(plug, tmp_path, monkeypatch):
    (tmp_path / "broken.toml").write_text("titel = 1")
    monkeypatch.setenv("OFFHOOK_HATS", str(tmp_path))
    plug("offhook-two-line")
    assert [d.options["profile"] for d in found_lines()] == ["two-line-hat"] * 2
