"""The Wi-Fi that somebody set on the page: its wish becomes the file that `offhook-wireless` goes by."""

from __future__ import annotations

import json
import os
from pathlib import Path

from appliance.customisation import Customisation, Wifi, checked, supplicant
from appliance.first_start import put

_AT_MOST = 4096


def take(wish: Path, state: Path) -> str:
    """Puts the wish into force and takes it away, whatever it is. Gives what was done, or why nothing was.

    The page's process may write the wish and nothing else: it is read without following links, and checked like what
    an owner writes onto the card. Raises `OSError` when the state cannot be written.
    """
    try:
        descriptor = os.open(wish, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            text = file.read(_AT_MOST)
    except OSError as error:
        return f"ignored: the wish cannot be read: {error.strerror}"
    finally:
        wish.unlink(missing_ok=True)
    try:
        said = json.loads(text)
        wifi = Wifi(str(said["ssid"]), str(said["password"]), str(said["country"]), bool(said["hidden"]))
    except (ValueError, KeyError, TypeError):
        return "ignored: this is no Wi-Fi"
    made = checked(Customisation(wifi=wifi))
    if made.wifi is None:
        return f"ignored: {'; '.join(made.ignored)}"
    put(state / "wifi.conf", supplicant(made.wifi), 0o600)
    return "Wi-Fi set"
