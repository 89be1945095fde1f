"""Supply voltage, temperature, clock and serial numbers of this machine. None: it cannot tell."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_ALARMS = "/sys/class/hwmon"
_UNDER_VOLTAGE_NOW, _UNDER_VOLTAGE_SINCE_BOOT = 1 << 0, 1 << 16
"""Raspberry Pi firmware, get_throttled."""
_STA_UNSYNC = 0x40
"""linux/timex.h"""
_ASK_S = 5.0


def under_voltage() -> bool | None:
    """Whether the supply fell below what the Pi wants, now or since its start."""
    flags = _text(_THROTTLED)
    if flags is None and (program := shutil.which("vcgencmd")):
        done = subprocess.run(  # noqa: S603  # fixed arguments
            [program, "get_throttled"], capture_output=True, text=True, timeout=_ASK_S, check=False
        )
        flags = done.stdout.partition("=")[2].strip() or None
    if flags is not None:
        bits = int(flags, 16)
        return bool(bits & (_UNDER_VOLTAGE_NOW | _UNDER_VOLTAGE_SINCE_BOOT))
    for chip in sorted(Path(_ALARMS).glob("hwmon*")):
        if _text(chip / "name") == "rpi_volt" and (alarm := _text(chip / "in0_lcrit_alarm")) is not None:
            return alarm != "0"
    return None


def temperature_c() -> float | None:
    """The hottest zone of the processor."""
    zones = [_text(zone / "temp") for zone in Path("/sys/class/thermal").glob("thermal_zone*")]
    degrees = [int(zone) / 1000 for zone in zones if zone is not None and re.fullmatch(r"-?\d+", zone)]
    return max(degrees, default=None)


def clock_error_s() -> float | None:
    """How far the clock may be off by the kernel's own account (adjtimex(2)); None: it is not synchronised."""
    # struct timex on Linux, 64 bits: modes, padding, then longs; status is the sixth word.
    words = (ctypes.c_long * 32)()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(words))
    if state < 0:
        return None
    max_error_us, status = words[3], words[5] & 0xFFFFFFFF
    return None if status & _STA_UNSYNC else max_error_us / 1e6


def serials() -> dict[str, str]:
    """Of the board and of its card, where they have one."""
    found = {
        "board": _text(Path("/proc/device-tree/serial-number")),
        "model": _text(Path("/proc/device-tree/model")),
        "card": next((_text(p) for p in sorted(Path("/sys/block").glob("mmcblk*/device/serial"))), None),
    }
    return {name: text for name, text in found.items() if text}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None
