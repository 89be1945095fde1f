"""Takes a module off the USB bus and puts it back, by the kernel's ``authorized`` switch, as if it were unplugged.

The recorder itself may not write to sysfs: where systemd runs it, it leaves its wish for offhook-usb-power.service.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from firmware.errors import DeviceError

OFF_S: Final = 1.0


def usb_device_of(tty: str, sys_root: Path = Path("/sys")) -> Path | None:
    """The USB device that the port ``tty`` belongs to; None for a UART, or when it is not there.

    Documentation/ABI/testing/sysfs-bus-usb: a USB device's folder has ``authorized`` and ``idVendor``.
    """
    folder = sys_root / "class/tty" / Path(tty).resolve().name / "device"
    if not folder.exists():
        return None
    for parent in folder.resolve().parents:
        if (parent / "authorized").exists() and (parent / "idVendor").exists():
            return parent
    return None


def replug_or_wish(device: Path, runtime_folder: str | None = os.environ.get("RUNTIME_DIRECTORY")) -> None:
    """`replug`, or have it done where this process may not. Raises `DeviceError` when nobody can."""
    try:
        replug(device)
    except DeviceError:
        if runtime_folder is None:
            raise
        wish = Path(runtime_folder) / "usb-power"
        draft = wish.with_suffix(".part")
        try:
            draft.write_text(f"{device.name}\n")
            draft.replace(wish)
        except OSError as error:
            raise DeviceError(f"the wish to switch {device.name} off and on cannot be left: {error}") from error


def replug(device: Path) -> None:
    """Raises `DeviceError` when the switch may not be used."""
    switch = device / "authorized"
    try:
        switch.write_text("0")
        time.sleep(OFF_S)
        switch.write_text("1")
    except OSError as error:
        raise DeviceError(f"USB device {device.name} cannot be switched off and on: {error}") from error
