"""The thread that does nothing but read a line's source, and open it again whenever it went."""

from __future__ import annotations

import logging
import threading
import time

from firmware.audio.inbox import LineInbox, Quiet, SourceDown, SourceUp
from firmware.audio.live_levels import LiveLevels
from firmware.errors import AudioDeviceError
from firmware.model import LineId
from firmware.ports import AudioSource, Block, Clock, EventSink, SoundBack, SoundLost
from firmware.worker import Worker

log = logging.getLogger("offhook.audio")

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
STUCK_S = 2.0
"""A read may block for 1 s; one that takes longer than this hangs in the driver."""
OPEN_STUCK_S = 10.0


class Capture:
    """Feeds one line's inbox. Sound that stays away is told once, and once more when it is back."""

    def __init__(self, *, line: LineId, source: AudioSource, inbox: LineInbox, sink: EventSink, clock: Clock) -> None:
        self.source = source
        self._line = line
        self._inbox = inbox
        self._sink = sink
        self._clock = clock
        self._levels = LiveLevels(line)
        self._sounding: bool | None = None
        self._state_lock = threading.Lock()
        self._open_began_s = 0.0
        self._read_began_s = 0.0
        self._worker = Worker(f"capture {line}", self._run)

    def start(self) -> None:
        self._worker.start()

    def request_stop(self) -> None:
        self._worker.request_stop()

    def join(self, deadline_s: float) -> None:
        self._worker.join(deadline_s)

    def check_stuck(self) -> None:
        """Called by the file thread, because a thread that hangs in a driver cannot tell it."""
        limit_s, began_s = (STUCK_S, self._read_began_s) if self._read_began_s else (OPEN_STUCK_S, self._open_began_s)
        if began_s and time.monotonic() - began_s > limit_s:
            self._lost(f"the sound device has not answered for {limit_s:.0f} s; unplug it and plug it in again")

    def _run(self, stop: threading.Event) -> None:
        retry_s = FIRST_RETRY_S
        while not stop.is_set():
            opened_s = time.monotonic()
            try:
                self._read_until_gone(stop)
            except AudioDeviceError as error:
                self._lost(str(error))
            # A device that dies soon after each opening is not hammered; one that worked for long gets a quick try.
            retry_s = FIRST_RETRY_S if time.monotonic() - opened_s > 10 else min(LAST_RETRY_S, retry_s * 2)
            stop.wait(retry_s)

    def _read_until_gone(self, stop: threading.Event) -> None:
        source = self.source
        try:
            self._open_began_s = time.monotonic()
            source.open()
            self._levels.restart()
            while not stop.is_set():
                self._read_began_s = time.monotonic()
                block = source.read()
                if not self._sounding:
                    self._back()
                if block is not None:
                    self._inbox.put_block(block)
                    self._measure(block)
        finally:
            self._open_began_s = self._read_began_s = 0.0
            source.close()

    def _measure(self, block: Block) -> None:
        quiet_since_ns = self._levels.quiet_since_ns
        reading = self._levels.feed(block, rate_hz=self.source.rate_hz, channels=len(self.source.roles))
        if reading is None:
            return
        self._sink(reading)
        if self._levels.quiet_since_ns != quiet_since_ns:
            self._inbox.put(Quiet(self._levels.quiet_since_ns))

    def _back(self) -> None:
        now = self._clock.now()
        with self._state_lock:
            if self._sounding:
                return
            self._sounding = True
        log.info("sound of %s is there", self._line)
        self._inbox.put(SourceUp(now, self.source.rate_hz, self.source.roles))
        self._sink(SoundBack(line=self._line, at=now))

    def _lost(self, reason: str) -> None:
        now = self._clock.now()
        with self._state_lock:
            if self._sounding is False:
                return
            self._sounding = False
        log.warning("sound of %s is lost: %s", self._line, reason)
        self._inbox.put(SourceDown(now, reason))
        self._sink(SoundLost(line=self._line, at=now, reason=reason))
