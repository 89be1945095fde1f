"""The sound card of a simulated module: a codec on its analog pins, or the card that it is itself, as ALSA devices."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import alsaaudio

from firmware.worker import Worker
from simulator.sim_module import Pty

RATE_HZ: Final = 8000
FRAMES: Final = 160
PERIODS: Final = 8
OPEN_WITHIN_S: Final = 15.0


class CodecPorts:
    """`Ports` of a module whose sound the box gets through ALSA; ``to_box`` and ``from_box`` name the far ends."""

    way = "2"

    def __init__(self, at_path: Path, *, to_box: str, from_box: str) -> None:
        """``to_box``: the device to play into what the far side says; ``from_box``: to capture what the box plays."""
        self._pty = Pty(at_path)
        self.at = self._pty.master
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)
        self.pcm = self._near.fileno()
        self._workers = [
            Worker(f"codec-down-{at_path.name}", lambda stop: self._down(stop, to_box)),
            Worker(f"codec-up-{at_path.name}", lambda stop: self._up(stop, from_box)),
        ]
        for worker in self._workers:
            worker.start()

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._pty.close()
        self._near.close()
        self._far.close()

    def _down(self, stop: threading.Event, device: str) -> None:
        """What the module says, at the card's pace; silence while it says nothing."""
        pcm = _open(stop, alsaaudio.PCM_PLAYBACK, device)
        waiting = b""
        while pcm is not None and not stop.is_set():
            with suppress(BlockingIOError):
                waiting += self._far.recv(65536)
            frame, waiting = waiting[: 2 * FRAMES], waiting[2 * FRAMES :]
            pcm.write(frame.ljust(2 * FRAMES, b"\0"))
        if pcm is not None:
            pcm.close()

    def _up(self, stop: threading.Event, device: str) -> None:
        pcm = _open(stop, alsaaudio.PCM_CAPTURE, device)
        while pcm is not None and not stop.is_set():
            length, data = pcm.read()
            if length > 0:
                with suppress(BlockingIOError):  # the module is busy: it loses what it does not take
                    self._far.send(data)
        if pcm is not None:
            pcm.close()


def _open(stop: threading.Event, way: int, device: str) -> Any:
    """A sound daemon that has just started may refuse for a moment. None when stopped meanwhile."""
    until_s = time.monotonic() + OPEN_WITHIN_S
    while not stop.is_set():
        try:
            return alsaaudio.PCM(
                way, device=device, rate=RATE_HZ, channels=1, format=alsaaudio.PCM_FORMAT_S16_LE,
                periodsize=FRAMES, periods=PERIODS,
            )  # fmt: skip
        except alsaaudio.ALSAAudioError:
            if time.monotonic() > until_s:
                raise
            stop.wait(0.1)
    return None
