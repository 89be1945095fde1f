"""A recording while it is being made: an append-only file of raw sound and its sidecar, safe against a power cut.

A full card is no error here: the sound waits (`WAITING_S`), then the oldest of it is dropped and told as a gap.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from firmware.audio.chain import Chain, Chunk, Close, Entry, Header, line_of
from firmware.audio.durable import fsync_folder
from firmware.audio.levels import Meter
from firmware.audio.peaks import peaks_document
from firmware.ports import ChannelLevels, Gap, GapCause

log = logging.getLogger("offhook.audio")

WAITING_S = 10.0
"""Sound kept in memory while the card does not take it."""
LATE_STOP_S = 3.0
"""How far back `cut_to` reaches: a handset's on-hook is known for sure only after a hook flash could have ended."""
ACCOUNT_S = 2.0
"""Sound is measured and hashed in portions of this length: code that comes back to a cold cache costs five times what
it costs in a row."""
SIDECAR_SYNC_CHUNKS = 5
"""The sidecar's hashes can be made again from the sound, so they are forced to the card less often than the sound."""

_MODE = 0o640


class RawFile:
    """One open recording on the disk. Belongs to the file thread; `flush`, `complete` and `discard` to the flusher."""

    def __init__(self, folder: Path, header: Header) -> None:
        """Makes both files; the first `flush` makes them durable. Raises `OSError` when the disk does not allow it."""
        self.path = folder / f"{header.recording}.raw"
        self.sidecar_path = self.path.with_suffix(".jsonl")
        self.header = header
        self.gaps: list[Gap] = []
        self.meter = Meter(rate_hz=header.rate_hz, channels=len(header.roles))
        self._chain = Chain(header)
        self._frame_bytes = header.frame_bytes
        self._written = 0
        self._waiting = bytearray()
        self._waiting_limit = round(WAITING_S * header.rate_hz) * self._frame_bytes
        self._recent = bytearray()
        self._recent_bytes = round(LATE_STOP_S * header.rate_hz) * self._frame_bytes
        self._portion_bytes = round(ACCOUNT_S * header.rate_hz) * self._frame_bytes
        self._dropped = 0
        self._write_refused: OSError | None = None
        self._flush_refused: OSError | None = None
        # Set by the file thread after a write, cleared by the flusher before it forces one: a race costs one more.
        self._dirty = False
        self._sidecar_dirty = False
        self._durable = False
        self._lines = bytearray()
        self._unsynced_chunks = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, _MODE)
        self._sidecar_fd = -1
        try:
            self._sidecar_fd = os.open(self.sidecar_path, flags, _MODE)
            os.write(self._sidecar_fd, line_of(header))
        except OSError:
            self.discard()
            raise

    @property
    def refused(self) -> OSError | None:
        """Why the disk takes nothing at the moment."""
        return self._write_refused or self._flush_refused

    @property
    def durable(self) -> bool:
        """Whether both files would be there after a power cut."""
        return self._durable

    @property
    def frames(self) -> int:
        """Frames accepted so far, on the disk or still waiting for it."""
        return (self._written + len(self._waiting)) // self._frame_bytes

    def append(self, pcm: bytes | memoryview) -> None:
        """Takes whole frames; `write_out` writes them."""
        self._waiting += pcm

    def cut_to(self, frame: int) -> None:
        """Sound from ``frame`` on does not belong to the recording: at most `LATE_STOP_S` of it is taken off again."""
        over = (self.frames - frame) * self._frame_bytes
        if over <= 0:
            return
        waiting = min(over, len(self._waiting) - self._lead_bytes())
        if waiting > 0:
            del self._waiting[len(self._waiting) - waiting :]
            over -= waiting
        over = min(over, len(self._recent) - len(self._recent) % self._frame_bytes)
        if over and not self._waiting:
            try:
                os.ftruncate(self._fd, self._written - over)
            except OSError as error:
                self._refuse(error)
                return
            self._written -= over
            self._dirty = True
            del self._recent[len(self._recent) - over :]
        self.gaps = [gap for gap in self.gaps if gap.at_frame <= self.frames]

    def note_gap(self, missing_ms: int | None, cause: GapCause) -> None:
        """Sound is missing at the place that is appended next."""
        gap = Gap(self.frames, missing_ms, cause)
        self.gaps.append(gap)
        self._note(gap)

    def flush(self) -> None:
        """Forces what was written to the card. Never raises for the disk: see `refused`."""
        try:
            if not self._durable:
                os.fsync(self._sidecar_fd)
                fsync_folder(self.path.parent)
                self._dirty = False
                os.fsync(self._fd)  # last: what is written while the others take their time is forced, too
                self._durable = True
            elif self._dirty:
                self._dirty = False
                os.fdatasync(self._fd)
            if self._sidecar_dirty:
                self._sidecar_dirty = False
                os.fdatasync(self._sidecar_fd)
            self._flush_refused = None
        except OSError as error:
            self._dirty = self._sidecar_dirty = True
            if self.refused is None:
                log.error("disk does not keep the sound of %s: %s", self.path.name, error)
            self._flush_refused = error

    def close(self) -> tuple[ChannelLevels, ...]:
        """Writes both files to their end; `complete` has to follow. What the disk still refuses is told as a gap."""
        self.write_out()
        if self._waiting:
            whole = len(self._waiting) - self._lead_bytes()
            self._dropped += whole // self._frame_bytes
            self._waiting.clear()
            torn = self._written % self._frame_bytes
            if torn:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, self._written - torn)
                self._written -= torn
                del self._recent[len(self._recent) - torn :]
        self._tell_dropped()
        self._account(len(self._recent))
        self._note(*self._chain.finish())
        self._note(Close(self._written // self._frame_bytes, self._chain.link))
        return self.meter.finish()

    def complete(self) -> None:
        """Forces both files to the card and lets go of them."""
        try:
            os.fsync(self._fd)
            os.fsync(self._sidecar_fd)
            fsync_folder(self.path.parent)
            self.path.with_suffix(".peaks.json").write_bytes(peaks_document(self.meter.points, self.meter.points_per_s))
        except OSError as error:
            # The start-up recovery makes all of this again from the sound.
            log.warning("cannot complete %s: %s", self.path.name, error)
        self._release()

    def discard(self) -> None:
        """Removes the files: nothing was recorded into them."""
        self._release()
        for path in (self.path, self.sidecar_path):
            path.unlink(missing_ok=True)

    @property
    def chain_head(self) -> str:
        return self._chain.link

    def _release(self) -> None:
        for fd in (self._fd, self._sidecar_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._sidecar_fd = -1

    def _lead_bytes(self) -> int:
        """Bytes at the head of the waiting sound that complete a frame which is half on the disk."""
        return -self._written % self._frame_bytes

    def write_out(self) -> None:
        """Writes what was appended. Never raises for the disk: see `refused`."""
        try:
            while self._waiting:
                done = os.write(self._fd, self._waiting)
                if self._dropped:
                    self._tell_dropped()
                self._recent += self._waiting[:done] if done < len(self._waiting) else self._waiting
                del self._waiting[:done]
                self._written += done
                self._dirty = True
            settled = len(self._recent) - self._recent_bytes
            if settled >= self._portion_bytes:
                self._account(settled - settled % self._frame_bytes)
            self._write_lines()
            self._write_refused = None
        except OSError as error:
            self._refuse(error)

    def _account(self, size: int) -> None:
        """Measures and hashes the oldest ``size`` bytes of the recent sound: nothing cuts them off any more."""
        pcm = bytes(self._recent[:size])
        del self._recent[:size]
        self.meter.feed(pcm)
        self._note(*self._chain.feed(pcm))

    def _refuse(self, error: OSError) -> None:
        if self.refused is None:
            log.error("disk refuses sound of %s: %s", self.path.name, error)
        self._write_refused = error
        lead = self._lead_bytes()
        over = len(self._waiting) - lead - self._waiting_limit
        if over > 0:
            over += -over % self._frame_bytes
            del self._waiting[lead : lead + over]
            self._dropped += over // self._frame_bytes

    def _tell_dropped(self) -> None:
        """Notes the dropped sound where it is missing: after the frames that are on the disk."""
        if not self._dropped:
            return
        at_frame = -(-self._written // self._frame_bytes)
        gap = Gap(at_frame, self._dropped * 1000 // self.header.rate_hz, GapCause.DISK_FULL)
        self.gaps = [
            earlier if earlier.at_frame <= at_frame else _moved(earlier, at_frame, self._dropped)
            for earlier in self.gaps
        ]
        self.gaps.append(gap)
        self._dropped = 0
        self._note(gap)

    def _note(self, *entries: Entry) -> None:
        for entry in entries:
            self._lines += line_of(entry)
            if isinstance(entry, Chunk):
                self._unsynced_chunks += 1
            else:
                self._unsynced_chunks = SIDECAR_SYNC_CHUNKS
        with contextlib.suppress(OSError):  # tried again with the next sound; the hashes can be made again
            self._write_lines()
        if self._unsynced_chunks >= SIDECAR_SYNC_CHUNKS:
            self._unsynced_chunks = 0
            self._sidecar_dirty = True

    def _write_lines(self) -> None:
        while self._lines:
            done = os.write(self._sidecar_fd, self._lines)
            del self._lines[:done]


def _moved(gap: Gap, at_frame: int, dropped: int) -> Gap:
    """A gap inside sound of which the first ``dropped`` frames after ``at_frame`` never reached the disk."""
    return Gap(max(at_frame, gap.at_frame - dropped), gap.missing_ms, gap.cause)
