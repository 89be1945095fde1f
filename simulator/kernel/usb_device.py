"""Plays one USB device with serial functions on a real kernel's bus, until it is killed (``python -m`` this module).

A SIM7600 look-alike: five vendor-specific interfaces with a bulk pipe each way, of which two are connected to the file
descriptors given. The kernel's raw-gadget interface is used because f_serial refuses the modem-line request that every
real module answers. A process of its own: killing it is what pulling the plug is.

Source: Linux include/uapi/linux/usb/raw_gadget.h; USB 2.0, 9.4 to 9.6; SIM7600 interfaces: drivers/usb/serial/option.c.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import logging
import os
import socket
import struct
import threading
from typing import Final

log = logging.getLogger("offhook.street.usb")

VENDOR: Final = 0x1E0E
PRODUCT: Final = 0x9001
INTERFACES: Final = 5
_HIGH_SPEED: Final = 3
_BULK_BYTES: Final = 512

_WRITE, _READ = 1, 2


def _ioctl(direction: int, number: int, size: int) -> int:
    """_IOC() of Linux on x86 and ARM."""
    return direction << 30 | size << 16 | ord("U") << 8 | number


_INIT: Final = _ioctl(_WRITE, 0, 257)
_RUN: Final = _ioctl(0, 1, 0)
_EVENT_FETCH: Final = _ioctl(_READ, 2, 8)
_EP0_WRITE: Final = _ioctl(_WRITE, 3, 8)
_EP0_READ: Final = _ioctl(_READ | _WRITE, 4, 8)
_EP_ENABLE: Final = _ioctl(_WRITE, 5, 9)
_EP_WRITE: Final = _ioctl(_WRITE, 7, 8)
_EP_READ: Final = _ioctl(_READ | _WRITE, 8, 8)
_CONFIGURE: Final = _ioctl(0, 9, 0)
_EP0_STALL: Final = _ioctl(0, 12, 0)

_CONTROL_EVENT: Final = 2
_GET_DESCRIPTOR, _SET_CONFIGURATION, _SET_INTERFACE = 6, 9, 11
_STANDARD, _CLASS = 0x00, 0x20
_SET_CONTROL_LINE_STATE: Final = 0x22
_DEVICE_DESCRIPTOR, _CONFIG_DESCRIPTOR, _STRING_DESCRIPTOR = 1, 2, 3


class UsbDevice:
    """The device; ``pipes`` maps an interface's number to the socket whose bytes flow through it."""

    def __init__(self, udc: str, serial: str, pipes: dict[int, socket.socket]) -> None:
        self._strings = ("SimTech, Incorporated", "SimTech, Incorporated", serial)
        self._pipes = pipes
        self._configured = False
        self._fd = os.open("/dev/raw-gadget", os.O_RDWR | os.O_CLOEXEC)
        driver, _, _ = udc.partition(".")
        fcntl.ioctl(self._fd, _INIT, struct.pack("128s128sB", driver.encode(), udc.encode(), _HIGH_SPEED))
        fcntl.ioctl(self._fd, _RUN, 0)

    def serve(self) -> None:
        """Answers the bus. Returns only by an error or a signal."""
        while True:
            event = bytearray(struct.pack("<II", 0, 8) + bytes(8))
            fcntl.ioctl(self._fd, _EVENT_FETCH, event, True)
            kind, _ = struct.unpack_from("<II", event)
            if kind == _CONTROL_EVENT:
                try:
                    self._control(*struct.unpack_from("<BBHHH", event, 8))
                except OSError as error:  # the host gave up on the request (a reset): it asks again
                    log.info("control request: %s", error)

    def _control(self, request_type: int, request: int, value: int, index: int, length: int) -> None:
        answer = self._descriptor(value >> 8, value & 0xFF) if request == _GET_DESCRIPTOR else None
        kind = request_type & 0x60
        if kind == _STANDARD and request_type & 0x80 and answer is not None:
            self._transfer(_EP0_WRITE, answer[:length])
        elif kind == _STANDARD and request == _SET_CONFIGURATION:
            self._enable_pipes()
            fcntl.ioctl(self._fd, _CONFIGURE, 0)
            self._transfer(_EP0_READ, b"")
        elif (kind == _STANDARD and request == _SET_INTERFACE) or (
            kind == _CLASS and request == _SET_CONTROL_LINE_STATE and index < INTERFACES
        ):
            self._transfer(_EP0_READ, b"")
        else:
            fcntl.ioctl(self._fd, _EP0_STALL, 0)

    def _transfer(self, order: int, data: bytes, endpoint: int = 0) -> int:
        moved: int = fcntl.ioctl(self._fd, order, bytearray(struct.pack("<HHI", endpoint, 0, len(data)) + data), True)
        return moved

    # --- descriptors ------------------------------------------------------------------------------------------------

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == _DEVICE_DESCRIPTOR:
            return struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, VENDOR, PRODUCT, 0x0318, 1, 2, 3, 1)
        if kind == _CONFIG_DESCRIPTOR:
            body = b"".join(self._interface(n) for n in range(INTERFACES))
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), INTERFACES, 1, 0, 0xE0, 250) + body
        if kind == _STRING_DESCRIPTOR and index == 0:
            return b"\x04\x03\x09\x04"
        if kind == _STRING_DESCRIPTOR and index <= len(self._strings):
            text = self._strings[index - 1].encode("utf-16-le")
            return bytes((2 + len(text), 3)) + text
        return None

    def _interface(self, number: int) -> bytes:
        return struct.pack("BBBBBBBBB", 9, 4, number, 0, 2, 0xFF, 0xFF, 0xFF, 0) + b"".join(
            _endpoint(address) for address in (0x81 + number, 0x01 + number)
        )

    # --- pipes ------------------------------------------------------------------------------------------------------

    def _enable_pipes(self) -> None:
        if self._configured:
            return
        self._configured = True
        for number in range(INTERFACES):
            into_host, from_host = (
                fcntl.ioctl(self._fd, _EP_ENABLE, bytearray(_endpoint(address) + bytes(2)), True)
                for address in (0x81 + number, 0x01 + number)
            )
            threading.Thread(target=self._read_host, args=(number, from_host), daemon=True).start()
            if number in self._pipes:
                threading.Thread(target=self._write_host, args=(number, into_host), daemon=True).start()

    def _read_host(self, number: int, endpoint: int) -> None:
        pipe = self._pipes.get(number)
        while True:
            buffer = bytearray(struct.pack("<HHI", endpoint, 0, _BULK_BYTES) + bytes(_BULK_BYTES))
            got = fcntl.ioctl(self._fd, _EP_READ, buffer, True)
            if pipe is not None:
                pipe.sendall(bytes(buffer[8 : 8 + got]))

    def _write_host(self, number: int, endpoint: int) -> None:
        while data := self._pipes[number].recv(_BULK_BYTES):
            self._transfer(_EP_WRITE, data, endpoint)


def _endpoint(address: int) -> bytes:
    return struct.pack("<BBBBHB", 7, 5, address, 2, _BULK_BYTES, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--udc", required=True, help="dummy_udc.0")
    parser.add_argument("--serial", required=True)
    parser.add_argument("--pipe", action="append", default=[], help="INTERFACE:FD, a connected socket")
    wanted = parser.parse_args()
    pipes = {}
    for pipe in wanted.pipe:
        number, _, fd = pipe.partition(":")
        pipes[int(number)] = socket.socket(fileno=int(fd))
    try:
        UsbDevice(wanted.udc, wanted.serial, pipes).serve()
    except OSError as error:
        print(f"usb_device: {wanted.udc}: {errno.errorcode.get(error.errno or 0)}: {error}", flush=True)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
