"""The socket's ``line.edges``: what a line board's sensors do, undebounced, for calibration."""

from __future__ import annotations

import time
from typing import Any

from attrs import asdict

from firmware.errors import RequestError
from firmware.live import Json
from firmware.model import LineId
from firmware.runtime import Runtime


def raw_edges(runtime: Runtime, line: str, since_boot_ns: int) -> Json:
    """Raises `RequestError` ``no_such_line``, or ``not_supported`` for a line without sensors."""
    driver: Any = runtime.do(lambda: getattr(runtime.lines.get(LineId(line)), "driver", None))
    if driver is None:
        raise RequestError("no_such_line", f"no line is called {line}; offhook lines lists them")
    look = getattr(driver, "raw_edges", None)
    if look is None:
        raise RequestError("not_supported", f"line {line} has no sensors that could be calibrated")
    raw = look(since_boot_ns)
    return {
        "now_boot_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        "edges": [[sensor.value, active, at] for sensor, active, at in raw.edges],
        "levels": {sensor.value: active for sensor, active in raw.levels.items()},
        "debounce": asdict(raw.debounce),
        "volts": [[round(volts, 2), at] for volts, at in raw.volts],
    }
