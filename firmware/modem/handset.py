"""A local microphone and earpiece for a SIM module: ALSA on its own threads, short queues, late sound thrown away."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import alsaaudio

from firmware.worker import Worker

log = logging.getLogger("offhook.modem")

RATE_HZ: Final = 8000
PERIOD_FRAMES: Final = 160
FRAME_BYTES: Final = PERIOD_FRAMES * 2
LONGEST_QUEUE_MS: Final = 200
_LONGEST_FRAMES: Final = LONGEST_QUEUE_MS // 20
RETRY_S: Final = 2.0


class Fifo:
    """Sound between two threads that run on two clocks: holds at most 200 ms, and drops the oldest beyond that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = bytearray()

    def put(self, pcm: bytes) -> None:
        with self._lock:
            self._bytes += pcm
            del self._bytes[: max(0, len(self._bytes) - _LONGEST_FRAMES * FRAME_BYTES)]

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes; what is missing is silence."""
        with self._lock:
            pcm = bytes(self._bytes[:size])
            del self._bytes[:size]
        return pcm.ljust(size, b"\0")

    def clear(self) -> None:
        with self._lock:
            self._bytes.clear()


class Handset:
    """Opens its devices while a call has sound, closes them between calls, and never holds up the caller's thread."""

    def __init__(self, name: str, *, capture: str | None, playback: str | None) -> None:
        self._name = name
        self._capture = capture
        self._playback = playback
        self._microphone = Fifo()
        self._earpiece: queue.Queue[bytes] = queue.Queue(_LONGEST_FRAMES)
        self._workers: list[Worker] = []

    def wake(self) -> None:
        """Sound flows now. Cheap when it is awake already."""
        if self._workers:
            return
        self._microphone.clear()
        if self._capture is not None:
            self._workers.append(Worker(f"mic-{self._name}", self._listen))
        if self._playback is not None:
            self._workers.append(Worker(f"ear-{self._name}", self._speak))
        for worker in self._workers:
            worker.start()

    def rest(self) -> None:
        """The call is over. The devices are closed soon."""
        for worker in self._workers:
            worker.request_stop()
        self._workers = []

    def take(self, size: int) -> bytes:
        """``size`` bytes of what the local side says, silence where nothing is there."""
        return self._microphone.take(size)

    def hear(self, pcm: bytes) -> None:
        """What the far side says."""
        if self._playback is not None:
            with suppress(queue.Full):  # the earpiece is slower than the module: what is late is lost
                self._earpiece.put_nowait(pcm)

    def _listen(self, stop: threading.Event) -> None:
        def copy(pcm: alsaaudio.PCM) -> None:
            length, data = pcm.read()
            if length > 0:
                self._microphone.put(data)

        self._use(stop, alsaaudio.PCM_CAPTURE, self._capture, copy)

    def _speak(self, stop: threading.Event) -> None:
        def copy(pcm: alsaaudio.PCM) -> None:
            try:
                data = self._earpiece.get(timeout=0.2)
            except queue.Empty:
                return
            pcm.write(data)

        self._use(stop, alsaaudio.PCM_PLAYBACK, self._playback, copy)

    def _use(self, stop: threading.Event, way: int, device: str | None, copy: Callable[[alsaaudio.PCM], None]) -> None:
        complained = False
        while not stop.is_set():
            try:
                pcm = alsaaudio.PCM(
                    way, device=device, rate=RATE_HZ, channels=1, format=alsaaudio.PCM_FORMAT_S16_LE,
                    periodsize=PERIOD_FRAMES, periods=8,
                )  # fmt: skip
            except alsaaudio.ALSAAudioError as error:
                if not complained:
                    log.warning("handset device %s of %s cannot be opened: %s", device, self._name, error)
                    complained = True
                stop.wait(RETRY_S)
                continue
            try:
                while not stop.is_set():
                    copy(pcm)
            except alsaaudio.ALSAAudioError as error:
                log.warning("handset device %s of %s: %s", device, self._name, error)
                stop.wait(RETRY_S)
            finally:
                pcm.close()
