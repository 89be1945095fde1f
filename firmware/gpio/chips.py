"""Which GPIO chips this machine has, and which of them pins without a chip's name are on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import gpiod
from gpiozero.exc import PinInvalidPin

CHIP_VARIABLE = "OFFHOOK_GPIOCHIP"
"""The chip of pins that name none: a path (``/dev/gpiochip0``), a name (``gpiochip0``) or a label (``pinctrl-rp1``)."""

_PI_HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""The chips behind the 40-pin header of a Pi 5, a Pi 4 and the ones before."""


class Chips(Protocol):
    """Where GPIO chips come from."""

    def open(self, wanted: str | None) -> Any:
        """A `gpiod.Chip`, to be closed by the caller. Raises `PinInvalidPin`, OSError."""
        ...

    def labels(self) -> tuple[str, ...]: ...


class SystemChips:
    """The GPIO chips of this machine, looked up anew each time: an expander may come back under another number."""

    def open(self, wanted: str | None) -> gpiod.Chip:
        """The chip ``wanted`` (path, name or label; None: ``OFFHOOK_GPIOCHIP``, the Pi's header, or the only chip).

        Raises `PinInvalidPin` when it is not there, OSError when it cannot be opened.
        """
        there = list(self._there())
        return gpiod.Chip(choose_chip(wanted or os.environ.get(CHIP_VARIABLE) or None, there))

    def labels(self) -> tuple[str, ...]:
        """Labels of all chips."""
        return tuple(label for _, _, label in self._there())

    def _there(self) -> Iterator[tuple[str, str, str]]:
        for path in sorted(Path("/dev").glob("gpiochip*")):
            if not gpiod.is_gpiochip_device(str(path)):
                continue
            try:
                with gpiod.Chip(str(path)) as chip:
                    info = chip.get_info()
            except OSError:  # taken away, or not for us: the same as not there
                continue
            yield str(path), info.name, info.label


def choose_chip(wanted: str | None, there: list[tuple[str, str, str]]) -> str:
    """The path of the chip ``wanted`` among ``there`` (path, name, label of each). Raises `PinInvalidPin`."""
    labels = (wanted,) if wanted is not None else _PI_HEADER_LABELS
    for label in labels:
        for chip in there:
            if label in chip:
                return chip[0]
    if wanted is None and len(there) == 1:
        return there[0][0]
    names = ", ".join(f"{name} ({label})" for _, name, label in there) or "none"
    what = f"no GPIO chip {wanted!r}" if wanted is not None else f"which GPIO chip? Set {CHIP_VARIABLE}"
    raise PinInvalidPin(f"{what}; this machine has: {names}")
