"""What the Imager writes onto a card, in each of its formats, good and bad."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance import first_start
from appliance.customisation import Customisation, Wifi, read, supplicant

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmA0sXyBoyKJcX4Z7m8nDk0mQ5x5q7wWzJQ5nD8Yq1Z anna@office"

USER_DATA = f"""#cloud-config
hostname: front-desk
timezone: Europe/Berlin
users:
  - name: anna
    passwd: $6$x$y
    ssh_authorized_keys:
      - {KEY}
runcmd:
  - rm -rf /
"""
NETWORK_CONFIG = """network:
  version: 2
  wifis:
    wlan0:
      dhcp4: true
      regulatory-domain: "DE"
      access-points:
        "Büro \\"5\\"":
          password: "a secret: with # signs"
"""
CUSTOM_TOML = f"""config_version = 1
[system]
hostname = "front-desk"
[ssh]
enabled = true
authorized_keys = ["{KEY}"]
[wlan]
ssid = "Office"
password = "a secret: with # signs"
hidden = true
country = "DE"
[locale]
timezone = "Europe/Berlin"
"""
FIRSTRUN = f"""#!/bin/bash
set +e
CURRENT_HOSTNAME=`cat /etc/hostname | tr -d " \\t\\n\\r"`
if [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then
   /usr/lib/raspberrypi-sys-mods/imager_custom set_hostname front-desk
else
   echo front-desk >/etc/hostname
fi
if [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then
   /usr/lib/raspberrypi-sys-mods/imager_custom enable_ssh -k '{KEY}'
fi
if [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then
   /usr/lib/raspberrypi-sys-mods/imager_custom set_wlan 'Office' 'a secret: with # signs' 'DE'
fi
if [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then
   /usr/lib/raspberrypi-sys-mods/imager_custom set_timezone 'Europe/Berlin'
fi
rm -f /boot/firstrun.sh
exit 0
"""


def test_cloud_init() -> None:
    made = read({"user-data": USER_DATA, "network-config": NETWORK_CONFIG})
    assert made.host_name == "front-desk"
    assert made.ssh_keys == (KEY,)
    assert made.time_zone == "Europe/Berlin"
    assert made.wifi == Wifi('Büro "5"', "a secret: with # signs", "DE")
    assert [reason.split(":")[0] for reason in made.ignored] == ["user 'anna'", "runcmd, packages"]


def test_custom_toml() -> None:
    wifi = Wifi("Office", "a secret: with # signs", "DE", hidden=True)
    assert read({"custom.toml": CUSTOM_TOML}) == Customisation("front-desk", (KEY,), wifi, "Europe/Berlin")


def test_firstrun() -> None:
    wifi = Wifi("Office", "a secret: with # signs", "DE")
    assert read({"firstrun.sh": FIRSTRUN}) == Customisation("front-desk", (KEY,), wifi, "Europe/Berlin")


@pytest.mark.parametrize("name", ["user-data", "network-config", "custom.toml", "firstrun.sh"])
@pytest.mark.parametrize("text", ["", "\x00\xff", "[[[", "- a\n- b", "hostname: {a: b}", "wifis: 5", "'\"", "users: 7"])
def test_nothing_on_a_card_stops_the_box(name: str, text: str) -> None:
    made = read({name: text})
    assert made.wifi is None
    assert made.ssh_keys == ()
    assert made.host_name == ""


@pytest.mark.parametrize(
    "text",
    [
        "hostname: '../../etc'",
        "hostname: 'a b'",
        f"hostname: {'a' * 64}",
        "ssh_authorized_keys: ['command=\"rm\" ssh-ed25519 AAAA']",
        'ssh_authorized_keys: ["ssh-ed25519 AAAA\\nssh-rsa BBBB"]',
        "timezone: ../../etc/passwd",
    ],
)
def test_what_is_none_is_told_and_left_out(text: str) -> None:
    made = read({"user-data": text})
    assert made == Customisation(ignored=made.ignored)
    assert len(made.ignored) == 1


def test_the_supplicant_takes_names_and_passwords_as_they_are() -> None:
    text = supplicant(Wifi('Büro "5"', 'a"b\\c#d$e', "DE", hidden=True))
    assert "ssid=" + 'Büro "5"'.encode().hex() in text
    assert '    psk="a"b\\c#d$e"\n' in text
    assert "scan_ssid=1" in text
    assert "country=DE" in text
    assert "psk=" not in supplicant(Wifi("open", ""))
    assert f"psk={'ab' * 32}\n" in supplicant(Wifi("x", "AB" * 32))


@pytest.mark.skipif(os.geteuid() != 0, reason="gives the settings to the recorder's user")
def test_a_card_is_taken_over_once_and_holds_no_secret_afterwards(tmp_path: Path) -> None:
    card, state, data = (tmp_path / name for name in ("card", "state", "data"))
    for folder in (card, state, data):
        folder.mkdir()
    (card / "user-data").write_text(USER_DATA)
    (card / "network-config").write_text(NETWORK_CONFIG)
    (card / "config.txt").write_text("arm_64bit=1")
    told = first_start.apply(card, state, data)
    assert {"settings taken", "host name front-desk", "ssh for 1 key(s)", "Wi-Fi"} <= set(told)
    assert [path.name for path in card.iterdir()] == ["config.txt"]
    assert (state / "hostname").read_text() == "front-desk\n"
    assert (state / "ssh/authorized_keys").read_text() == KEY + "\n"
    assert (state / "wifi.conf").stat().st_mode & 0o777 == 0o600
    assert "Europe/Berlin" in (data / "first-boot.toml").read_text()
    (data / "offhook.db").touch()
    (card / "offhook.toml").write_text("[box]\n")
    assert "this box has settings already" in first_start.apply(card, state, data)[0]
