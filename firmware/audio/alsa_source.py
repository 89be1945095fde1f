"""A line's sound from an ALSA capture device, checked for what it really delivers."""

from __future__ import annotations

import logging
import select
import time
from typing import Any

import alsaaudio
import numpy as np

from firmware.audio.stamping import RateGuard, Stamper
from firmware.clock import SystemClock
from firmware.errors import AudioDeviceError
from firmware.model import ChannelRole
from firmware.ports import Block, Clock

log = logging.getLogger("offhook.audio")

PERIOD_S = 0.25
"""One wake-up per period, and one update of the page's meters: wake-ups are most of what recording costs. A kill
costs at most two periods (see `line_sound`)."""
PERIODS = 4
FIRST_SOUND_S = 4.0
"""A device may take this long from its opening to its first sound (a sound server starts its stream only then)."""
DEAD_S = 1.8
"""A free-running device that delivers nothing for this long is gone, whatever its driver says."""
RATES_HZ = (8000, 12000, 16000, 24000, 48000)
"""Rates that the Opus copy can have as they are, so that nothing is ever resampled."""
_PROBE_S = 4.0


class AlsaSource:
    """Implements `AudioSource` for a capture device. One thread opens, reads and closes it."""

    def __init__(
        self,
        device: str,
        *,
        rate_hz: int = 8000,
        roles: tuple[ChannelRole, ...] = (ChannelRole.MIXED,),
        device_channels: int | None = None,
        take: tuple[int, ...] | None = None,
        clock: Clock | None = None,
        period_s: float = PERIOD_S,
        periods: int = PERIODS,
    ) -> None:
        """``device``: ALSA name (``plughw:1``). ``device_channels``: channels it is opened with, when these are more
        than the line's; ``take``: which of them (from 0) are the line's, one per role. ``period_s``: how much sound one
        read gives, shorter where somebody waits for it; ``periods``: how many of them the device keeps.

        Raises `ValueError` when roles, channels and rate do not fit together.
        """
        channels = device_channels if device_channels is not None else len(roles)
        columns = take if take is not None else tuple(range(len(roles)))
        if len(columns) != len(roles) or not all(0 <= column < channels for column in columns):
            raise ValueError(f"{device}: channels {columns} of {channels} do not give one channel for each of {roles}")
        if rate_hz not in RATES_HZ:
            raise ValueError(f"{device}: rate {rate_hz} Hz is not one of {RATES_HZ}")
        self.rate_hz = rate_hz
        self.roles = roles
        self._device = device
        self._channels = channels
        self._take = None if columns == tuple(range(channels)) else list(columns)
        self._period_frames = round(period_s * rate_hz)
        self._periods = periods
        self._clock = clock if clock is not None else SystemClock()
        self._pcm: Any = None
        self._poll = select.poll()
        self._stamper = Stamper(rate_hz)
        self._guard = RateGuard(rate_hz)
        self._ahead: list[Block] = []
        self._last_frames_s = 0.0
        self._expected_ns: int | None = None
        self._distrusted = False

    def open(self) -> None:
        """Returns when the device has delivered its first sound. Raises `AudioDeviceError`; see `AudioSource`."""
        try:
            self._pcm = alsaaudio.PCM(
                alsaaudio.PCM_CAPTURE,
                alsaaudio.PCM_NONBLOCK,
                device=self._device,
                rate=self.rate_hz,
                channels=self._channels,
                format=alsaaudio.PCM_FORMAT_S16_LE,
                periodsize=self._period_frames,
                periods=self._periods,
            )
        except alsaaudio.ALSAAudioError as error:
            raise AudioDeviceError(
                f"sound device {self._device} cannot be opened for recording: {error}; is it plugged in, and used by "
                "no other program? `arecord -L` lists what there is"
            ) from error
        self._check_format(self._pcm.info())
        self._poll = select.poll()
        for fd, mask in self._pcm.polldescriptors():
            self._poll.register(fd, mask)
        self._stamper = Stamper(self.rate_hz)
        self._guard.restart()
        self._expected_ns = None
        self._ahead.clear()
        self._wait_for_first_sound()

    def read(self) -> Block | None:
        """The next block. Raises `AudioDeviceError` when the device is gone, dead, or runs at another rate."""
        if self._ahead:
            return self._ahead.pop(0)
        if self._pcm is None:
            raise AudioDeviceError(f"sound device {self._device} is not open")
        return self._read_within(1.0)

    def close(self) -> None:
        pcm, self._pcm = self._pcm, None
        if pcm is not None:
            try:
                pcm.close()
            except alsaaudio.ALSAAudioError as error:
                log.debug("closing %s: %s", self._device, error)

    def _check_format(self, info: dict[str, Any]) -> None:
        """pyalsaaudio asks for the nearest format there is and does not say when it got another."""
        faults = []
        if info["rate"] != self.rate_hz:
            faults.append(f"rate {info['rate']} Hz instead of {self.rate_hz} Hz")
        if info["channels"] != self._channels:
            faults.append(f"{info['channels']} channels instead of {self._channels}")
        if info["format_name"] != "S16_LE":
            faults.append(f"format {info['format_name']} instead of S16_LE")
        if faults:
            raise AudioDeviceError(
                f"sound device {self._device} gives {', '.join(faults)}; name it as plughw:... to have it converted, "
                "or set the line's rate and channels to what it has"
            )

    def _wait_for_first_sound(self) -> None:
        began_s = time.monotonic()
        self._last_frames_s = began_s
        try:
            self._pcm.read()  # starts the stream: a capture device that was never read never becomes readable
        except alsaaudio.ALSAAudioError as error:
            raise self._gone(str(error)) from error
        while not self._ahead:
            block = self._read_within(0.5, dead_s=FIRST_SOUND_S)
            if block is not None:
                self._ahead.append(block)
        # A device that was caught lying about its rate is believed again only after it was measured.
        while self._distrusted and time.monotonic() - began_s < _PROBE_S:
            self._read_within(0.5)
        self._distrusted = False

    def _read_within(self, wait_s: float, *, dead_s: float = DEAD_S) -> Block | None:
        until_s = time.monotonic() + wait_s
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return None
            self._poll.poll(left_s * 1000)
            try:
                length, pcm = self._pcm.read()
            except alsaaudio.ALSAAudioError as error:
                raise self._gone(str(error)) from error
            if length > 0:
                return self._block(length, pcm)
            if length < 0:
                # An overrun: ALSA threw its buffer away and pyalsaaudio started the device again.
                log.warning("overrun of %s (%d)", self._device, length)
                self._expected_ns = self._stamper.restart()
                self._guard.restart()
                self._last_frames_s = time.monotonic()  # it is this reader that was kept from reading, not the device
                continue
            if time.monotonic() - self._last_frames_s > dead_s:
                raise self._gone(f"it delivered nothing for {dead_s:.1f} s")
            time.sleep(0.01)  # a plugin's descriptor can be readable without a period

    def _block(self, frames: int, pcm: bytes) -> Block:
        arrived = self._clock.now()
        self._last_frames_s = time.monotonic()
        wrong_hz = self._guard.wrong_rate_hz(frames, arrived)
        if wrong_hz is not None:
            self._distrusted = True
            raise AudioDeviceError(
                f"sound device {self._device} says {self.rate_hz} Hz but delivers {wrong_hz} frames a second; set the "
                "line's rate to what it has, or replace it"
            )
        at, lost = self._stamper.stamp(frames, arrived)
        if self._expected_ns is not None:
            lost = max(0, round((at.boot_ns - self._expected_ns) * self.rate_hz / 1e9)) or -1
            self._expected_ns = None
        if self._take is not None:
            pcm = np.frombuffer(pcm, dtype="<i2").reshape(-1, self._channels)[:, self._take].tobytes()
        return Block(pcm=pcm, frames=frames, at=at, lost_frames=lost)

    def _gone(self, what: str) -> AudioDeviceError:
        return AudioDeviceError(f"sound device {self._device} is gone: {what}; plug it in again or check its cable")
