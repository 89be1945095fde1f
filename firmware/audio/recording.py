"""One recording from its start order to its end: which frames belong to it, and what is missing between them."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from firmware.audio.chain import Header
from firmware.audio.flusher import Flusher
from firmware.audio.rawfile import LATE_STOP_S, RawFile
from firmware.effects import StartRecording
from firmware.model import ChannelRole, Instant, RecordingId
from firmware.ports import (
    Block,
    Gap,
    GapCause,
    RecorderEvent,
    RecordingClosed,
    RecordingFailed,
    RecordingOpened,
    SoundHeard,
    SoundSilent,
)

STOP_WAIT_S = 2.0
"""Longest wait after a stop order for sound from before its moment that is still on its way."""
SILENT_AFTER_S = 3.0
HOLE_S = 0.5
"""A jump between two blocks' stamps above this is missing sound, even when the device did not say so."""

_HOLE_NS = round(HOLE_S * 1e9)
_REMEMBERED_NS = round(LATE_STOP_S * 1e9)


class OpenRecording:
    """Lives on its line's file thread; what waits for the card is done by ``flusher``. ``tell`` takes the events."""

    def __init__(
        self,
        order: StartRecording,
        *,
        not_before_ns: int,
        tell: Callable[[RecorderEvent], None],
        folder: Path,
        boot_id: str,
        flusher: Flusher,
    ) -> None:
        """``not_before_ns``: where the line's previous recording ended; its sound does not belong to this call."""
        self.order = order
        self.file: RawFile | None = None
        self.from_ns = max(order.at.plus_s(-order.preroll_s).boot_ns, not_before_ns)
        self.until_ns: int | None = None
        self._folder = folder
        self._tell = tell
        self._boot_id = boot_id
        self._flusher = flusher
        self._opened: RecordingOpened | None = None
        """Not told yet: the file is not durable. Belongs to the flusher once it is set."""
        self._stop_ordered: Instant | None = None
        self._missing: tuple[int | None, GapCause] | None = None
        self._last_end_ns = self.from_ns
        self._last_sound = order.at
        self._reason = "no sound came from the line"
        self._open_refused = False
        self._write_refused = False
        self._first_sync_due = False
        self._silent = False
        self._recent: deque[tuple[int, int, int]] = deque()

    @property
    def id(self) -> RecordingId:
        return self.order.recording

    def stop(self, at: Instant, now: Instant) -> None:
        """Sound after ``at`` is not wanted any more; what was taken of it already is cut off again."""
        self.until_ns = at.boot_ns
        self._stop_ordered = now
        if self.file is None or self._last_end_ns <= self.until_ns:
            return
        rate_hz = self.file.header.rate_hz
        for begin_ns, first, count in reversed(self._recent):
            inside = min(count, _frames(max(0, self.until_ns - begin_ns), rate_hz))
            if inside:
                self.file.cut_to(first + inside)
                self._last_end_ns = begin_ns + inside * 1_000_000_000 // rate_hz
                return
        if self._recent:
            self.file.cut_to(self._recent[0][1])

    def sound_lost(self, reason: str) -> None:
        self._reason = reason
        self._note_missing(None, GapCause.DEVICE_LOST)

    def queue_overflowed(self, frames: int, rate_hz: int) -> None:
        self._note_missing(frames * 1000 // rate_hz, GapCause.QUEUE_FULL)

    def take(self, block: Block, rate_hz: int, roles: tuple[ChannelRole, ...]) -> None:
        """Keeps the frames of ``block`` that belong to this recording."""
        begin_ns = block.at.boot_ns
        end_ns = begin_ns + block.frames * 1_000_000_000 // rate_hz
        first, last = 0, block.frames
        if begin_ns < self.from_ns:
            first = min(block.frames, _frames(self.from_ns - begin_ns, rate_hz))
        if self.until_ns is not None and end_ns > self.until_ns:
            last = max(first, block.frames - _frames(end_ns - self.until_ns, rate_hz))
        if first == last:
            return
        at = block.at.plus_s(first / rate_hz)
        if block.lost_frames and first == 0:
            lost_ms = None if block.lost_frames < 0 else block.lost_frames * 1000 // rate_hz
            self._note_missing(lost_ms, GapCause.OVERRUN)
        if self.file is None and not self._open(at, rate_hz, roles):
            return
        assert self.file is not None
        if self.file.header.rate_hz != rate_hz or self.file.header.roles != roles:
            # The device came back as another one: its sound cannot stand in this file.
            self._note_missing(None, GapCause.DEVICE_LOST)
            return
        self._note_hole(at)
        frame_bytes = self.file.header.frame_bytes
        whole = first == 0 and last == block.frames
        self._remember(at.boot_ns, self.file.frames, last - first)
        self.file.append(block.pcm if whole else block.pcm[first * frame_bytes : last * frame_bytes])
        self._last_end_ns = at.boot_ns + (last - first) * 1_000_000_000 // rate_hz
        self._last_sound = at

    def write(self) -> None:
        """Hands the sound taken so far to the kernel: it survives the end of this process."""
        if self.file is not None:
            self.file.write_out()
            self._watch_disk(self.file)
            if self._first_sync_due:
                self._first_sync_due = False
                self.sync()

    def sync(self) -> None:
        """Has it forced to the card: then it survives the end of power."""
        if self.file is not None:
            self._flusher.submit(partial(self._flush, self.file))

    def watch_silence(self, now: Instant, *, quiet_since_ns: int | None, device_lost: bool) -> None:
        """Tells when nothing is heard for 3 s, and when something is heard again.

        ``quiet_since_ns``: since when the line has carried nothing but digital silence; None when it carries sound.
        """
        call_ns = self.order.at.boot_ns
        quiet_s = (self._last_end_ns - max(quiet_since_ns, call_ns)) / 1e9 if quiet_since_ns is not None else 0.0
        waited_s = (now.boot_ns - max(self._last_end_ns, call_ns)) / 1e9
        silent = quiet_s >= SILENT_AFTER_S - 0.1 or waited_s >= SILENT_AFTER_S
        if device_lost or silent == self._silent:
            return
        self._silent = silent
        kind = SoundSilent if silent else SoundHeard
        self._tell(kind(line=self.order.line, at=now, recording=self.id))

    def over(self, now: Instant, heard_until_ns: int, *, device_lost: bool) -> bool:
        """Whether no more sound can come for it. ``heard_until_ns``: end of the newest block on this line."""
        if self.until_ns is None or self._stop_ordered is None:
            return False
        return device_lost or heard_until_ns >= self.until_ns or now.seconds_since(self._stop_ordered) > STOP_WAIT_S

    def finish(self, at: Instant) -> None:
        """Completes the file and tells how it came out."""
        if self.file is None:
            if not self._open_refused:
                self._fail(at, GapCause.DEVICE_LOST, self._reason)
            return
        if self._missing is not None:
            # The sound stayed away until the end of the call.
            end_ns = self.until_ns if self.until_ns is not None else at.boot_ns
            missing_ms = max(0, (end_ns - self._last_end_ns) // 1_000_000)
            if missing_ms:
                self.file.note_gap(missing_ms, self._missing[1])
        levels = self.file.close()
        if not self.file.frames:
            self._flusher.submit(self.file.discard)
            if not self._write_refused:
                self._fail(at, GapCause.DEVICE_LOST, "no sound came before the call was over")
            return
        closed = RecordingClosed(
            line=self.order.line,
            at=at,
            recording=self.id,
            frames=self.file.frames,
            gaps=_distinct(self.file.gaps),
            levels=levels,
            chain_head=self.file.chain_head,
        )
        self._flusher.submit(partial(self._complete, self.file, closed))

    def _flush(self, file: RawFile) -> None:
        file.flush()
        if file.durable:
            self._tell_opened()

    def _complete(self, file: RawFile, closed: RecordingClosed) -> None:
        file.complete()
        self._tell_opened()
        self._tell(closed)

    def _tell_opened(self) -> None:
        """The database may name the file only once it would be there after a power cut."""
        opened, self._opened = self._opened, None
        if opened is not None:
            self._tell(opened)

    def _open(self, at: Instant, rate_hz: int, roles: tuple[ChannelRole, ...]) -> bool:
        order = self.order
        header = Header(
            recording=order.recording,
            call=order.call,
            line=order.line,
            part=order.part,
            rate_hz=rate_hz,
            roles=roles,
            at=at,
            boot_id=self._boot_id,
            seed=f"{order.recording} {at.utc_ns} {self._boot_id} {secrets.token_hex(16)}",
        )
        try:
            self.file = RawFile(self._folder, header)
        except OSError as error:
            self._missing = (None, GapCause.DISK_FULL)
            if not self._open_refused:
                self._open_refused = True
                reason = f"cannot make {order.recording}.raw in {self._folder}: {error.strerror}"
                self._fail(at, GapCause.DISK_FULL, reason)
            return False
        self._open_refused = False
        self._opened = RecordingOpened(
            line=order.line,
            at=at,
            recording=order.recording,
            call=order.call,
            part=order.part,
            raw_path=f"{self._folder.name}/{self.file.path.name}",
            rate_hz=rate_hz,
            roles=roles,
        )
        self._first_sync_due = True  # with the sound that is there already: making files durable takes longest
        return True

    def _remember(self, begin_ns: int, first_frame: int, frames: int) -> None:
        """Which moment stands where in the file, for the last seconds."""
        self._recent.append((begin_ns, first_frame, frames))
        while self._recent[0][0] < begin_ns - _REMEMBERED_NS:
            self._recent.popleft()

    def _note_missing(self, missing_ms: int | None, cause: GapCause) -> None:
        """Remembers why the next block does not follow on; the first cause stands until sound comes."""
        if self._missing is None or self._missing[0] is None:
            cause = cause if self._missing is None else self._missing[1]
            self._missing = (missing_ms, cause)

    def _note_hole(self, at: Instant) -> None:
        assert self.file is not None
        jump_ns = at.boot_ns - self._last_end_ns
        missing, self._missing = self._missing, None
        if self.file.frames == 0:
            # Before the first frame only what the box itself lost is a gap: a module's port is quiet until the answer.
            lost_ns = at.boot_ns - max(self.from_ns, self.order.at.boot_ns)
            if missing is not None and lost_ns > 0:
                self.file.note_gap(lost_ns // 1_000_000, missing[1])
            return
        if missing is not None:
            known_ms, cause = missing
            self.file.note_gap(known_ms if known_ms is not None else max(0, jump_ns // 1_000_000), cause)
        elif jump_ns > _HOLE_NS:
            self.file.note_gap(jump_ns // 1_000_000, GapCause.DEVICE_LOST)

    def _watch_disk(self, file: RawFile) -> None:
        refused = file.refused
        if refused is not None and not self._write_refused:
            reason = f"cannot write to {file.path.name} in {self._folder}: {refused.strerror}"
            self._fail(self._last_sound, GapCause.DISK_FULL, reason)
        self._write_refused = refused is not None

    def _fail(self, at: Instant, cause: GapCause, reason: str) -> None:
        order = self.order
        self._tell(
            RecordingFailed(
                line=order.line,
                at=at,
                recording=order.recording,
                call=order.call,
                part=order.part,
                cause=cause,
                reason=reason,
            )
        )


def _frames(span_ns: int, rate_hz: int) -> int:
    return round(span_ns * rate_hz / 1e9)


def _distinct(gaps: list[Gap]) -> tuple[Gap, ...]:
    return tuple(dict.fromkeys(gaps))
