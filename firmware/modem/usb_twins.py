"""Notices modules that have the same USB serial number: a port that is named by it may be the other module's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BY_ID: Final = "/dev/serial/by-id/"


def named_by_shared_serial(port: str, sys_root: Path = Path("/sys")) -> bool:
    """Whether ``port`` is named by a serial number that another USB device of the same kind has too.

    Every SIM7600 is ``0123456789ABCDEF`` (esp-iot-solution issue 161).
    """
    if not port.startswith(BY_ID):
        return False
    seen: dict[tuple[str, str, str], int] = {}
    for device in (sys_root / "bus/usb/devices").glob("*"):
        names = ("idVendor", "idProduct", "serial")
        if all((device / name).exists() for name in names):
            vendor, product, serial = ((device / name).read_text(errors="replace").strip() for name in names)
            seen[vendor, product, serial] = seen.get((vendor, product, serial), 0) + 1
    return any(count > 1 and serial and serial in port for (_, _, serial), count in seen.items())


def by_path_names(port: str, folder: Path = Path("/dev/serial/by-path")) -> str:
    """The name of the same port by its place; the folder where there is none."""
    target = Path(port).resolve()
    found = next((str(link) for link in sorted(folder.glob("*")) if link.resolve() == target), None)
    return found or str(folder)
