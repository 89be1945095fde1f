"""The sound of a SIM module through a sound card: its own (USB audio class), or a codec on its analog pins."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any, Final

import alsaaudio
import numpy as np

from firmware.audio.alsa_source import AlsaSource
from firmware.audio.bridge import Bridge
from firmware.model import ChannelRole
from firmware.ports import Block, Clock

log = logging.getLogger("offhook.modem")

RATE_HZ: Final = 8000
PERIOD_S: Final = 0.02
PERIODS: Final = 16
"""320 ms: a busy box must not lose sound; what a read finds is passed on at once, so it costs no delay."""
BLOCK_FRAMES: Final = 800
"""100 ms: ten blocks a second keep the recorder's thread asleep most of the time."""
PLAY_PERIODS: Final = 4
AHEAD_PERIODS: Final = 3
"""So much silence goes first: less would run dry before the first sound comes."""
WATCHED_PLAYS: Final = 25
"""Half a second, and then it is clear whether the output holds more than it ever needs."""
RETRY_S: Final = 2.0


class CardVoice:
    """`AudioSource`: channel 0 what the far side says, channel 1 what is played to it.

    For each frame that the card gives in a call, one is played into it: the handset's microphone, or silence. Both
    directions of one card run on one clock, so nothing needs to be corrected between them.
    """

    def __init__(
        self, name: str, *, capture: str, playback: str | None, clock: Clock, handset: Bridge | None = None
    ) -> None:
        """``capture`` and ``playback``: ALSA names of the module's card."""
        self.rate_hz: int = RATE_HZ
        self.roles: tuple[ChannelRole, ...] = (ChannelRole.REMOTE, ChannelRole.LOCAL)
        self._name = name
        self._source = AlsaSource(capture, rate_hz=RATE_HZ, clock=clock, period_s=PERIOD_S, periods=PERIODS)
        self._way_out = _WayOut(name, playback) if playback is not None else None
        self._handset = handset
        self._in_call = False
        self._is_open = False
        self._heard: list[Block] = []
        self._said = bytearray()
        self._last_bytes_s = 0.0
        self._last_sound_s = 0.0

    @property
    def handset(self) -> Bridge | None:
        """The way to and from the local handset, where there is one."""
        return self._handset

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def last_bytes_s(self) -> float:
        """When sound came last, in seconds of time.monotonic(); 0 when it never did."""
        return self._last_bytes_s

    @property
    def last_sound_s(self) -> float:
        """When sound other than digital silence came last, in seconds of time.monotonic(); 0 when it never did."""
        return self._last_sound_s

    def call_is_up(self, up: bool) -> None:
        """Somebody talks now, or no longer. For any thread."""
        self._in_call = up

    def open(self) -> None:
        """Raises `AudioDeviceError` when the card cannot be captured from."""
        self._heard, self._said = [], bytearray()
        self._source.open()
        self._is_open = True

    def close(self) -> None:
        self._is_open = False
        if self._handset is not None:
            self._handset.rest()
        if self._way_out is not None:
            self._way_out.rest()
        self._source.close()

    def read(self) -> Block | None:
        """About 100 ms of sound. Raises `AudioDeviceError` when the card is gone."""
        while True:
            block = self._source.read()
            if block is None or (block.lost_frames and self._heard):
                return self._both(then=block)
            self._take(block)
            if sum(heard.frames for heard in self._heard) >= BLOCK_FRAMES:
                return self._both()

    def _take(self, block: Block) -> None:
        self._last_bytes_s = time.monotonic()
        if block.pcm.count(0) < len(block.pcm):
            self._last_sound_s = self._last_bytes_s
        self._heard.append(block)
        self._said += self._answer(block.pcm)

    def _answer(self, heard: bytes) -> bytes:
        """Plays as much as came. Returns what the far side gets to hear of it."""
        if not self._in_call:
            if self._handset is not None:
                self._handset.rest()
            if self._way_out is not None:
                self._way_out.rest()
            return bytes(len(heard))
        said = bytes(len(heard))
        if self._handset is not None:
            self._handset.wake()
            said = self._handset.take(len(heard))
            self._handset.hear(heard)
        if self._way_out is None:
            return bytes(len(heard))
        return said if self._way_out.play(said) else bytes(len(heard))

    def _both(self, then: Block | None = None) -> Block | None:
        """What has come so far as one block; ``then`` begins the next one."""
        heard, said = self._heard, bytes(self._said)
        self._heard, self._said = [], bytearray()
        if then is not None:
            self._take(then)
        if not heard:
            return None
        far = np.frombuffer(b"".join(block.pcm for block in heard), dtype="<i2")
        pcm = np.column_stack((far, np.frombuffer(said, dtype="<i2"))).astype("<i2").tobytes()
        return Block(pcm=pcm, frames=len(far), at=heard[0].at, lost_frames=heard[0].lost_frames)


class _WayOut:
    """The card's output: open in calls only, and opened again when it fails."""

    def __init__(self, name: str, device: str) -> None:
        self._name = name
        self._device = device
        self._pcm: Any = None
        self._again_s = 0.0
        self._complained = ""
        self._room = 0
        self._least = 0
        self._plays = 0
        self.glitches = 0
        """Times that the device ran dry."""
        self.dropped_frames = 0
        """Left out to shorten a delay that a hold-up of the box had left behind."""

    def play(self, pcm: bytes) -> bool:
        """False when it cannot be played. Never blocks: what finds no room is dropped, the device's clock leads."""
        if self._pcm is None and not self._open():
            return False
        try:
            if self._holds_too_much():
                self.dropped_frames += len(pcm) // 2
            elif self._pcm.write(pcm) < 0:
                self.glitches += 1
                self._go_ahead()
        except alsaaudio.ALSAAudioError as error:
            self._complain(error)
            self.rest()
            return False
        return True

    def _holds_too_much(self) -> bool:
        """Sound that came late in one burst waits behind itself for the rest of the call, unless some is left out."""
        room = self._pcm.avail()
        waiting = self._room - room if room >= 0 else 0
        self._least = min(self._least, waiting) if self._plays else waiting
        self._plays = (self._plays + 1) % WATCHED_PLAYS
        return self._plays == 0 and self._least > AHEAD_PERIODS * round(PERIOD_S * RATE_HZ)

    def rest(self) -> None:
        pcm, self._pcm = self._pcm, None
        if pcm is not None:
            with suppress(alsaaudio.ALSAAudioError):
                pcm.close()

    def _open(self) -> bool:
        if time.monotonic() < self._again_s:
            return False
        try:
            self._pcm = alsaaudio.PCM(
                alsaaudio.PCM_PLAYBACK, alsaaudio.PCM_NONBLOCK, device=self._device, rate=RATE_HZ, channels=1,
                format=alsaaudio.PCM_FORMAT_S16_LE, periodsize=round(PERIOD_S * RATE_HZ), periods=PLAY_PERIODS * 2,
            )  # fmt: skip
            rate_hz = self._pcm.info()["rate"]
            if rate_hz != RATE_HZ:
                raise alsaaudio.ALSAAudioError(f"it runs at {rate_hz} Hz instead of {RATE_HZ} Hz")
            self._room = self._pcm.info()["buffer_size"]
            self._plays = 0
            self._go_ahead()
        except alsaaudio.ALSAAudioError as error:
            self._complain(error)
            self.rest()
            return False
        self._complained = ""
        return True

    def _go_ahead(self) -> None:
        for _ in range(AHEAD_PERIODS):
            self._pcm.write(bytes(2 * round(PERIOD_S * RATE_HZ)))

    def _complain(self, error: Exception) -> None:
        self._again_s = time.monotonic() + RETRY_S
        if str(error) != self._complained:
            self._complained = str(error)
            log.warning(
                "nothing can be played into the module of %s (%s: %s): is the card plugged in, and used by no other "
                "program? plughw:... converts what it cannot do itself",
                self._name, self._device, error, extra={"offhook": {"line": self._name}},
            )  # fmt: skip
