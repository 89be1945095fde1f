"""Which line boards are plugged in, so that a box without settings can use them."""

from __future__ import annotations

import logging
from pathlib import Path

from firmware.analog.profile import HatProfile, Panel, load_profile, profile_names
from firmware.errors import ConfigError
from firmware.gpio.factory import gpio_chip_labels
from firmware.ports import FoundDevice

log = logging.getLogger("offhook.analog")

HAT_PRODUCT = Path("/sys/firmware/devicetree/base/hat/product")
"""What the Pi's firmware read from the board's HAT EEPROM (/proc/device-tree points here)."""


def hat_product(path: Path = HAT_PRODUCT) -> str | None:
    """The ``product`` text of the board's EEPROM; None when there is no board, or it has none."""
    try:
        return path.read_bytes().rstrip(b"\0").decode("utf-8", "replace") or None
    except OSError:
        return None


def found_lines() -> list[FoundDevice]:
    """Every port of every board that a profile knows and this machine has."""
    product, labels = hat_product(), gpio_chip_labels()
    found: list[FoundDevice] = []
    for name in profile_names():
        try:
            profile = load_profile(name)
        except ConfigError as error:  # an admin's broken profile must not hide the other boards
            log.warning("hat profile left out: %s", error, extra={"offhook": {"profile": name}})
            continue
        place = _place(profile, product, labels)
        if place is None:
            continue
        found += [
            FoundDevice(
                path=f"{place}:{port}",
                driver="fxo-gpio",
                options={"profile": name, "port": port},
                description=f"{profile.title}, port {port}",
            )
            for port in range(1, len(profile.ports) + 1)
        ]
    return found


def found_panel() -> Panel | None:
    """Lamps and button of the first board that is there and has any."""
    product, labels = hat_product(), gpio_chip_labels()
    for name in profile_names():
        try:
            profile = load_profile(name)
        except ConfigError:  # `found_lines` tells of it
            continue
        if _place(profile, product, labels) is not None and profile.panel != Panel():
            return profile.panel
    return None


def _place(profile: HatProfile, product: str | None, labels: tuple[str, ...]) -> str | None:
    """Where the board is plugged in: ``hat`` for the one on the header, else its GPIO chip's label."""
    if product is not None and product in profile.match.hat_product:
        return "hat"
    return next((label for label in labels if label in profile.match.gpio_chip_label), None)
