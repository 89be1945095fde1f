"""What the recorder does with found devices, in small: makes a line of each and tells what happens, as JSON lines."""

from __future__ import annotations

import json
import sys
import threading

from firmware.clock import SystemClock
from firmware.events import CallerId, LineDown
from firmware.hotplug import Hotplug
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.ports import FoundDevice


def tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    lines: dict[str, AtModemLine] = {}

    def heard(event: object) -> None:
        detail = getattr(event, "reason", None) if isinstance(event, LineDown) else None
        tell(
            event=type(event).__name__,
            line=str(getattr(event, "line", "")),
            number=event.number if isinstance(event, CallerId) else None,
            reason=detail,
        )

    def found(device: FoundDevice) -> None:
        tell(found=device.path, driver=device.driver, options=device.options)
        if device.path in lines:
            return
        name = f"sim-{len(lines) + 1}"
        lines[device.path] = AtModemLine(LineId(name), AtModemOptions(**device.options), heard, SystemClock())
        lines[device.path].start()

    hotplug = Hotplug(found, lambda device: tell(gone=device.path))
    hotplug.start()
    tell(watching=True)
    sys.stdin.read()  # until the test closes it
    hotplug.stop()
    for line in lines.values():
        line.stop()
    tell(threads=[thread.name for thread in threading.enumerate()])


main()
