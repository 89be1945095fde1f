"""Joins a SIM module's sound with a local handset, both ways: ALSA on its own threads, a jitter buffer in each way."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import alsaaudio
import numpy as np

from firmware.audio.jitter import JitterBuffer
from firmware.worker import Worker

log = logging.getLogger("offhook.bridge")

RATE_HZ: Final = 8000
PERIOD_FRAMES: Final = 80
"""10 ms: a frame of the module waits for half of its own length at most."""
PERIODS: Final = 4
RETRY_S: Final = 2.0
_SILENCE: Final = bytes(2 * PERIOD_FRAMES)


@dataclass(frozen=True, slots=True)
class BridgeHealth:
    """One way through the bridge since the call began."""

    length_ms: float
    """How long sound waits between the two devices, their own buffers not counted."""
    underruns: int
    dropped_frames: int
    device_glitches: int
    """Over-runs and under-runs of the sound device itself."""
    correction_ppm: float


class _Way:
    """A jitter buffer between two threads, with the clock read in one place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buffer = JitterBuffer(rate_hz=RATE_HZ)
        self.device_glitches = 0

    def put(self, pcm: bytes) -> None:
        with self._lock:
            self._buffer.put(np.frombuffer(pcm, dtype="<i2"), time.monotonic())

    def take(self, frames: int) -> bytes:
        with self._lock:
            return self._buffer.take(frames, time.monotonic()).astype("<i2").tobytes()

    def restart(self) -> None:
        with self._lock:
            self._buffer = JitterBuffer(rate_hz=RATE_HZ)
            self.device_glitches = 0

    @property
    def health(self) -> BridgeHealth:
        with self._lock:
            buffer = self._buffer
            return BridgeHealth(
                length_ms=round(buffer.length_s(time.monotonic()) * 1000, 1),
                underruns=buffer.underruns,
                dropped_frames=buffer.dropped_frames,
                device_glitches=self.device_glitches,
                correction_ppm=round(buffer.correction_ppm, 1),
            )


class Bridge:
    """Opens its devices while a call has sound, closes them between calls, and never holds up the caller's thread.

    Either side may run on any clock: two crystals 200 ppm apart are brought together by resampling, see `JitterBuffer`.
    """

    def __init__(self, name: str, *, capture: str | None, playback: str | None) -> None:
        """``capture`` and ``playback``: ALSA names (``plughw:1``) of the microphone and the earpiece."""
        self._name = name
        self._capture = capture
        self._playback = playback
        self._microphone = _Way()
        self._earpiece = _Way()
        self._workers: list[Worker] = []

    def wake(self) -> None:
        """Sound flows now. Cheap when it is awake already."""
        if self._workers:
            return
        self._microphone.restart()
        self._earpiece.restart()
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
        if self._workers:
            log.info("the bridge of %s rests", self._name, extra={"offhook": {"line": self._name} | self._figures()})
        self._workers = []

    def close(self, deadline_s: float = 2.0) -> None:
        """`rest`, and wait until the devices are closed. Raises `WorkerStuckError` when one hangs."""
        workers = self._workers
        self.rest()
        for worker in workers:
            worker.join(deadline_s)

    def take(self, size: int) -> bytes:
        """``size`` bytes of what the local side says, silence where nothing is there."""
        return self._microphone.take(size // 2) if self._capture is not None else bytes(size)

    def hear(self, pcm: bytes) -> None:
        """What the far side says."""
        if self._playback is not None and len(pcm) >= 2:
            self._earpiece.put(pcm)

    @property
    def health(self) -> tuple[BridgeHealth, BridgeHealth]:
        """The way to the earpiece, and the way from the microphone."""
        return self._earpiece.health, self._microphone.health

    def _figures(self) -> dict[str, object]:
        ways = zip(("ear", "mic"), self.health, strict=True)
        return {
            f"{way}_{what}": getattr(health, what)
            for way, health in ways
            for what in ("underruns", "dropped_frames", "device_glitches")
        }

    def _listen(self, stop: threading.Event) -> None:
        def copy(pcm: Any) -> None:
            length, data = pcm.read()
            if length > 0:
                self._microphone.put(data)
            elif length < 0:
                self._microphone.device_glitches += 1
            else:
                _wait(pcm)

        self._use(stop, alsaaudio.PCM_CAPTURE, self._capture, begin=lambda pcm: pcm.read(), copy=copy)

    def _speak(self, stop: threading.Event) -> None:
        def begin(pcm: Any) -> None:
            for _ in range(PERIODS - 1):  # less would run dry before the first sound comes
                pcm.write(_SILENCE)

        def copy(pcm: Any) -> None:
            room = pcm.avail()
            if room < 0:
                self._earpiece.device_glitches += 1
                begin(pcm)
            elif room < PERIOD_FRAMES:
                _wait(pcm)
            elif pcm.write(self._earpiece.take(PERIOD_FRAMES)) < 0:
                self._earpiece.device_glitches += 1
                begin(pcm)

        self._use(stop, alsaaudio.PCM_PLAYBACK, self._playback, begin=begin, copy=copy)

    def _use(
        self,
        stop: threading.Event,
        way: int,
        device: str | None,
        *,
        begin: Callable[[Any], object],
        copy: Callable[[Any], None],
    ) -> None:
        """Runs the device until ``stop``, and opens it again when it fails: a handset may be plugged in in a call."""
        complained = ""
        while not stop.is_set():
            pcm: Any = None
            try:
                pcm = _open(way, device)
                begin(pcm)
                while not stop.is_set():
                    copy(pcm)
            except alsaaudio.ALSAAudioError as error:
                if str(error) != complained:
                    complained = str(error)
                    log.warning(
                        "handset device %s of %s cannot be used (%s): is it plugged in, and used by no other program? "
                        "plughw:... converts what it cannot do itself; tried again every %.0f s",
                        device, self._name, error, RETRY_S, extra={"offhook": {"line": self._name}},
                    )  # fmt: skip
                stop.wait(RETRY_S)
            finally:
                if pcm is not None:
                    with suppress(alsaaudio.ALSAAudioError):
                        pcm.close()


def _open(way: int, device: str | None) -> Any:
    """The device, at the bridge's own format. Raises `alsaaudio.ALSAAudioError`, also when it gives another rate."""
    pcm = alsaaudio.PCM(
        way, alsaaudio.PCM_NONBLOCK, device=device, rate=RATE_HZ, channels=1, format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=PERIOD_FRAMES, periods=PERIODS,
    )  # fmt: skip
    rate_hz = pcm.info()["rate"]
    if rate_hz != RATE_HZ:
        pcm.close()
        raise alsaaudio.ALSAAudioError(f"it runs at {rate_hz} Hz instead of {RATE_HZ} Hz")
    return pcm


def _wait(pcm: Any) -> None:
    """Until the device can go on, 50 ms at most: a plugin's descriptor may be ready without a whole period."""
    poll = select.poll()
    for fd, mask in pcm.polldescriptors():
        poll.register(fd, mask)
    began_s = time.monotonic()
    poll.poll(50)
    if time.monotonic() - began_s < 0.001:
        time.sleep(0.002)
