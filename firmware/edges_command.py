"""The socket's ``line.edges`` and ``line.judge``: what a board's sensors do, undebounced, and what that says of it."""

from __future__ import annotations

import time
from typing import Any

from attrs import asdict

from firmware.analog.calibration import judge, with_voltage
from firmware.errors import RequestError
from firmware.live import Json
from firmware.model import LineId
from firmware.runtime import Runtime
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import RawEdge


def raw_edges(runtime: Runtime, line: str, since_boot_ns: int) -> Json:
    """Raises `RequestError` ``no_such_line``, or ``not_supported`` for a line without sensors."""
    raw = _look(runtime, line, since_boot_ns)
    return {
        "now_boot_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        "edges": [[sensor.value, active, at] for sensor, active, at in raw.edges],
        "levels": {sensor.value: active for sensor, active in raw.levels.items()},
        "debounce": asdict(raw.debounce),
        "volts": [[round(volts, 2), at] for volts, at in raw.volts],
    }


def judged(runtime: Runtime, line: str, idle: dict[str, Any], moments: list[Any]) -> Json:
    """What a ring and a lifted handset say of the board.

    ``moments`` in boot_ns: when the ring was waited for, when it was over and the handset was waited for, when that was
    over. ``idle``: each sensor's level before the first. Raises `RequestError` as `raw_edges`, and ``bad_request``.
    """
    names = {sensor.value for sensor in Sensor}
    if len(moments) != 3 or any(type(each) is not int for each in moments) or not set(idle) <= names:
        raise RequestError("bad_request", "line.judge needs three moments, and levels of the line's own sensors")
    begin, between, end = moments
    raw = _look(runtime, line, begin)
    edges = [RawEdge(sensor, active, at / 1e6) for sensor, active, at in raw.edges]
    verdict, volts = with_voltage(
        judge(
            [edge for edge in edges if edge.at_ms <= between / 1e6],
            between / 1e6,
            [edge for edge in edges if between / 1e6 < edge.at_ms <= end / 1e6],
            end / 1e6,
            idle={Sensor(name): bool(level) for name, level in idle.items()},
            now=raw.debounce,
        ),
        [volts for volts, at in raw.volts if at <= end],
    )
    voltage: Json | None = None
    if volts is not None:
        voltage = {"on_hook_v": volts.on_hook_v, "off_hook_v": volts.off_hook_v, "hook_threshold": volts.rule.value}
    return {"faults": list(verdict.codes), "debounce": asdict(verdict.debounce), "voltage": voltage}


def _look(runtime: Runtime, line: str, since_boot_ns: int) -> Any:
    driver: Any = runtime.do(lambda: getattr(runtime.lines.get(LineId(line)), "driver", None))
    if driver is None:
        raise RequestError("no_such_line", f"no line is called {line}; offhook lines lists them")
    look = getattr(driver, "raw_edges", None)
    if look is None:
        raise RequestError("not_supported", f"line {line} has no sensors that could be calibrated")
    return look(since_boot_ns)
