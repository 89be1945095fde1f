"""Finds USB sound cards that may be taps, and serial adapters that a line monitor may hang on: proposals, not lines.

A sound card may as well be a headset, and a serial adapter anything: a person says which of them is a telephone line.
"""

from __future__ import annotations

import re
from typing import Final

import pyudev

from firmware.ports import FoundDevice

_ADAPTERS: Final = {"0403": "FTDI", "067b": "Prolific", "10c4": "Silicon Labs"}
"""Vendors of USB serial adapters. CH340s (1a86) are left out: they sit on SIM modules."""
_MODULES: Final = frozenset({"1e0e", "2c7c", "05c6", "12d1"})
"""Vendors of SIM modules: the sound card of one is its own line's, not a tap (`firmware/modem/usb_map.toml`)."""


def find_sound_cards(context: pyudev.Context | None = None) -> tuple[FoundDevice, ...]:
    """USB sound cards that can record, named by the card's id: its number changes from start to start."""
    found = []
    for card in (context or pyudev.Context()).list_devices(subsystem="sound"):
        device = card.find_parent("usb", "usb_device")
        if device is None or not re.fullmatch(r"card\d+", card.sys_name):
            continue
        identity = _text(card, "id")
        if not identity or _text(device, "idVendor").lower() in _MODULES:
            continue
        found.append(
            FoundDevice(
                path=device.sys_name,
                driver="audio-tap",
                options={"audio_device": f"plughw:CARD={identity},DEV=0"},
                description=f"USB sound card {_text(device, 'product') or identity}: is there a tap on it?",
                proposal=True,
            )
        )
    return tuple(sorted(found, key=lambda one: _key(one.path)))


def find_monitors(context: pyudev.Context | None = None) -> tuple[FoundDevice, ...]:
    """Serial adapters; the monitor behind one cannot be asked who it is."""
    found = []
    for tty in (context or pyudev.Context()).list_devices(subsystem="tty"):
        device = tty.find_parent("usb", "usb_device")
        if device is None or tty.device_node is None:
            continue
        maker = _ADAPTERS.get(_text(device, "idVendor").lower())
        if maker is None:
            continue
        links = [link for link in tty.properties.get("DEVLINKS", "").split() if "/by-path/" in link]
        port = min(links, key=len, default=tty.device_node)
        found.append(
            FoundDevice(
                path=device.sys_name,
                driver="line-monitor",
                options={"port": port},
                description=f"{maker} serial adapter: is there a line monitor on it?",
                proposal=True,
            )
        )
    return tuple(sorted(found, key=lambda one: _key(one.path)))


def _key(path: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path))


def _text(device: pyudev.Device, attribute: str) -> str:
    value = device.attributes.get(attribute)
    return value.decode("utf-8", "replace").strip() if value is not None else ""
