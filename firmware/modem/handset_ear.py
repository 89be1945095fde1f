"""Hears the keys of a telephone whose digits are tones (one behind an FXS adapter) while no call is up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import alsaaudio
import numpy as np

from firmware.signals.dtmf import DtmfDetector
from firmware.worker import Worker

log = logging.getLogger("offhook.modem")

RATE_HZ: Final = 8000
PERIOD_FRAMES: Final = 160
PERIODS: Final = 16
IDLE_S: Final = 0.1
"""How late it notices that it shall listen, or that it shall leave the microphone to the call."""
RETRY_S: Final = 2.0


class HandsetEar:
    """Tells each digit on its own thread; the microphone is open only while ``listening`` says so."""

    def __init__(
        self,
        name: str,
        *,
        capture: str,
        listening: Callable[[], bool],
        digit: Callable[[str], None],
        on_time: Callable[[], None],
    ) -> None:
        """``on_time`` is called several times a second: a number is complete when no digit follows."""
        self._name = name
        self._capture = capture
        self._listening = listening
        self._digit = digit
        self._on_time = on_time
        self._worker = Worker(f"keytones-{name}", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop()

    def _run(self, stop: threading.Event) -> None:
        complained = ""
        while not stop.wait(IDLE_S):
            self._on_time()
            if not self._listening():
                continue
            try:
                self._listen(stop)
                complained = ""
            except alsaaudio.ALSAAudioError as error:
                if str(error) != complained:
                    complained = str(error)
                    log.warning(
                        "the keys of the handset of %s cannot be heard (%s: %s)", self._name, self._capture, error,
                        extra={"offhook": {"line": self._name}},
                    )  # fmt: skip
                stop.wait(RETRY_S)

    def _listen(self, stop: threading.Event) -> None:
        detector = DtmfDetector(RATE_HZ)
        pcm: Any = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE, alsaaudio.PCM_NONBLOCK, device=self._capture, rate=RATE_HZ, channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE, periodsize=PERIOD_FRAMES, periods=PERIODS,
        )  # fmt: skip
        try:
            next_look_s = 0.0
            while not stop.is_set():
                length, data = pcm.read()
                if length > 0:
                    for found in detector.feed(np.frombuffer(data, dtype="<i2")):
                        self._digit(found.digit)
                else:
                    time.sleep(PERIOD_FRAMES / RATE_HZ)
                if (now_s := time.monotonic()) >= next_look_s:
                    next_look_s = now_s + IDLE_S
                    self._on_time()
                    if not self._listening():
                        return
        finally:
            with suppress(alsaaudio.ALSAAudioError):
                pcm.close()
