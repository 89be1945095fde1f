"""Which GPIO chips this machine has, and which of them pins without a chip's name are on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gpiod
from gpiozero.exc import PinInvalidPin

CHIP_VARIABLE = "OFFHOOK_GPIOCHIP"
"""The chip of pins that name none: a path (``/dev/gpiochip0``), a name (``gpiochip0``) or a label (``pinctrl-rp1``)."""

_PI_HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""The chips behind the 40-pin header of a Pi 5, a Pi 4 and the ones before."""


def chips() -> Iterator[tuple[str, str, str]]:
    """Path, name and label of each GPIO chip that can be opened."""
    for path in sorted(Path("/dev").glob("gpiochip*")):
        if not gpiod.is_gpiochip_device(str(path)):
            continue
        try:
            with gpiod.Chip(str(path)) as chip:
                info = chip.get_info()
        except OSError:  # taken away, or not for us: the same as not there
            continue
        yield str(path), info.name, info.label


def chip_labels() -> tuple[str, ...]:
    """Labels of all chips."""
    return tuple(label for _, _, label in chips())


def find_chip(wanted: str | None) -> str:
    """The path of the chip ``wanted`` (path, name or label; None: the Pi's header, or the only chip there is).

    Raises `PinInvalidPin` when it is not there.
    """
    wanted = wanted or os.environ.get(CHIP_VARIABLE) or None
    there = list(chips())
    for path, name, label in there:
        if wanted in (path, name, label):
            return path
    if wanted is None:
        for header in _PI_HEADER_LABELS:
            for path, _, label in there:
                if label == header:
                    return path
        if len(there) == 1:
            return there[0][0]
    names = ", ".join(f"{name} ({label})" for _, name, label in there) or "none"
    raise PinInvalidPin(
        f"no GPIO chip {wanted!r}; this machine has: {names}"
        if wanted
        else f"which GPIO chip? Set {CHIP_VARIABLE}; this machine has: {names}"
    )
