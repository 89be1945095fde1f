"""Finds SIM modules among the machine's USB devices and says which of their ports is which."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Final

import attrs
import cattrs
import pyudev

from firmware.modem.port_probe import PortProbe
from firmware.ports import FoundDevice

DRIVER: Final = "at-modem"


@attrs.frozen
class UsbModule:
    """One row of usb_map.toml."""

    vendor: str
    product: str
    name: str
    family: str
    at_interface: int
    source: str
    audio_interface: int | None = None
    at_roles: tuple[str, ...] = ()
    """Class/subclass/protocol of the AT interface, two hexadecimal digits each; wins over its number."""
    audio_roles: tuple[str, ...] = ()
    asks: str = ""
    """``setport``: where no port has a role, the module is asked which is which (`firmware.modem.port_probe`)."""


@attrs.frozen
class _Port:
    name: str
    role: str
    """``ff/01/02``: class, subclass, protocol."""


@cache
def usb_map() -> dict[tuple[str, str], UsbModule]:
    """Known modules by vendor and product id, four lower-case hex digits each."""
    text = resources.files("firmware.modem").joinpath("usb_map.toml").read_text(encoding="utf-8")
    converter = cattrs.Converter(forbid_extra_keys=True)
    rows = converter.structure(tomllib.loads(text)["module"], tuple[UsbModule, ...])
    return {(row.vendor, row.product): row for row in rows}


def find_sim_modules(context: pyudev.Context | None = None) -> tuple[FoundDevice, ...]:
    """The modules whose ports are all there, in the order of their USB paths (``1-1.2`` before ``1-1.10``).

    A module that is still coming up (AT port there, audio port not yet) is not told until it is complete. Only sysfs is
    read, so it also works before udev has filled its database; a name under /dev/serial/by-path is used where there is
    one, because ttyUSB numbers change when a module comes back. A module that is its own sound card is heard through
    it: somebody has switched that on.
    """
    context = context or pyudev.Context()
    cards = _cards(context)
    ports: dict[str, dict[int, _Port]] = {}
    modules: dict[str, UsbModule] = {}
    for tty in context.list_devices(subsystem="tty"):
        interface = tty.find_parent("usb", "usb_interface")
        device = tty.find_parent("usb", "usb_device")
        if interface is None or device is None or tty.device_node is None:
            continue
        module = module_of(_text(device, "idVendor"), _text(device, "idProduct"))
        number = _text(interface, "bInterfaceNumber")
        if module is not None and re.fullmatch(r"[0-9a-f]{2}", number):
            modules[device.sys_name] = module
            role = "/".join(_text(interface, f"bInterface{part}") for part in ("Class", "SubClass", "Protocol"))
            name = stable_name(tty.device_node, tty.properties.get("DEVLINKS", "").split())
            ports.setdefault(device.sys_name, {})[int(number, 16)] = _Port(name, role)
    PROBE.forget_all_but(ports)
    found = [_found(path, modules[path], ports[path], cards.get(path)) for path in sorted(ports, key=usb_path_key)]
    return tuple(device for device in found if device is not None)


def stable_name(node: str, links: Iterable[str]) -> str:
    """The port's name by its place on the bus, else its device node."""
    return min((link for link in links if link.startswith("/dev/serial/by-path/")), key=len, default=node)


def usb_path_key(path: str) -> tuple[int, ...]:
    """Sorts USB paths the way people count sockets."""
    return tuple(int(number) for number in re.findall(r"\d+", path))


def module_of(vendor: str, product: str) -> UsbModule | None:
    """The row of a USB device: its own, or its vendor's (product ``*``)."""
    rows = usb_map()
    return rows.get((vendor, product)) or rows.get((vendor, "*"))


def _found(path: str, module: UsbModule, ports: dict[int, _Port], card: str | None) -> FoundDevice | None:
    at_number, audio_number = module.at_interface, module.audio_interface
    if module.asks and not any(port.role in module.at_roles for port in ports.values()):
        told = PROBE.order_of(path, {number: port.name for number, port in ports.items()})
        if told is None:
            return None  # it does not answer yet
        at_number, audio_number = told
    at_port = _port(ports, module.at_roles, at_number)
    if at_port is None:
        return None
    options = {"at_port": at_port, "family": module.family}
    if card is not None:
        options |= {"audio_device": card, "audio_playback": card}
    elif audio_number is not None:
        audio_port = _port(ports, module.audio_roles, audio_number)
        if audio_port is None:
            return None
        options["audio_port"] = audio_port
    return FoundDevice(path=path, driver=DRIVER, options=options, description=module.name)


def _cards(context: pyudev.Context) -> dict[str, str]:
    """ALSA names of the sound cards that modules are, by USB path. By the card's id: its number changes."""
    found: dict[str, str] = {}
    for card in context.list_devices(subsystem="sound"):
        device = card.find_parent("usb", "usb_device")
        identity = _raw(card, "id")
        if device is not None and identity and re.fullmatch(r"card\d+", card.sys_name):
            found[device.sys_name] = f"plughw:CARD={identity},DEV=0"
    return found


def _port(ports: dict[int, _Port], roles: tuple[str, ...], number: int) -> str | None:
    """The port with one of ``roles``; where no port of the module has any, the one with the number."""
    by_role = next((port.name for _, port in sorted(ports.items()) if port.role in roles), None)
    return by_role or (ports[number].name if number in ports else None)


def _text(device: pyudev.Device, attribute: str) -> str:
    return _raw(device, attribute).lower()


def _raw(device: pyudev.Device, attribute: str) -> str:
    value = device.attributes.get(attribute)
    return value.decode("ascii", "replace").strip() if value is not None else ""


PROBE: Final = PortProbe()
"""What modules told of their ports; asked once for each time that one is plugged in."""
