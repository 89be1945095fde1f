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
    one, because ttyUSB numbers change when a module comes back.
    """
    ports: dict[str, dict[int, str]] = {}
    modules: dict[str, UsbModule] = {}
    for tty in (context or pyudev.Context()).list_devices(subsystem="tty"):
        interface = tty.find_parent("usb", "usb_interface")
        device = tty.find_parent("usb", "usb_device")
        if interface is None or device is None or tty.device_node is None:
            continue
        module = usb_map().get((_text(device, "idVendor"), _text(device, "idProduct")))
        number = _text(interface, "bInterfaceNumber")
        if module is not None and re.fullmatch(r"[0-9a-f]{2}", number):
            modules[device.sys_name] = module
            ports.setdefault(device.sys_name, {})[int(number, 16)] = stable_name(
                tty.device_node, tty.properties.get("DEVLINKS", "").split()
            )
    found = [_found(path, modules[path], ports[path]) for path in sorted(ports, key=usb_path_key)]
    return tuple(device for device in found if device is not None)


def stable_name(node: str, links: Iterable[str]) -> str:
    """The port's name by its place on the bus, else its device node."""
    return min((link for link in links if link.startswith("/dev/serial/by-path/")), key=len, default=node)


def usb_path_key(path: str) -> tuple[int, ...]:
    """Sorts USB paths the way people count sockets."""
    return tuple(int(number) for number in re.findall(r"\d+", path))


def _found(path: str, module: UsbModule, ports: dict[int, str]) -> FoundDevice | None:
    at_port = ports.get(module.at_interface)
    if at_port is None:
        return None
    options = {"at_port": at_port, "family": module.family}
    if module.audio_interface is not None:
        audio_port = ports.get(module.audio_interface)
        if audio_port is None:
            return None
        options["audio_port"] = audio_port
    return FoundDevice(path=path, driver=DRIVER, options=options, description=module.name)


def _text(device: pyudev.Device, attribute: str) -> str:
    value = device.attributes.get(attribute)
    return value.decode("ascii", "replace").strip().lower() if value is not None else ""
