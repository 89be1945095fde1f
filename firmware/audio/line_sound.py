"""One line's sound: its capture thread, its inbox, and the file thread that listens, keeps the preroll and records."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from firmware.audio.capture import Capture
from firmware.audio.flusher import Flusher
from firmware.audio.inbox import Dropped, Finish, Item, LineInbox, Quiet, SourceDown, SourceUp
from firmware.audio.preroll import Preroll, end_ns
from firmware.audio.recording import OpenRecording
from firmware.effects import ListenFor, StartRecording, StopRecording
from firmware.model import Instant, LineId
from firmware.ports import AudioSource, Block, Clock, EventSink, LineListener, RecorderEvent, RecordingClosed
from firmware.worker import Worker

log = logging.getLogger("offhook.audio")

QUEUE_S = 30.0
SYNC_S = 0.5
"""What is being recorded is written and forced to the card this often."""
HEAR_S = 0.2
"""A line with decoders, or one that has fallen silent, is attended to this often: who rings or hung up cannot wait."""

_SYNC_FRAMES_S = SYNC_S - 0.125
"""Sound comes in blocks, ALSA's of 0.25 s: the one that completes `SYNC_S`, even when it is some frames short."""


class LineSound:
    """Everything between a source and its raw files."""

    def __init__(
        self,
        *,
        line: LineId,
        source: AudioSource,
        preroll_s: float,
        listener: LineListener | None,
        sink: EventSink,
        closed: Callable[[RecordingClosed], None],
        clock: Clock,
        spool: Path,
        boot_id: str,
    ) -> None:
        """``closed`` is called on the line's flusher after `RecordingClosed` went to ``sink``."""
        self.line = line
        self._listener = listener
        self._sink = sink
        self._closed = closed
        self._clock = clock
        self._spool = spool
        self._boot_id = boot_id
        rate_hz = source.rate_hz
        self._rate_hz = rate_hz
        self._roles = source.roles
        self.inbox = LineInbox(limit_frames=round(QUEUE_S * rate_hz))
        self._capture = Capture(line=line, source=source, inbox=self.inbox, sink=sink, clock=clock)
        self._files = Worker(f"files {line}", self._run)
        self._flusher = Flusher(f"flush {line}")
        self._preroll = Preroll(preroll_s)
        self._recording: OpenRecording | None = None
        self._ended_ns = 0
        self._heard_until_ns = 0
        self._device_lost: SourceDown | None = None
        self._quiet_since_ns: int | None = None
        self._unsynced_frames = 0
        self._unsynced_since_ns: int | None = None
        self._to_hear: deque[Block | ListenFor] = deque()
        self._to_hear_frames = 0

    def start(self) -> None:
        self._flusher.start()
        self._files.start()
        self._capture.start()

    def request_stop(self) -> None:
        """Closes what is open and ends all threads; returns at once."""
        self._capture.request_stop()
        self.inbox.put(Finish(self._clock.now()))

    def join(self, deadline_s: float) -> None:
        """Raises `WorkerStuckError` when a thread hangs in a device or on the disk."""
        self._files.join(deadline_s)
        self._capture.join(deadline_s)
        self._flusher.join(deadline_s)

    def _run(self, _stop: threading.Event) -> None:
        while True:
            items = self.inbox.take(SYNC_S + 0.1, wake_frames=self._wake_frames())
            for item in items:
                if isinstance(item, Finish):
                    self._finish_recording(item.at)
                    self._flusher.finish()
                    return
                self._handle(item)
            self._after_batch(idle=not items)
            self._listen()

    def _wake_frames(self) -> int:
        attentive = self._listener is not None or self._quiet_since_ns is not None
        return round((HEAR_S if attentive else _SYNC_FRAMES_S) * self._rate_hz)

    def _handle(self, item: Item) -> None:
        match item:
            case Block():
                self._hear(item)
            case StartRecording():
                self._start_recording(item)
            case StopRecording():
                self._stop_recording(item)
            case ListenFor():
                if self._listener is not None:
                    self._to_hear.append(item)
            case Dropped():
                log.error("queue of %s was full: %d frames dropped", self.line, item.frames)
                if self._recording is not None:
                    self._recording.queue_overflowed(item.frames, self._rate_hz)
            case Quiet():
                self._quiet_since_ns = item.since_ns
            case SourceDown():
                self._device_lost = item
                if self._recording is not None:
                    self._recording.sound_lost(item.reason)
            case SourceUp():
                self._source_up(item)

    def _hear(self, block: Block) -> None:
        rate_hz = self._rate_hz
        self._heard_until_ns = end_ns(block, rate_hz)
        self._preroll.push(block)
        self._unsynced_frames += block.frames
        if self._unsynced_since_ns is None:
            self._unsynced_since_ns = block.at.boot_ns
        if self._recording is not None:
            self._recording.take(block, rate_hz, self._roles)
        if self._listener is None:
            return
        self._to_hear.append(block)
        self._to_hear_frames += block.frames
        if self._to_hear_frames > round(QUEUE_S * rate_hz):
            self._skip_waiting()

    def _skip_waiting(self) -> None:
        """Decoders that are slower than the sound miss what waits for them; their orders they still get."""
        frames, self._to_hear_frames = self._to_hear_frames, 0
        self._to_hear = deque(item for item in self._to_hear if isinstance(item, ListenFor))
        log.error("the decoder of %s is slower than its sound: it does not hear %d frames", self.line, frames)

    def _listen(self) -> None:
        """After the sound is written: decoding may take long, and the end of the process must not cost that sound.

        It stops as soon as more sound waits to be written, and goes on after that; each time it gets at least one
        block further.
        """
        try:
            while self._to_hear and self._listener is not None:
                self._listen_to(self._listener, self._to_hear.popleft())
                if self.inbox.waits:
                    return
        except Exception:
            # A sound that a decoder cannot bear comes again after a restart: the line is recorded without its decoder.
            log.exception("the decoder of %s failed and is switched off until the next start", self.line)
            self._listener = None
            self._to_hear.clear()

    def _listen_to(self, listener: LineListener, item: Block | ListenFor) -> None:
        if isinstance(item, ListenFor):
            listener.order(item)
            return
        self._to_hear_frames -= item.frames
        for event in listener.hear(item):
            self._sink(event)

    def _source_up(self, item: SourceUp) -> None:
        self._device_lost = None
        if (item.rate_hz, item.roles) != (self._rate_hz, self._roles):
            self._rate_hz, self._roles = item.rate_hz, item.roles
            self._preroll.clear()

    def _start_recording(self, order: StartRecording) -> None:
        if self._recording is not None:
            log.error("start of %s while %s is open on %s", order.recording, self._recording.id, self.line)
            self._recording.stop(order.at, order.at)
            self._finish_recording(order.at)
        self._recording = OpenRecording(
            order,
            not_before_ns=self._ended_ns,
            tell=self._tell,
            folder=self._spool,
            boot_id=self._boot_id,
            flusher=self._flusher,
        )
        for block in self._preroll.since(self._recording.from_ns, self._rate_hz):
            self._recording.take(block, self._rate_hz, self._roles)
        if self._device_lost is not None:
            self._recording.sound_lost(self._device_lost.reason)

    def _stop_recording(self, order: StopRecording) -> None:
        if self._recording is not None and self._recording.id == order.recording:
            self._recording.stop(order.at, self._clock.now())
        else:
            log.warning("stop of %s ignored: it is not being recorded", order.recording)

    def _after_batch(self, *, idle: bool) -> None:
        now = self._clock.now()
        self._capture.check_stuck()
        recording = self._recording
        if recording is None:
            self._synced()
            return
        device_lost = self._device_lost is not None
        if recording.over(now, self._heard_until_ns, device_lost=device_lost):
            self._finish_recording(now)
            return
        recording.write()
        recording.watch_silence(now, quiet_since_ns=self._quiet_since_ns, device_lost=device_lost)
        if idle or self._sync_is_due(now):
            recording.sync()
            self._synced()

    def _sync_is_due(self, now: Instant) -> bool:
        """`SYNC_S` of sound, or less of it that came so late that it is as old as that."""
        if self._unsynced_since_ns is None:
            return False
        enough = self._unsynced_frames >= round(_SYNC_FRAMES_S * self._rate_hz)
        return enough or now.boot_ns - self._unsynced_since_ns >= round(SYNC_S * 1e9)

    def _synced(self) -> None:
        self._unsynced_frames = 0
        self._unsynced_since_ns = None

    def _finish_recording(self, at: Instant) -> None:
        recording, self._recording = self._recording, None
        if recording is None:
            return
        recording.finish(at)
        self._ended_ns = recording.until_ns if recording.until_ns is not None else at.boot_ns

    def _tell(self, event: RecorderEvent) -> None:
        self._sink(event)
        if isinstance(event, RecordingClosed):
            self._closed(event)
