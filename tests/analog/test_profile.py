"""Hat profiles: what is shipped is right, and a wrong one tells all its faults at once."""

import pytest

from firmware.analog.fxo import FxoOptions
from firmware.analog.profile import load_profile, parse_profile, profile_names
from firmware.config import parse_options
from firmware.errors import ConfigError

GOOD = """
title = "My board"
[[ports]]
ring = { pin = 5, active_high = false, pull = "up" }
off_hook = { pin = "FXO0_LOOP" }
audio = { device = "plughw:1" }
"""


def faults(text):
    with pytest.raises(ConfigError) as refused:
        parse_profile(text, "mine")
    return refused.value.faults


def test_the_smallest_profile():
    port = parse_profile(GOOD).port(1)
    assert (port.ring.pin, port.ring.active_high, port.ring.pull) == (5, False, "up")
    assert (port.off_hook.pin, port.polarity, port.hook_relay) == ("FXO0_LOOP", None, None)
    assert (port.audio.channels, port.audio.channel) == (1, 0)


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_are_right(name):
    profile = load_profile(name)
    assert profile.match.hat_product
    assert all(port.polarity for port in profile.ports)


def test_the_template_is_a_right_profile_that_is_never_used_by_itself():
    template = load_profile("template")
    assert "template" not in profile_names()
    assert not template.match.hat_product
    assert not template.match.gpio_chip_label


def test_all_faults_at_once_each_with_its_place():
    told = faults("""
titel = "x"
[debounce]
on_hook_ms = 5
[[ports]]
ring = { pin = true, pul = "up" }
off_hook = { pin = 6, pull = "sideways", active_high = 1 }
audio = { device = "", channels = 0 }
[[ports]]
of_hook = { pin = 7 }
""")
    wanted = [
        "title: is missing",
        "titel: there is no such setting; did you mean 'title'?",
        "debounce.on_hook_ms",
        "ports[0].ring.pin",
        "ports[0].ring.pul: there is no such setting; did you mean 'pull'?",
        "ports[0].off_hook.pull",
        "ports[0].off_hook.active_high: must be true or false",
        "ports[0].audio.device",
        "ports[0].audio.channels",
        "ports[1].of_hook: there is no such setting; did you mean 'off_hook'?",
        "ports[1].ring: is missing",
    ]
    for fault in wanted:
        assert any(fault in one for one in told), fault
    assert all(one.startswith("hat profile mine: ") for one in told)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('"FXO0_LOOP"', "5"), "used for more than one thing: pin 5"),
        (('"plughw:1" }', '"plughw:1", channel = 1 }'), "'channel' must be below 'channels' (1), not 1"),
        (('title = "My board"', "title = "), "is not TOML"),
        (('pin = 5', 'pin = -1'), "must be 0 or more"),
        (('pin = 5', 'pin = ""'), "GPIO number or the name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(change, fault):
    assert fault in "\n".join(faults(GOOD.replace(*change)))


def test_two_ports_cannot_hear_the_same_channel():
    second = GOOD.split("\n", 2)[2].replace("pin = 5", "pin = 6").replace("FXO0", "FXO1")
    assert "more than one port hears plughw:1 channel 0" in faults(GOOD + second)[0]


def test_ports_are_counted_from_one():
    profile = load_profile("two-line-hat")
    assert profile.port(2) is profile.ports[1]
    for number in (0, 3):
        with pytest.raises(ConfigError, match="ports 1 to 2"):
            profile.port(number)


def test_own_profiles_by_name_and_by_path(tmp_path, monkeypatch):
    (tmp_path / "my-board.toml").write_text(GOOD)
    (tmp_path / "two-line-hat.toml").write_text(GOOD)
    monkeypatch.setenv("OFFHOOK_HATS", str(tmp_path))
    assert load_profile("my-board").title == "My board"
    assert load_profile(str(tmp_path / "my-board.toml")).title == "My board"
    assert load_profile("two-line-hat").title == "My board", "the admin's goes before the shipped one"
    assert "my-board" in profile_names()


def test_options_name_a_profile_and_a_port_that_are_there():
    assert parse_options("fxo-gpio", {"profile": "two-line-hat", "port": 2}) == FxoOptions(
        profile="two-line-hat", port=2
    )
    for options, fault in (
        ({"profile": "two-lines-hat"}, "did you mean 'two-line-hat'?"),
        ({"profile": "two-line-hat", "port": 3}, "'port' must be at most 2"),
        ({"profile": "/nowhere.toml"}, "cannot be read"),
        ({"profile": "two-line-hat", "audio_channel": 1}, "'audio_device', which is missing"),
        ({"profile": "two-line-hat", "audio_device": "x", "audio_channel": 2, "audio_channels": 2}, "must be below"),
        ({}, "is missing"),
    ):
        with pytest.raises(ConfigError) as refused:
            parse_options("fxo-gpio", options)
        assert fault in "\n".join(refused.value.faults)
