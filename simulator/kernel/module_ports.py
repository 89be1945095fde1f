"""The two serial ports of a SIM module on a real kernel's USB bus: plugged in when made, pulled out when closed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pyudev

from firmware.errors import OffhookError

AT_INTERFACE: Final = 2
PCM_INTERFACE: Final = 4
_THERE_DEADLINE_S = 15.0
_PCM_QUEUE_BYTES = 16384
"""26 frames of 20 ms, for each of them weighs over a kilobyte in the kernel's account: 0.5 s of sound wait when nobody
reads, then a module throws sound away. With a tenth of it a player that was not scheduled for 80 ms made holes."""


class UsbModuleError(OffhookError):
    """The kernel did not take the simulated module for one."""


class UsbModulePorts:
    """``at`` and ``pcm`` are non-blocking file descriptors, the module's side of the ports."""

    way = "0"

    def __init__(self, socket_number: int, serial: str) -> None:
        """``socket_number``: which of the machine's simulated USB sockets, from 0."""
        ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        self._ours = ours
        ours[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PCM_QUEUE_BYTES)
        for end in ours:
            end.setblocking(False)
        self.at, self.pcm = (end.fileno() for end in ours)
        command = [sys.executable, "-m", "simulator.kernel.usb_device"]
        command += ["--udc", f"dummy_udc.{socket_number}", "--serial", serial]
        command += ["--pipe", f"{AT_INTERFACE}:{theirs[0].fileno()}", "--pipe", f"{PCM_INTERFACE}:{theirs[1].fileno()}"]
        self._device = subprocess.Popen(  # noqa: S603  # our own program
            command,
            pass_fds=[end.fileno() for end in theirs],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in theirs:
            end.close()

    def close(self) -> None:
        self._device.send_signal(signal.SIGKILL)
        self._device.wait(5.0)
        for end in self._ours:
            end.close()


def port_names(serial: str, deadline_s: float = _THERE_DEADLINE_S) -> dict[int, str]:
    """Interface number → name under /dev/serial/by-path of the module with that serial number.

    Waits until udev has named AT and sound port. Raises `UsbModuleError`.
    """
    context = pyudev.Context()
    end = time.monotonic() + deadline_s
    while True:
        names: dict[int, str] = {}
        for tty in context.list_devices(subsystem="tty", ID_SERIAL_SHORT=serial):
            links = [
                link for link in tty.device_links if link.startswith("/dev/serial/by-path/") and Path(link).exists()
            ]
            if links:
                names[int(tty.properties["ID_USB_INTERFACE_NUM"], 16)] = min(links, key=len)
        if {AT_INTERFACE, PCM_INTERFACE} <= set(names):
            return names
        if time.monotonic() > end:
            raise UsbModuleError(f"USB module {serial}: after {deadline_s:g} s only these ports are there: {names}")
        time.sleep(0.05)
