"""The process behind `simulator.usb_bus`: owns a umockdev testbed and obeys JSON lines on its standard input.

umockdev looks into its own testbed through the preload, so whoever owns one must run under it; the street must not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from ctypes.util import find_library
from pathlib import Path
from typing import Any, Final

from cffi import FFI

TTYUSB_MAJOR: Final = 188

_DECLARATIONS: Final = """
typedef struct _UMockdevTestbed UMockdevTestbed;
UMockdevTestbed *umockdev_testbed_new(void);
char *umockdev_testbed_get_root_dir(UMockdevTestbed *self);
char *umockdev_testbed_add_devicev(UMockdevTestbed *self, const char *subsystem, const char *name, const char *parent,
                                   char **attributes, char **properties);
void umockdev_testbed_uevent(UMockdevTestbed *self, const char *devpath, const char *action);
void umockdev_testbed_remove_device(UMockdevTestbed *self, const char *syspath);
void g_object_unref(void *object);
"""


class _Testbed:
    """umockdev deletes its folder when it is closed."""

    def __init__(self) -> None:
        self._ffi = FFI()
        self._ffi.cdef(_DECLARATIONS)
        self._library: Any = self._ffi.dlopen(find_library("umockdev") or "libumockdev.so.0")
        self._testbed = self._library.umockdev_testbed_new()
        self.folder = Path(self._ffi.string(self._library.umockdev_testbed_get_root_dir(self._testbed)).decode())
        self._devices: dict[str, list[str]] = {}
        self._links: dict[str, list[Path]] = {}

    def plug_module(
        self, *, path: str, vendor: str, product: str, serial: str, interfaces: list[dict[str, str]], first_tty: int
    ) -> None:
        """A module appears; its interfaces are ttys from ttyUSB``first_tty`` on. Each has ``role`` (class, subclass and
        protocol, ``ff/01/02``) and, where something answers on it, ``port``."""
        usb = self._add(
            "usb",
            path,
            None,
            {"idVendor": vendor, "idProduct": product, "serial": serial, "busnum": path.partition("-")[0]},
            {"DEVTYPE": "usb_device", "ID_VENDOR_ID": vendor, "ID_MODEL_ID": product, "ID_SERIAL_SHORT": serial},
        )
        added = self._devices.setdefault(path, [])
        links = self._links.setdefault(path, [])
        added.append(usb)
        for n, interface in enumerate(interfaces):
            name, number = f"{path}:1.{n}", f"{n:02x}"
            codes = zip(("Class", "SubClass", "Protocol"), interface["role"].split("/"), strict=True)
            attributes = {"bInterfaceNumber": number} | {f"bInterface{part}": code for part, code in codes}
            parent = self._add("usb", name, usb, attributes, {"DEVTYPE": "usb_interface"})
            added.append(parent)
            tty, by_path = f"/dev/ttyUSB{first_tty + n}", self._by_path(name)
            if "port" in interface:  # the others are there for udev, but nothing answers on them
                target = Path(interface["port"]).resolve()
                links += [self._link(tty, target), self._link(by_path, target)]
            properties = {
                "DEVNAME": tty, "DEVLINKS": by_path, "MAJOR": str(TTYUSB_MAJOR), "MINOR": str(first_tty + n),
                "ID_VENDOR_ID": vendor, "ID_MODEL_ID": product, "ID_USB_INTERFACE_NUM": number, "ID_BUS": "usb",
            }  # fmt: skip
            dev = {"dev": f"{TTYUSB_MAJOR}:{first_tty + n}"}
            added.append(self._add("tty", f"ttyUSB{first_tty + n}", parent, dev, properties))

    def add_card(self, *, path: str, interface: int, number: int, identity: str) -> None:
        """The module at ``path`` is a sound card too, on its interface ``interface``."""
        name, usb = f"{path}:1.{interface}", self._devices[path][0]
        attributes = {"bInterfaceNumber": f"{interface:02x}", "bInterfaceClass": "01"}
        parent = self._add("usb", name, usb, attributes, {"DEVTYPE": "usb_interface"})
        card = self._add("sound", f"card{number}", parent, {"id": identity, "number": str(number)}, {})
        self._devices[path] += [parent, card]

    def plug_port(self, *, path: str, vendor: str, product: str, tty: str, port: Path) -> None:
        """A device with one serial port (``ttyACM0``) whose far end is ``port``."""
        usb = self._usb(path, vendor, product, "")
        name = f"{path}:1.0"
        parent = self._add("usb", name, usb, {"bInterfaceNumber": "00"}, {"DEVTYPE": "usb_interface"})
        by_path = self._by_path(name)
        properties = {"DEVNAME": f"/dev/{tty}", "DEVLINKS": by_path, "ID_VENDOR_ID": vendor, "ID_MODEL_ID": product}
        self._links[path] += [self._link(f"/dev/{tty}", port.resolve()), self._link(by_path, port.resolve())]
        self._devices[path] += [parent, self._add("tty", tty, parent, {}, properties)]

    def plug_card(self, *, path: str, vendor: str, product: str, number: int, identity: str, title: str) -> None:
        """A sound card: ALSA's ``number`` and id."""
        usb = self._usb(path, vendor, product, title)
        parent = self._add("usb", f"{path}:1.0", usb, {"bInterfaceNumber": "00"}, {"DEVTYPE": "usb_interface"})
        card = self._add("sound", f"card{number}", parent, {"id": identity, "number": str(number)}, {})
        self._devices[path] += [parent, card]

    def _usb(self, path: str, vendor: str, product: str, title: str) -> str:
        attributes = {"idVendor": vendor, "idProduct": product, "product": title, "busnum": path.partition("-")[0]}
        usb = self._add("usb", path, None, attributes, {"DEVTYPE": "usb_device", "ID_VENDOR_ID": vendor})
        self._devices[path], self._links[path] = [usb], []
        return usb

    def unplug(self, *, path: str) -> None:
        """The device at ``path`` disappears, its ports first."""
        for link in self._links.pop(path, []):
            link.unlink(missing_ok=True)
        for syspath in reversed(self._devices.pop(path, [])):
            self._library.umockdev_testbed_uevent(self._testbed, syspath.encode(), b"remove")
            self._library.umockdev_testbed_remove_device(self._testbed, syspath.encode())

    def close(self) -> None:
        testbed, self._testbed = self._testbed, None
        if testbed is not None:
            self._library.g_object_unref(testbed)

    def _add(
        self,
        subsystem: str,
        name: str,
        parent: str | None,
        attributes: Mapping[str, str],
        properties: Mapping[str, str],
    ) -> str:
        attribute_list, keep_attributes = self._strings(attributes)
        property_list, keep_properties = self._strings(properties)
        syspath = self._library.umockdev_testbed_add_devicev(
            self._testbed, subsystem.encode(), name.encode(), parent.encode() if parent else self._ffi.NULL,
            attribute_list, property_list,
        )  # fmt: skip
        del keep_attributes, keep_properties
        if syspath == self._ffi.NULL:
            raise RuntimeError(f"umockdev did not take the device {subsystem}/{name}")
        text: str = self._ffi.string(syspath).decode()
        return text

    def _strings(self, values: Mapping[str, str]) -> tuple[Any, list[Any]]:
        """A NULL-terminated array of keys and values, and what must be kept while it is used."""
        kept = [self._ffi.new("char[]", text.encode()) for pair in values.items() for text in pair]
        return self._ffi.new("char *[]", [*kept, self._ffi.NULL]), kept

    def _link(self, name: str, target: Path) -> Path:
        link = self.folder / name.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        return link

    @staticmethod
    def _by_path(interface: str) -> str:
        return f"/dev/serial/by-path/platform-usb-0:{interface.partition('-')[2]}-port0"


def main() -> None:
    """Prints the testbed's folder, then obeys one order per line and answers each with ``{}`` or an error."""
    testbed = _Testbed()
    _print({"folder": str(testbed.folder)})
    try:
        for line in sys.stdin:
            order = json.loads(line)
            try:
                todo = order.pop("do")
                if todo == "plug_port":
                    testbed.plug_port(**order | {"port": Path(order["port"])})
                elif todo in {"plug_module", "add_card", "plug_card", "unplug"}:
                    getattr(testbed, todo)(**order)
                else:
                    raise RuntimeError(f"nobody can {todo}")
            except (OSError, RuntimeError) as error:
                _print({"error": str(error)})
            else:
                _print({})
    finally:
        testbed.close()


def _print(answer: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
