"""Does what the recorder may only wish for: sets the clock, switches the power of a module's USB port off and on.

The recorder has no right to do either. It leaves a file in its own runtime folder; a systemd path unit starts a service
with just the one right that is needed, which reads the wish here. Whatever stands in the file is checked first.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from firmware.errors import DeviceError, OffhookError
from firmware.modem.usb_power import replug

EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""No box is older than its program: a network that tells an earlier time is wrong."""
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
NTP_SYNCED: Final = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd(8): exists once the clock was set from the internet, which knows better than a SIM's network."""
MOST_WISH_BYTES: Final = 200


class WishError(OffhookError):
    """The wish cannot be fulfilled; the message says why."""


def set_clock(
    wish: Path,
    *,
    ntp_synced: Path = NTP_SYNCED,
    set_time: Callable[[int, float], None] = time.clock_settime,
) -> str:
    """Sets the system's clock to the seconds since 1970 in ``wish``. Returns what was done. Raises `WishError`."""
    match = re.fullmatch(r"(\d{1,12}) ([a-z0-9-]{1,64})\n?", _read(wish))
    if match is None:
        raise WishError(f"{wish} holds no time: seconds since 1970 and a line are expected")
    wanted = datetime.fromtimestamp(int(match[1]), UTC)
    if not EARLIEST <= wanted < LATEST:
        raise WishError(f"the network of {match[2]} says that it is {wanted:%Y-%m-%d}: that cannot be")
    if ntp_synced.exists():
        return f"the clock is set from the internet already; what the network of {match[2]} says is not needed"
    try:
        set_time(time.CLOCK_REALTIME, wanted.timestamp())
    except OSError as error:
        raise WishError(f"the clock cannot be set: {error}") from error
    return f"the clock was set to {wanted:%Y-%m-%d %H:%M:%S} UTC, as the network of {match[2]} says"


def power_cycle(wish: Path, *, sys_root: Path = Path("/sys")) -> str:
    """Takes the USB device that ``wish`` names (``1-1.2``) off the bus and puts it back. Raises `WishError`."""
    match = re.fullmatch(r"(\d{1,3}-\d{1,3}(?:\.\d{1,3}){0,6})\n?", _read(wish))
    if match is None:
        raise WishError(f"{wish} names no USB device: a place like 1-1.2 is expected")
    device = sys_root / "bus/usb/devices" / match[1]
    if not (device / "authorized").exists():
        raise WishError(f"there is no USB device at {match[1]}")
    try:
        replug(device)
    except DeviceError as error:
        raise WishError(str(error)) from error
    return f"the USB device at {match[1]} was switched off and on"


def _read(wish: Path) -> str:
    try:
        with wish.open("rb") as file:
            return file.read(MOST_WISH_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise WishError(f"{wish} cannot be read: {error}") from error
