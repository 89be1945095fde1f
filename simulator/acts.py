"""Single acts of the people outside, in the order somebody asks for them: what a field test's technician does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from firmware.errors import OffhookError
from firmware.worker import Worker
from simulator.conversation import REMOTE_GAIN
from simulator.exchange import AnalogLine
from simulator.mixer import Mixer, Playback, Sound
from simulator.sim_line import SimLine
from simulator.speech import say

CALLER = "02155507301"
_CALLER_ID_AFTER_S = 0.6
_FAR, _NEAR = "r01", "l01"


class ActError(OffhookError):
    """The street cannot do this on this line."""


class Actor(Protocol):
    """Who acts at both ends of one line."""

    def act(self, name: str, seconds: float) -> dict[str, str]: ...


class AnalogActor:
    """The exchange, the caller, and the person at the telephone on the wall."""

    def __init__(self, line: AnalogLine) -> None:
        self._line = line
        self._ringing: Worker | None = None

    def act(self, name: str, seconds: float) -> dict[str, str]:
        """Returns when it is done; what lasts goes on by itself. Raises `ActError`."""
        acts: dict[str, Callable[[], object]] = {
            "call": self._call,
            "lift": self._line.lift,
            "quiet": lambda: None,
            "far": lambda: speak(self._line.mixer, say(_FAR) * REMOTE_GAIN, seconds),
            "near": lambda: speak(self._line.mixer, say(_NEAR), seconds),
            "keys": lambda: Worker("street-keys", lambda _stop: self._line.press("1590#")).start(),
            "hang_up": self._end,
            "end": self._end,
        }
        if name not in acts:
            raise ActError(f"nobody can {name!r} on an analog line")
        acts[name]()
        return {"number": CALLER} if name == "call" else {}

    def _call(self) -> None:
        self._end()
        self._ringing = Worker(f"street-ring-{self._line.name}", self._ring)
        self._ringing.start()

    def _end(self) -> None:
        ringing, self._ringing = self._ringing, None
        if ringing is not None:
            ringing.request_stop()
        self._line.no_tone()
        self._line.put_back()
        if ringing is not None:
            ringing.join(10.0)

    def _ring(self, stop: threading.Event) -> None:
        cadence, first = self._line.country.ring_s, True
        while not stop.is_set():
            for n in range(0, len(cadence), 2):
                if stop.is_set() or not self._line.ring(cadence[n]):
                    return
                pause_s = cadence[n + 1]
                if first and n + 2 >= len(cadence):
                    first = False
                    if self._line.wait_for_loop(True, _CALLER_ID_AFTER_S):
                        return
                    self._line.send_caller_id(CALLER)
                    pause_s -= _CALLER_ID_AFTER_S
                if self._wait(pause_s, stop):
                    return

    def _wait(self, seconds: float, stop: threading.Event) -> bool:
        """True when somebody answered, or the caller gave up."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            if stop.is_set() or self._line.wait_for_loop(True, min(0.2, left_s)):
                return True
        return False


class SimActor:
    """The network, the caller, and whoever speaks into the line's microphone. ``crossed``: each into the other's."""

    def __init__(self, network: SimLine, microphone: Mixer) -> None:
        self._network = network
        self._microphone = microphone
        self.crossed = False

    def act(self, name: str, seconds: float) -> dict[str, str]:
        """As `AnalogActor.act`."""
        far, near = self._network.downlink, self._microphone
        if self.crossed:
            far, near = near, far
        acts: dict[str, Callable[[], object]] = {
            "call": lambda: self._network.calls(CALLER),
            "quiet": lambda: None,
            "far": lambda: speak(far, say(_FAR), seconds),
            "near": lambda: speak(near, say(_NEAR), seconds),
            "far_hangs_up": self._network.far_side_hangs_up,
            "end": self._end,
        }
        if name not in acts:
            raise ActError(f"nobody can {name!r} on a SIM line")
        acts[name]()
        return {"number": CALLER} if name == "call" else {}

    def _end(self) -> None:
        if self._network.call_is_up:
            self._network.far_side_hangs_up()
        else:
            self._network.caller_gives_up()


def speak(mixer: Mixer, sound: Sound, seconds: float) -> Playback:
    """Somebody says the same again and again for so long."""
    playback = mixer.play(sound, loop=True)
    timer = threading.Timer(seconds, playback.stop)
    timer.daemon = True
    timer.start()
    return playback
