"""What the recorder does with found devices, in small: makes a line of each and tells what happens, as JSON lines."""

from __future__ import annotations

import json
import sys
import threading

from firmware.clock import SystemClock
from firmware.config import parse_options
from firmware.drivers import driver_type
from firmware.events import CallerId, LineDown
from firmware.hotplug import Hotplug
from firmware.model import LineId
from firmware.ports import FoundDevice, LineDriver


def tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    lines: dict[str, LineDriver] = {}

    def heard(event: object) -> None:
        detail = getattr(event, "reason", None) if isinstance(event, LineDown) else None
        tell(
            event=type(event).__name__,
            line=str(getattr(event, "line", "")),
            number=event.number if isinstance(event, CallerId) else None,
            reason=detail,
        )

    def found(device: FoundDevice) -> None:
        tell(found=device.path, driver=device.driver, options=device.options, proposal=device.proposal)
        if device.path in lines or device.proposal:
            return
        name = LineId(f"{'sim' if device.driver == 'at-modem' else 'fxo'}-{len(lines) + 1}")
        options = parse_options(device.driver, device.options)
        lines[device.path] = driver_type(device.driver)(name, options, heard, SystemClock())  # type: ignore[call-arg]
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
