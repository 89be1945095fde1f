"""Makes lines of devices that were found and are no line yet. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from firmware.config import LineSettings, Settings, parse_options
from firmware.drivers import driver_type
from firmware.model import LineId, LineKind
from firmware.ports import FoundDevice

_PREFIX = {LineKind.ANALOG: "fxo", LineKind.SIM: "sim"}
_LONGEST_LABEL = 64


def with_found_lines(settings: Settings, found: Sequence[FoundDevice]) -> Settings:
    """``settings`` with a line for every found device that has none (``fxo-1``, ``sim-1``, by place).

    A line that the box made keeps its device by where it is plugged in; when its ports got other names since
    (``/dev/ttyUSB2`` → ``/dev/ttyUSB5``), its options follow. Raises `ConfigError` when a driver found a device with
    options that it does not take itself.
    """
    lines = list(settings.lines)
    for device in _one_per_place(found):
        options = parse_options(device.driver, device.options)
        index = next((i for i, line in enumerate(lines) if _is_line_of(line, device, options)), None)
        if index is not None:
            lines[index] = _followed(lines[index], device, options)
        elif settings.box.found_devices_become_lines and not device.proposal:
            lines.append(
                LineSettings(
                    id=_new_id(device.driver, lines),
                    driver=device.driver,
                    label=_label(device.description),
                    device=device.path,
                    options=options,
                )
            )
    return settings if tuple(lines) == settings.lines else attrs.evolve(settings, lines=tuple(lines))


def _one_per_place(found: Iterable[FoundDevice]) -> list[FoundDevice]:
    by_place: dict[tuple[str, str], FoundDevice] = {}
    for device in found:
        by_place.setdefault((device.driver, device.path), device)
    return sorted(by_place.values(), key=lambda device: (device.driver, _natural(device.path)))


def _natural(path: str) -> list[tuple[int, str]]:
    """Sorts ``1-1.10`` after ``1-1.9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]


def _is_line_of(line: LineSettings, device: FoundDevice, options: Any) -> bool:
    if line.driver != device.driver:
        return False
    if line.device is not None:
        return line.device == device.path
    named = list(device.options)
    ours = [getattr(line.options, name, None) for name in named]
    theirs = [getattr(options, name, None) for name in named]
    shares_a_port = any(a == b for a, b in zip(ours, theirs, strict=True) if _is_port(b))
    return ours == theirs or shares_a_port


def _is_port(value: Any) -> bool:
    return str(value).startswith(("/dev/", "plughw:CARD="))


def _followed(line: LineSettings, device: FoundDevice, options: Any) -> LineSettings:
    """The line with the names its device's ports have now; what an admin chose besides stays."""
    if line.device is None:
        return line
    fresh = {name: getattr(options, name) for name in device.options if _is_port(getattr(options, name, None))}
    return attrs.evolve(line, options=attrs.evolve(line.options, **fresh))


def _new_id(driver: str, lines: Iterable[LineSettings]) -> LineId:
    prefix = _PREFIX[driver_type(driver).kind]
    numbers = [int(match[1]) for line in lines if (match := re.fullmatch(rf"{prefix}-(\d+)", line.id))]
    return LineId(f"{prefix}-{max(numbers, default=0) + 1}")


def _label(description: str) -> str:
    return "".join(c for c in description if c.isprintable())[:_LONGEST_LABEL]
