"""Files on their way: which piece goes next, and what the cloud says it has of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from sync import wire
from sync.link import Link
from sync.moves import (
    URGENT,
    Effect,
    FilePostponed,
    FileRefused,
    FileStored,
    FileSuspect,
    QueuedFile,
    SendChunk,
    SendFin,
    SendInit,
    Timing,
    Trouble,
)
from sync.pacing import Pacing
from sync.ranges import Ranges
from sync.slots import Slots
from sync.transfer import GIVE_UP_AFTER, POSTPONE_S, InFlight, Step, Transfer

OPEN_FILES = 4
"""On their way at once, so that the link is busy while one of them waits for its last word."""
KEPT_SLOTS = 2
"""For records."""


class FileLane:
    """Of one connection at a time."""

    def __init__(
        self, slots: Slots, link: Link, *, timing: Timing, pacing: Pacing, pipe: Callable[[], int | None]
    ) -> None:
        self._slots = slots
        self._link = link
        self._timing = timing
        self._pacing = pacing
        self._pipe = pipe
        self._look_again_s = math.inf
        """When there may be room in the pipe for another chunk."""
        self._files: dict[str, Transfer] = {}
        self._opened = 0
        self.closed_until_s = 0.0
        """The cloud, or the broker, wants no file before."""

    @property
    def open(self) -> tuple[str, ...]:
        return tuple(self._files)

    @property
    def flying_bytes(self) -> int:
        return sum(transfer.flying_bytes for transfer in self._files.values())

    def wanted(self, now_s: float, minute: int | None) -> tuple[int, int]:
        """How many more urgent files, and others, it can use."""
        urgent = sum(1 for transfer in self._files.values() if transfer.file.prio <= URGENT)
        ordinary = len(self._files) - urgent
        return (
            max(0, OPEN_FILES - urgent) if now_s >= self.closed_until_s else 0,
            max(0, OPEN_FILES - ordinary) if self.closed_because(now_s, minute) is None else 0,
        )

    def closed_because(self, now_s: float, minute: int | None) -> str | None:
        """``full`` or a word of `Pacing.closed_because`; None when ordinary files may go."""
        if now_s < self.closed_until_s:
            return "full"
        return self._pacing.closed_because(now_s, minute)

    def clear(self) -> None:
        self._files.clear()

    def add(self, files: Iterable[QueuedFile]) -> None:
        """Those on their way already are left out."""
        for file in files:
            if file.fid not in self._files:
                self._opened += 1
                self._files[file.fid] = Transfer(file, self._opened)

    def withdraw(self, fid: str) -> None:
        self._files.pop(fid, None)

    # What the cloud says ---------------------------------------------------------------------------------------------

    def acked(self, now_s: float, ack: wire.FileAck) -> list[Effect]:
        transfer = self._files.get(ack.f)
        if transfer is None:
            return []
        if ack.state == "stored":
            return self._stored(transfer, ack, now_s)
        if ack.state == "rejected" or ack.rc in (wire.RC_REJECTED, wire.RC_RESEND_ALL, wire.RC_NOT_AUTHORIZED):
            return self._refused(ack, now_s)
        if ack.rc == wire.RC_PAUSE:
            return self._close(now_s + max(1, ack.retry_s), "cloud_full", ack.desc or "no room for recordings now")
        self._arrived(transfer.heard(Ranges(ack.have)), now_s)
        if ack.rc == wire.RC_RESEND:
            transfer.flying.clear()
            transfer.step = Step.SEND
            transfer.silent += 1
            return self._stuck(transfer)
        return []

    def _refused(self, ack: wire.FileAck, now_s: float) -> list[Effect]:
        if ack.rc == wire.RC_NOT_AUTHORIZED:
            why = ack.desc or "the cloud does not take recordings of this box"
            return self._close(now_s + self._timing.probe_longest_s, "not_allowed", why)
        del self._files[ack.f]
        if ack.rc == wire.RC_RESEND_ALL:
            return [FileSuspect(ack.f, ack.desc or "what the cloud has does not fit its hash")]
        return [FileRefused(ack.f, f"the cloud refuses it ({ack.rc}): {ack.desc}")]

    def _close(self, until_s: float, key: str, why: str) -> list[Effect]:
        self.closed_until_s = until_s
        self._files.clear()
        return [Trouble(key, why)]

    def _stored(self, transfer: Transfer, ack: wire.FileAck, now_s: float) -> list[Effect]:
        file = transfer.file
        del self._files[file.fid]
        if ack.size != file.size or ack.sha256 != file.sha256:
            told = f"the cloud says it stored {ack.size} bytes with SHA-256 {str(ack.sha256)[:16]}"
            return [FileSuspect(file.fid, told)]
        self._arrived(list(transfer.flying.values()), now_s)
        return [FileStored(file.fid, ack.store or "")]

    def _arrived(self, chunks: list[InFlight], now_s: float) -> None:
        # As one: of what comes together after a gap, only the first says how fast the link is.
        if first := min(chunks, key=lambda chunk: chunk.at_s, default=None):
            size = sum(chunk.length for chunk in chunks)
            self._link.delivered(size, now_s, took_s=now_s - first.at_s, mark=first.mark)

    def _stuck(self, transfer: Transfer) -> list[Effect]:
        """Sets a file aside for a while that makes no progress although the cloud answers otherwise."""
        if transfer.silent < GIVE_UP_AFTER:
            return []
        del self._files[transfer.file.fid]
        return [FilePostponed(transfer.file.fid, POSTPONE_S, "the cloud answers, but this file makes no progress")]

    # What goes -------------------------------------------------------------------------------------------------------

    def send(self, now_s: float, minute: int | None, *, largest: int) -> list[Effect]:
        """Pieces of at most ``largest`` bytes, as many as may go now."""
        effects: list[Effect] = []
        in_flight = self.flying_bytes
        pipe, self._look_again_s = self._pipe(), math.inf
        window = self._link.window(pipe_is_seen=pipe is not None)
        for transfer in sorted(self._files.values(), key=lambda t: (t.file.prio, t.order)):
            urgent = transfer.file.prio <= URGENT
            if not urgent and self.closed_because(now_s, minute):
                continue
            if transfer.step is Step.ASK and self._slots.room(kept=KEPT_SLOTS):
                effects.append(SendInit(self._slots.take(now_s), transfer.file.fid))
                transfer.step, transfer.at_s = Step.ASKED, now_s
            while transfer.step is Step.SEND and self._slots.room(kept=KEPT_SLOTS):
                hole = transfer.missing()
                if hole is None:
                    effects.append(SendFin(self._slots.take(now_s), transfer.file.fid))
                    transfer.step, transfer.at_s = Step.FINISHED, now_s
                    break
                offset, end = hole
                length = min(end - offset, self._link.chunk(largest))
                if in_flight and in_flight + length > window:
                    return effects
                if pipe is not None and not self._link.may_join(pipe):
                    self._look_again_s = now_s + self._link.look_again_s(pipe)
                    return effects
                if not urgent:
                    if self._pacing.bucket.wait_s(now_s) > 0:
                        break
                    self._pacing.bucket.take(length)
                transfer.flying[offset] = InFlight(length, now_s, self._link.sending(now_s, idle=not in_flight))
                in_flight += length
                pipe = None if pipe is None else pipe + length
                effects.append(SendChunk(self._slots.take(now_s), transfer.file.fid, offset, length))
        return effects

    def deadline_s(self, now_s: float, patience_s: float) -> float:
        """When the first of them has something to do by itself."""
        fin_s = self._timing.fin_s
        times = [late for t in self._files.values() if (late := t.next_late_s(patience_s, fin_s)) is not None]
        if self._files and (wait_s := self._pacing.bucket.wait_s(now_s)) > 0:
            times.append(now_s + wait_s)
        return min([*times, self._look_again_s])

    def lost(self, now_s: float, patience_s: float) -> list[Transfer]:
        """Those that have got no answer for so long; what is missing of them goes again."""
        return [one for one in self._files.values() if one.lost(now_s, patience_s, self._timing.fin_s)]

    def give_up(self, stalled: Iterable[Transfer]) -> list[Effect]:
        return [effect for transfer in stalled for effect in self._stuck(transfer)]
