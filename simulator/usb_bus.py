"""A USB bus for programs on this machine: modules whose ttys are ptys can be plugged in and pulled while they watch.

Uses umockdev (Debian packages umockdev and libumockdev-preload0). The street makes a `UsbBus`; each watching program is
started with `UsbBus.environment`, and sees the bus through its ordinary udev, sysfs and /dev.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PRELOAD = "libumockdev-preload.so.0"


class UsbBus:
    """One bus, run by a process of its own; its folder under /tmp is deleted when the bus is closed."""

    def __init__(self) -> None:
        environment = {**os.environ, "LD_PRELOAD": _preload(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment.pop("UMOCKDEV_DIR", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulator.usb_bus_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self.folder = Path(self._answer()["folder"])

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program must have in its environment, beside what it has anyway, to see this bus."""
        return {"UMOCKDEV_DIR": str(self.folder), "LD_PRELOAD": _preload()}

    def plug_sim7600(self, path: str, *, at: Path, pcm: Path, first_tty: int) -> None:
        """A SIM7600 appears at USB path ``path`` (``1-1.2``) as ttyUSB``first_tty`` and the four after it.

        ``at`` and ``pcm`` are the ports of a `SimModule` that is plugged in: after it was pulled, plug it in first.
        """
        self.plug_module(
            path, vendor="1e0e", product="9001", serial="0123456789ABCDEF", ports={2: at, 4: pcm}, first_tty=first_tty
        )

    def plug_quectel(self, path: str, *, at: Path, pcm: Path, first_tty: int) -> None:
        """An EC25: diag, NMEA (which carries the sound), AT, modem (ModemManager 77-mm-quectel-port-types.rules)."""
        self.plug_module(
            path, vendor="2c7c", product="0125", serial="", ports={1: pcm, 2: at}, count=4, first_tty=first_tty
        )

    def plug_huawei(
        self, path: str, *, product: str, ports: Mapping[int, Path], first_tty: int, roles: Sequence[str] = ()
    ) -> None:
        """A Huawei stick; ``roles``: its interfaces' class, subclass and protocol (oFono plugins/udevng.c), where the
        firmware has any."""
        self.plug_module(
            path, vendor="12d1", product=product, serial="", ports=ports, count=max(len(roles), 1 + max(ports)),
            first_tty=first_tty, roles=roles,
        )  # fmt: skip

    def plug_module(
        self,
        path: str,
        *,
        vendor: str,
        product: str,
        serial: str,
        ports: Mapping[int, Path],
        first_tty: int,
        count: int = 5,
        roles: Sequence[str] = (),
    ) -> None:
        """A module with ``count`` serial interfaces appears; ``ports`` are those on which something answers."""
        interfaces = [{"role": roles[n] if n < len(roles) else "ff/ff/ff"} for n in range(count)]
        for n, port in ports.items():
            interfaces[n]["port"] = str(port)
        self._order(
            do="plug_module", path=path, vendor=vendor, product=product, serial=serial, interfaces=interfaces,
            first_tty=first_tty,
        )  # fmt: skip

    def add_card(self, path: str, *, interface: int, number: int, identity: str) -> None:
        """The module at ``path`` shows itself as ALSA's card ``number``, too."""
        self._order(do="add_card", path=path, interface=interface, number=number, identity=identity)

    def plug_port(self, path: str, *, vendor: str, product: str, tty: str, port: Path) -> None:
        """A device with one serial port appears: ``tty`` (``ttyACM0``), whose far end is ``port``."""
        self._order(do="plug_port", path=path, vendor=vendor, product=product, tty=tty, port=str(port))

    def plug_card(
        self, path: str, *, number: int, identity: str, vendor: str = "0d8c", product: str = "0014", title: str = ""
    ) -> None:
        """A USB sound card appears with ALSA's card number and id."""
        self._order(
            do="plug_card", path=path, vendor=vendor, product=product, number=number, identity=identity, title=title
        )

    def unplug(self, path: str) -> None:
        """The device at ``path`` disappears, its ports first."""
        self._order(do="unplug", path=path)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> UsbBus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _order(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise RuntimeError(f"the USB bus refused {order}: {answer['error']}")

    def _answer(self) -> dict[str, str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                "the USB bus did not start: are the packages umockdev and libumockdev-preload0 installed?"
            )
        answer: dict[str, str] = json.loads(line)
        return answer


def _preload() -> str:
    return ":".join(filter(None, (PRELOAD, os.environ.get("LD_PRELOAD", ""))))
