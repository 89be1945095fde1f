"""The one pin factory of this process: made when first needed, made anew when its bank of pins was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gpiozero
from gpiozero.exc import BadPinFactory

from firmware.errors import DeviceError

_LOCK = threading.Lock()


def pin_factory() -> Any:
    """gpiozero's factory of this process (``GPIOZERO_PIN_FACTORY`` names it; ``offhook-gpiod`` on the box).

    Raises `DeviceError` when this machine has no GPIO, or what it has cannot be opened.
    """
    with _LOCK:
        if getattr(gpiozero.Device.pin_factory, "lost", False):
            gpiozero.Device.pin_factory.close()
            gpiozero.Device.pin_factory = None
        try:
            gpiozero.Device.ensure_pin_factory()
        except (OSError, ImportError, BadPinFactory) as error:
            raise DeviceError(f"no GPIO can be opened: {error}") from error
        return gpiozero.Device.pin_factory


def gpio_chip_labels() -> tuple[str, ...]:
    """Labels of the GPIO chips that are there now; empty where there is no GPIO.

    A pin factory that brings its own chips says so in a method ``chip_labels()``.
    """
    try:
        labels: Callable[[], tuple[str, ...]] | None = getattr(pin_factory(), "chip_labels", None)
    except DeviceError:
        return ()
    if labels is not None:
        return labels()
    from firmware.gpio.chips import SystemChips  # noqa: PLC0415 - needs gpiod, which not every host has

    return SystemChips().labels()
