"""Finds USB voice modems among the machine's ports."""

from __future__ import annotations

from typing import Final

import pyudev

from firmware.modem.usb_scan import stable_name, usb_path_key
from firmware.ports import FoundDevice

DRIVER: Final = "voice-modem"

_CONEXANT: Final = ("Conexant CX930xx voice modem", "conexant")
KNOWN: Final = {
    # Linuxant's list of CX930xx products; 1349 is StarTech's USB56KEMH2 (geerlingguy/pi-isp issue 1).
    **{("0572", f"{product:04x}"): _CONEXANT for product in (*range(0x1320, 0x132A), 0x1340, 0x1349)},
    ("0803", "3095"): ("Zoom 3095 voice modem", "conexant"),
    ("0baf", "0303"): ("USRobotics USR5637 voice modem", "usr5637"),
}
"""By vendor and product id: what it is, and its family (`firmware.modem.voice_modem.FAMILIES`)."""


def find_voice_modems(context: pyudev.Context | None = None) -> tuple[FoundDevice, ...]:
    """The voice modems that are there, in the order of their USB paths.

    All CX930xx say the same serial number, so a modem is known by the socket it is plugged into.
    """
    found: dict[str, FoundDevice] = {}
    for tty in (context or pyudev.Context()).list_devices(subsystem="tty"):
        device = tty.find_parent("usb", "usb_device")
        if device is None or tty.device_node is None:
            continue
        known = KNOWN.get((_text(device, "idVendor"), _text(device, "idProduct")))
        if known is not None and device.sys_name not in found:
            port = stable_name(tty.device_node, tty.properties.get("DEVLINKS", "").split())
            found[device.sys_name] = FoundDevice(
                path=device.sys_name, driver=DRIVER, options={"port": port, "family": known[1]}, description=known[0]
            )
    return tuple(found[path] for path in sorted(found, key=usb_path_key))


def _text(device: pyudev.Device, attribute: str) -> str:
    value = device.attributes.get(attribute)
    return value.decode("ascii", "replace").strip().lower() if value is not None else ""
