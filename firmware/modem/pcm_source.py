"""The sound of a SIM module: the PCM tty read at the module's pace, and answered at the same pace."""

from __future__ import annotations

import logging
import select
import termios
import time
from typing import Final

import numpy as np
import serial

from firmware.audio.bridge import Bridge
from firmware.errors import AudioDeviceError
from firmware.model import ChannelRole, Instant
from firmware.modem.byte_rate import READ_BYTES, ByteRate
from firmware.modem.half_band import Doubler, Halver
from firmware.modem.uplink import Uplink
from firmware.ports import Block, Clock

log = logging.getLogger("offhook.modem")

RATE_HZ: Final = 8000
BAUD: Final = 115200
"""USB modules ignore it; 921600 lost sound on one (callpilot issue 119)."""
BLOCK_BYTES: Final = 1600
"""100 ms: ten blocks a second keep the recorder's thread asleep most of the time."""
QUIET_S: Final = 1.0
GAP_S: Final = 0.25
"""Sound that stops for this long is handed up as it is."""


class PcmSource:
    """`AudioSource` over a module's PCM tty: channel 0 what the far side says, channel 1 what is sent to it.

    For each byte the module sends, one goes back at once: the handset's microphone, or silence. So the uplink runs on
    the module's clock. The sound above is always 8 kHz: a module that was left at 16 kHz (AT+CPCMFRM=1) is noticed by
    its bytes per second in the first half second of its first call, which is held back until then, and converted.
    """

    def __init__(self, name: str, *, port: str, clock: Clock, handset: Bridge | None = None) -> None:
        self.rate_hz: int = RATE_HZ
        self.roles: tuple[ChannelRole, ...] = (ChannelRole.REMOTE, ChannelRole.LOCAL)
        self._name = name
        self._path = port
        self._clock = clock
        self._handset = handset
        self._port: serial.Serial | None = None
        self._uplink = Uplink()
        self._rate = ByteRate()
        self._halver = Halver()
        self._doubler = Doubler()
        self._ear_halver = Halver()
        self._odd = b""
        self._raw = bytearray()  # downlink at the module's rate
        self._up = bytearray()  # uplink at 8 kHz
        self._first_at: Instant | None = None

        self._last_bytes_s = 0.0
        self._last_sound_s = 0.0

    @property
    def last_bytes_s(self) -> float:
        """When sound came last, in seconds of time.monotonic(); 0 when it never did."""
        return self._last_bytes_s

    @property
    def handset(self) -> Bridge | None:
        """The way to and from the local handset, where there is one."""
        return self._handset

    @property
    def last_sound_s(self) -> float:
        """When sound other than digital silence came last, in seconds of time.monotonic(); 0 when it never did."""
        return self._last_sound_s

    @property
    def is_open(self) -> bool:
        return self._port is not None

    def open(self) -> None:
        """Opens the tty and forgets what it held. Raises `AudioDeviceError` when it is missing or busy."""
        try:
            port = serial.Serial(self._path, BAUD, timeout=0, write_timeout=0, exclusive=True)
        except (OSError, termios.error) as error:
            raise AudioDeviceError(
                f"audio port {self._path} of {self._name} cannot be opened ({error}): plug the module in, "
                "or stop the program that uses it"
            ) from error
        self._forget()
        self._rate = ByteRate()
        self._port = port

    def close(self) -> None:
        port, self._port = self._port, None
        if self._handset is not None:
            self._handset.rest()
        if port is not None:
            port.close()

    def read(self) -> Block | None:
        """About 100 ms of sound, None after a quiet second. Raises `AudioDeviceError` when the port is gone."""
        until_s = time.monotonic() + QUIET_S
        while (left_s := until_s - time.monotonic()) > 0:
            data = self._wait_for_bytes(min(left_s, GAP_S) if self._raw else left_s)
            if data is None:
                continue
            if data:
                self._take(data)
                if self._rate.known and len(self._raw) >= BLOCK_BYTES * (2 if self._rate.wide else 1):
                    return self._block()
            elif self._raw:
                return self._block()
        if not self._raw:  # else sound has just begun
            self._quiet()
        return None

    def _wait_for_bytes(self, wait_s: float) -> bytes | None:
        """What came; empty when nothing came in time, None when the port only took uplink."""
        port = self._port
        if port is None:
            raise AudioDeviceError(f"audio port {self._path} of {self._name} is not open")
        try:
            writers = [port.fileno()] if self._uplink else []
            readable, writable, _ = select.select([port.fileno()], writers, [], wait_s)
            if writable:
                self._uplink.write_to(port.fileno())
            if readable:
                data: bytes = port.read(READ_BYTES)
                return data
        except OSError as error:  # pyserial's SerialException is one
            raise AudioDeviceError(f"audio port {self._path} of {self._name} is gone: {error}") from error
        return None if writable else b""

    def _take(self, data: bytes) -> None:
        """Appends the downlink, and answers it with as much uplink."""
        if self._first_at is None:
            self._first_at = self._clock.now().plus_s(-len(data) / 2 / RATE_HZ)
        self._measure(len(data))
        if data.count(0) < len(data):
            self._last_sound_s = self._last_bytes_s
        data = self._odd + data
        step = 4 if self._rate.wide else 2
        whole = len(data) - len(data) % step
        data, self._odd = data[:whole], data[whole:]
        self._raw += data
        size = len(data) // (2 if self._rate.wide else 1)
        up = bytes(size)
        if self._handset is not None:
            self._handset.wake()
            up = self._handset.take(size)
            self._handset.hear(self._ear_halver.feed(data) if self._rate.wide else data)
        self._up += up
        self._uplink.put(self._doubler.feed(up) if self._rate.wide else up)

    def _measure(self, size: int) -> None:
        was_wide = self._rate.wide
        self._last_bytes_s = time.monotonic()
        self._rate.count(size, self._last_bytes_s)
        if self._rate.wide != was_wide:
            log.warning(
                "%s sends %d kHz sound; recorded at 8 kHz. AT+CPCMFRM=0 and a restart of the module bring 8 kHz back",
                self._name,
                16 if self._rate.wide else 8,
            )

    def _block(self) -> Block | None:
        raw, up, at = bytes(self._raw), bytes(self._up), self._first_at or self._clock.now()
        self._raw, self._up, self._first_at = bytearray(), bytearray(), None
        if self._rate.wide:
            raw = self._halver.feed(raw[: len(raw) & ~3])
            up = up[: len(raw)]  # longer only where the rate was found out after the bytes were answered
        both = np.zeros((len(raw) // 2, 2), dtype="<i2")
        both[:, 0] = np.frombuffer(raw, dtype="<i2")
        sent = np.frombuffer(up, dtype="<i2")
        both[: len(sent), 1] = sent
        return Block(pcm=both.tobytes(), frames=len(both), at=at)

    def _quiet(self) -> None:
        """No sound for a second: the call is over."""
        if self._handset is not None:
            self._handset.rest()
        self._forget()
        self._rate.pause()

    def _forget(self) -> None:
        self._uplink.clear()
        self._odd = b""
        self._raw, self._up, self._first_at = bytearray(), bytearray(), None
