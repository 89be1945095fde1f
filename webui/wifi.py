"""The Wi-Fi of a box made from the image, as a form sets it: a wish in a file, which a service of root takes up."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from webui.translate import _

NETWORK = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class Wifi:
    ssid: str
    password: str = field(repr=False)
    country: str
    hidden: bool = False


def wish_file() -> Path | None:
    """Where a wish goes; ``None`` where the Wi-Fi is not ours to set: no such interface, or not the image."""
    told = os.environ.get("OFFHOOK_WIFI_WISH")
    return Path(told) if told and any(NETWORK.glob("*/wireless")) else None


def fault_of(wifi: Wifi) -> str:
    """Why this cannot be a Wi-Fi; empty when it can."""
    if not 1 <= len(wifi.ssid.encode()) <= 32 or not wifi.ssid.isprintable():
        return _("The name of a Wi-Fi has 1 to 32 bytes.")
    if wifi.password and not re.fullmatch(r"[ -~]{8,63}|[0-9a-fA-F]{64}", wifi.password):
        return _("The password of a Wi-Fi has 8 to 63 letters, digits and signs; empty is a Wi-Fi without one.")
    return ""


def wish(file: Path, wifi: Wifi) -> None:
    """Leaves the wish, whole. Raises `OSError`."""
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(asdict(wifi), out)
    draft.replace(file)
