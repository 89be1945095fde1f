"""Takes the line between the exchange's short rings to be told who calls, and puts it back (Japan's Number Display)."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

import numpy as np

from firmware.analog.dialler import CancelledError, Outlet
from firmware.errors import AudioDeviceError
from firmware.ports import AudioSource
from firmware.signals.callerid_search import CallerIdSearch

log = logging.getLogger("offhook.analog")

_LONGEST_S: Final = 4.5
"""The message is over within 2 s; the exchange waits 7 s for the line to be put back, and then rings nobody."""
_DEAF_S: Final = 2.5
"""So long the line is held where the box cannot hear the message itself."""


def answer_to_be_told(outlet: Outlet, stop: threading.Event) -> bool:
    """Whether the message came. The line is let go of in any case. Raises `CancelledError` when ``stop`` was set."""
    try:
        outlet.seize(True)
        ears = outlet.ears()
        if ears is None:
            _rest(_DEAF_S, stop)
            return False
        return _message_comes(ears, stop)
    finally:
        outlet.seize(False)


def _message_comes(ears: AudioSource, stop: threading.Event) -> bool:
    search = CallerIdSearch(ears.rate_hz, ntt=True)
    until_s = time.monotonic() + _LONGEST_S
    try:
        ears.open()
        while time.monotonic() < until_s:
            _rest(0.0, stop)
            block = ears.read()
            if block is not None and search.feed(np.frombuffer(block.pcm, dtype="<i2")) is not None:
                return True
    except AudioDeviceError as error:
        log.warning("answering short rings without hearing the message: %s", error)
        _rest(_DEAF_S, stop)
    finally:
        ears.close()
    return False


def _rest(seconds: float, stop: threading.Event) -> None:
    if stop.wait(seconds):
        raise CancelledError
