"""The sync machine: every decision of the way to the cloud. No I/O; time is passed in.

The caller runs the effects in order, tells what happened, and offers rows of the outbox where `wants` asks for some.
Nothing here lives longer than a connection but the measured link and the back-off: the outbox is the only queue.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sync import wire
from sync.link import Link
from sync.moves import (
    URGENT,
    Connect,
    Disconnect,
    Effect,
    FilePostponed,
    FileRefused,
    FileStored,
    FileSuspect,
    Greeted,
    Phase,
    QueuedFile,
    QueuedRecord,
    RecordPostponed,
    RecordRefused,
    RecordsStored,
    SendChunk,
    SendFin,
    SendHello,
    SendInit,
    SendRecords,
    Timing,
    Trouble,
)
from sync.pacing import Pacing
from sync.ranges import Ranges
from sync.transfer import GIVE_UP_AFTER, InFlight, Step, Transfer

OPEN_FILES = 4
"""Files on their way at once, so that the link is busy while one of them waits for its last word."""
OPEN_RECORDS = 128
BATCH_BYTES = 32 * 1024
DEFAULT_SLOTS = 20
"""Publishes without PUBACK where the broker names no Receive Maximum: mosquitto's own limit."""
MOST_SLOTS = 64
KEPT_SLOTS = 2
"""Of these, for records."""
POSTPONE_S = 600.0

# PUBACK reason codes (MQTT 5.0, 3.4.2.1).
NOBODY_THERE = 0x10
NOT_AUTHORIZED = 0x87
QUOTA_EXCEEDED = 0x97


@dataclass(slots=True)
class _Record:
    queued: QueuedRecord
    at_s: float | None = None
    """When it was last sent; None: not yet."""
    sent: int = 0

    def late_s(self, patience_s: float) -> float:
        """When to send it again; each time it may take longer."""
        return math.inf if self.at_s is None else self.at_s + patience_s * min(self.sent, 4)


@dataclass(frozen=True, slots=True)
class Wants:
    """How many more rows of the outbox the machine can use."""

    records: int = 0
    urgent: int = 0
    """Files of priority `URGENT` or before."""
    files: int = 0
    """Files of later priorities."""


class SyncMachine:
    def __init__(
        self,
        *,
        random: Callable[[], float],
        timing: Timing | None = None,
        pacing: Pacing | None = None,
        trust_broker: bool = False,
        pipe: Callable[[], int | None] = lambda: None,
    ) -> None:
        """``random`` returns 0 to 1: the jitter of the back-off. ``pipe``: how many bytes of what was given to the
        connection have not arrived at its other end yet; None where nobody can tell.

        With ``trust_broker`` nobody is greeted, and the broker's PUBACK counts for records: only where the owner of the
        box has said so, because nobody behind the broker answers.
        """
        self._trust_broker = trust_broker
        self._sent_records: dict[int, tuple[int, ...]] = {}
        """Sequence numbers by the publish that carried them."""
        self._random = random
        self._pipe = pipe
        self._look_again_s = math.inf
        """When there may be room in the pipe for another chunk."""
        self._timing = timing or Timing()
        self.pacing = pacing or Pacing()
        self.link = Link()
        self.phase = Phase.OFFLINE
        self._failures = 0
        self._next_s = 0.0
        """When the phase has to do something by itself: connect, give up waiting, probe."""
        self._probes = 0
        self._hello_at_s = 0.0
        self._token = 0
        self._slots = DEFAULT_SLOTS
        self._batch = False
        self._max_payload = wire.MAX_CHUNK_BYTES
        self._max_chunk = wire.MAX_CHUNK_BYTES
        self._unanswered: dict[int, float] = {}
        """Publishes without PUBACK, and when they were sent."""
        self._records: dict[int, _Record] = {}
        self._files: dict[str, Transfer] = {}
        self._opened = 0
        self._audio_closed_until_s = 0.0
        self._minute: int | None = None
        self._greet_again_s = 0.0
        self._heard_s = 0.0
        """When the receiver last said anything."""

    # What happened ---------------------------------------------------------------------------------------------------

    def connected(self, now_s: float, *, max_packet: int | None = None, receive_max: int | None = None) -> list[Effect]:
        """Subscribed, and the broker's limits are known (bytes, unacknowledged publishes)."""
        self._forget_connection()
        self._slots = max(1, min(receive_max or DEFAULT_SLOTS, MOST_SLOTS))
        self._max_payload = min(max_packet or wire.MAX_MESSAGE_BYTES, wire.MAX_MESSAGE_BYTES) - wire.ENVELOPE_BYTES
        self._probes = 0
        if self._trust_broker:
            return self._ready_without_greeting(now_s)
        return self._greet(now_s, Phase.GREETING, self._timing.hello_s)

    def _ready_without_greeting(self, now_s: float) -> list[Effect]:
        self.phase = Phase.READY
        self._heard_s = now_s
        self._greet_again_s = math.inf
        return []

    def disconnected(self, now_s: float) -> list[Effect]:
        """The connection is gone, or none came about."""
        self._forget_connection()
        longest = min(self._timing.backoff_first_s * 2.0 ** min(self._failures, 30), self._timing.backoff_longest_s)
        self._failures += 1
        self.phase = Phase.OFFLINE
        self._next_s = now_s + longest * (0.5 + 0.5 * self._random())
        return []

    def published(self, now_s: float, token: int, rc: int = 0) -> list[Effect]:
        """The broker's PUBACK: room for another publish, and sometimes a warning. Never an acknowledgement."""
        if token not in self._unanswered:
            return []
        del self._unanswered[token]
        carried = self._sent_records.pop(token, ())
        if rc in (NOBODY_THERE, NOT_AUTHORIZED) and self.phase in (Phase.GREETING, Phase.READY):
            if rc == NOBODY_THERE:
                return self._receiver_is_away(now_s, "the broker has no receiver for this box")
            return [
                *self._receiver_is_away(now_s, "the broker does not let this box publish"),
                Trouble("not_allowed", "the broker refuses this box's topics (reason 0x87)"),
            ]
        if rc == QUOTA_EXCEEDED:
            self._audio_closed_until_s = now_s + self._timing.probe_s
        confirmed: list[Effect] = []
        if self._trust_broker and rc == 0:
            self._failures, self._heard_s = 0, now_s
            if stored := tuple(seq for seq in carried if self._records.pop(seq, None)):
                confirmed = [RecordsStored(stored)]
        return [*confirmed, *self._pump(now_s)]

    def acknowledged(self, now_s: float, ack: wire.Ack) -> list[Effect]:
        """The receiver's own word."""
        if self.phase not in (Phase.GREETING, Phase.READY, Phase.AWAY):
            return []
        if isinstance(ack, wire.HelloAck):
            return self._greeted(now_s, ack)
        if self.phase is not Phase.READY:
            return []
        self._failures = 0
        self._heard_s = now_s
        done = self._records_acked(now_s, ack) if isinstance(ack, wire.RecordsAck) else self._file_acked(now_s, ack)
        return [*done, *self._pump(now_s)]

    def offer(
        self, now_s: float, *, records: Iterable[QueuedRecord] = (), files: Iterable[QueuedFile] = ()
    ) -> list[Effect]:
        """Rows of the outbox that are due; those on their way already are left out."""
        if self.phase is not Phase.READY:
            return []
        effects: list[Effect] = []
        for record in records:
            if record.size > wire.MAX_CHUNK_BYTES:
                effects.append(RecordRefused(record.seq, f"{record.size} bytes are more than any message may have"))
            elif record.size > self._max_payload:
                why = f"{record.size} bytes are more than this broker takes ({self._max_payload})"
                effects.append(RecordPostponed(record.seq, POSTPONE_S, why))
            else:
                self._records.setdefault(record.seq, _Record(record))
        for file in files:
            if file.fid not in self._files:
                self._opened += 1
                self._files[file.fid] = Transfer(file, self._opened)
        return [*effects, *self._pump(now_s)]

    def withdraw(self, fid: str) -> None:
        """The file cannot be read (any more): it is no longer on its way."""
        self._files.pop(fid, None)

    def tick(self, now_s: float, *, minute: int | None = None) -> list[Effect]:
        """Time has passed; ``minute`` of the local day, None while the clock cannot be trusted."""
        self._minute = minute
        if self._broker_is_silent(now_s):
            return [Disconnect("the broker has stopped answering")]
        if self.phase is Phase.READY:
            return [*self._greet_now_and_then(now_s), *self._resend(now_s), *self._pump(now_s)]
        return self._phase_is_over(now_s) if now_s >= self._next_s else []

    def _phase_is_over(self, now_s: float) -> list[Effect]:
        if self.phase is Phase.OFFLINE:
            self.phase = Phase.CONNECTING
            self._next_s = now_s + self._timing.connect_s
            return [Connect()]
        if self.phase is Phase.CONNECTING:
            return [Disconnect(f"no connection within {self._timing.connect_s:g} s")]
        if self.phase is Phase.GREETING:
            return self._receiver_is_away(now_s, f"no answer to hello within {self._timing.hello_s:g} s")
        self._probes += 1
        if self._trust_broker:
            return self._ready_without_greeting(now_s)
        return self._greet(now_s, Phase.AWAY, self._probe_wait_s())

    def _greet_now_and_then(self, now_s: float) -> list[Effect]:
        """The cloud may be restored from a backup while the broker, and so the connection, stays up."""
        if now_s < self._greet_again_s:
            return []
        self._greet_again_s = now_s + self._timing.greet_again_s
        return self.ask(now_s)

    def ask(self, now_s: float) -> list[Effect]:
        """Another hello, to see whether the receiver is there."""
        if self.phase is not Phase.READY or self._trust_broker:
            return []
        return [SendHello(self._new_token(now_s))]

    def hurry(self, now_s: float) -> None:
        """Somebody asked to send everything now: no back-off, no schedule, no pause."""
        self._failures = 0
        self.pacing.hurry = True
        self.pacing.paused_until_s = 0.0
        if self.phase in (Phase.OFFLINE, Phase.AWAY):
            self._next_s = now_s

    # What it would like to know --------------------------------------------------------------------------------------

    def wants(self, now_s: float) -> Wants:
        if self.phase is not Phase.READY:
            return Wants()
        urgent = sum(1 for transfer in self._files.values() if transfer.file.prio <= URGENT)
        ordinary = len(self._files) - urgent
        unsent = sum(record.queued.size for record in self._records.values() if record.at_s is None)
        return Wants(
            records=OPEN_RECORDS - len(self._records) if unsent < BATCH_BYTES else 0,
            urgent=max(0, OPEN_FILES - urgent) if now_s >= self._audio_closed_until_s else 0,
            files=max(0, OPEN_FILES - ordinary) if self.audio_closed_because(now_s) is None else 0,
        )

    def deadline_s(self, now_s: float) -> float:
        """Call `tick` by then."""
        if self.phase is not Phase.READY:
            return self._next_s
        patience_s = self._patience_s()
        times = [record.late_s(patience_s) for record in self._records.values()]
        times += [
            late for t in self._files.values() if (late := t.next_late_s(patience_s, self._timing.fin_s)) is not None
        ]
        if self._files and (wait_s := self.pacing.bucket.wait_s(now_s)) > 0:
            times.append(now_s + wait_s)
        times.append(self._look_again_s)
        return min(times, default=math.inf)

    def audio_closed_because(self, now_s: float) -> str | None:
        """``full`` or a word of `Pacing.closed_because`; None when audio may go."""
        if now_s < self._audio_closed_until_s:
            return "full"
        return self.pacing.closed_because(now_s, self._minute)

    @property
    def in_flight_bytes(self) -> int:
        return sum(transfer.flying_bytes for transfer in self._files.values())

    @property
    def open_files(self) -> tuple[str, ...]:
        return tuple(self._files)

    @property
    def open_records(self) -> tuple[int, ...]:
        return tuple(self._records)

    @property
    def idle(self) -> bool:
        """Nothing is on its way."""
        return not self._records and not self._files

    # Connection ------------------------------------------------------------------------------------------------------

    def _forget_connection(self) -> None:
        self._sent_records.clear()
        self._unanswered.clear()
        self._records.clear()
        self._files.clear()

    def _greet(self, now_s: float, phase: Phase, wait_s: float) -> list[Effect]:
        self.phase = phase
        self._hello_at_s = now_s
        self._next_s = now_s + wait_s
        return [SendHello(self._new_token(now_s))]

    def _receiver_is_away(self, now_s: float, why: str) -> list[Effect]:
        self._records.clear()
        self._files.clear()
        self.phase = Phase.AWAY
        self._next_s = now_s + self._probe_wait_s()
        return [Trouble("receiver_away", why)]

    def _broker_is_silent(self, now_s: float) -> bool:
        oldest_s = next(iter(self._unanswered.values()), now_s)
        return now_s - oldest_s > max(2 * self._timing.hello_s, self._patience_s())

    def _probe_wait_s(self) -> float:
        return min(self._timing.probe_s * 2.0 ** min(self._probes, 20), self._timing.probe_longest_s)

    def _greeted(self, now_s: float, ack: wire.HelloAck) -> list[Effect]:
        self._failures = 0
        self._probes = 0
        self._batch = ack.batch
        self._max_chunk = max(wire.MIN_CHUNK_BYTES, ack.max_chunk)
        if self.phase is Phase.GREETING:
            self.link.round_trip(now_s - self._hello_at_s)
        self._heard_s = now_s
        self._greet_again_s = now_s + self._timing.greet_again_s
        self.phase = Phase.READY
        return [Greeted(ack), *self._pump(now_s)]

    def _new_token(self, now_s: float) -> int:
        self._token += 1
        self._unanswered[self._token] = now_s
        return self._token

    def _room(self, *, kept: int = 0) -> bool:
        """Whether the broker takes another publish, ``kept`` of them set aside for what is more urgent."""
        return len(self._unanswered) < max(1, self._slots - kept)

    # Records ---------------------------------------------------------------------------------------------------------

    def _records_acked(self, now_s: float, ack: wire.RecordsAck) -> list[Effect]:
        effects: list[Effect] = []
        stored = [seq for seq in ack.seq if seq in self._records and self._records[seq].at_s is not None]
        for seq in stored:
            record = self._records.pop(seq)
            if record.sent == 1 and record.at_s is not None:
                self.link.round_trip(now_s - record.at_s)
        if stored:
            effects.append(RecordsStored(tuple(stored)))
        for rejected in ack.rejected:
            if self._records.pop(rejected.seq, None):
                effects.append(RecordRefused(rejected.seq, f"the cloud refuses it ({rejected.rc}): {rejected.desc}"))
        return effects

    def _send_records(self, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        waiting = [record for record in self._records.values() if record.at_s is None]
        while waiting and self._room():
            batch, size = [waiting.pop(0)], 0
            most = wire.MAX_BATCH if self._batch else 1
            # What got no answer in company is sent alone: one bad record must not hold up its neighbours.
            while waiting and len(batch) < most and not batch[0].sent and not waiting[0].sent:
                size += waiting[0].queued.size
                if size + batch[0].queued.size > min(BATCH_BYTES, self._max_payload):
                    break
                batch.append(waiting.pop(0))
            for record in batch:
                record.at_s = now_s
                record.sent += 1
            token, seqs = self._new_token(now_s), tuple(record.queued.seq for record in batch)
            if self._trust_broker:
                self._sent_records[token] = seqs
            effects.append(SendRecords(token, seqs))
        return effects

    # Files -----------------------------------------------------------------------------------------------------------

    def _file_acked(self, now_s: float, ack: wire.FileAck) -> list[Effect]:
        transfer = self._files.get(ack.f)
        if transfer is None:
            return []
        if ack.state == "stored":
            return self._file_stored(transfer, ack, now_s)
        if ack.state == "rejected" or ack.rc in (wire.RC_REJECTED, wire.RC_RESEND_ALL, wire.RC_NOT_AUTHORIZED):
            return self._file_refused(ack, now_s)
        if ack.rc == wire.RC_PAUSE:
            return self._no_audio(now_s + max(1, ack.retry_s), "cloud_full", ack.desc or "no room for recordings now")
        self._arrived(transfer.heard(Ranges(ack.have)), now_s)
        if ack.rc == wire.RC_RESEND:
            transfer.flying.clear()
            transfer.step = Step.SEND
            transfer.silent += 1
            return self._stuck(transfer)
        return []

    def _file_refused(self, ack: wire.FileAck, now_s: float) -> list[Effect]:
        if ack.rc == wire.RC_NOT_AUTHORIZED:
            why = ack.desc or "the cloud does not take recordings of this box"
            return self._no_audio(now_s + self._timing.probe_longest_s, "not_allowed", why)
        del self._files[ack.f]
        if ack.rc == wire.RC_RESEND_ALL:
            return [FileSuspect(ack.f, ack.desc or "what the cloud has does not fit its hash")]
        return [FileRefused(ack.f, f"the cloud refuses it ({ack.rc}): {ack.desc}")]

    def _no_audio(self, until_s: float, key: str, why: str) -> list[Effect]:
        self._audio_closed_until_s = until_s
        self._files.clear()
        return [Trouble(key, why)]

    def _file_stored(self, transfer: Transfer, ack: wire.FileAck, now_s: float) -> list[Effect]:
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
            self.link.delivered(size, now_s, took_s=now_s - first.at_s, mark=first.mark)

    def _send_files(self, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        in_flight = self.in_flight_bytes
        pipe, self._look_again_s = self._pipe(), math.inf
        window = self.link.window(pipe_is_seen=pipe is not None)
        for transfer in sorted(self._files.values(), key=lambda t: (t.file.prio, t.order)):
            urgent = transfer.file.prio <= URGENT
            if not urgent and self.audio_closed_because(now_s):
                continue
            if transfer.step is Step.ASK and self._room(kept=KEPT_SLOTS):
                effects.append(SendInit(self._new_token(now_s), transfer.file.fid))
                transfer.step, transfer.at_s = Step.ASKED, now_s
            while transfer.step is Step.SEND and self._room(kept=KEPT_SLOTS):
                hole = transfer.missing()
                if hole is None:
                    effects.append(SendFin(self._new_token(now_s), transfer.file.fid))
                    transfer.step, transfer.at_s = Step.FINISHED, now_s
                    break
                offset, end = hole
                length = min(end - offset, self.link.chunk(min(self._max_chunk, self._max_payload)))
                if in_flight and in_flight + length > window:
                    return effects
                if pipe is not None and not self.link.may_join(pipe):
                    self._look_again_s = now_s + self.link.look_again_s(pipe)
                    return effects
                if not urgent:
                    if self.pacing.bucket.wait_s(now_s) > 0:
                        break
                    self.pacing.bucket.take(length)
                transfer.flying[offset] = InFlight(length, now_s, self.link.sending(now_s, idle=not in_flight))
                in_flight += length
                pipe = None if pipe is None else pipe + length
                effects.append(SendChunk(self._new_token(now_s), transfer.file.fid, offset, length))
        return effects

    def _stuck(self, transfer: Transfer) -> list[Effect]:
        """Sets a file aside for a while that makes no progress although the cloud answers otherwise."""
        if transfer.silent < GIVE_UP_AFTER:
            return []
        del self._files[transfer.file.fid]
        return [FilePostponed(transfer.file.fid, POSTPONE_S, "the cloud answers, but this file makes no progress")]

    # Time and order --------------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        return self.link.resend_after_s(self._timing.resend_s, self.in_flight_bytes)

    def _resend(self, now_s: float) -> list[Effect]:
        patience_s = self._patience_s()
        late = [record for record in self._records.values() if now_s >= record.late_s(patience_s)]
        stalled = [
            transfer for transfer in self._files.values() if transfer.lost(now_s, patience_s, self._timing.fin_s)
        ]
        if (late or stalled) and now_s - self._heard_s >= max(self._timing.hello_s, patience_s):
            return self._receiver_is_away(now_s, f"no answer for {now_s - self._heard_s:.0f} s")
        effects: list[Effect] = []
        for record in late:
            record.at_s = None
            if record.sent >= GIVE_UP_AFTER:
                del self._records[record.queued.seq]
                why = f"no answer after {record.sent} attempts, while others are answered"
                effects.append(RecordPostponed(record.queued.seq, POSTPONE_S, why))
        for transfer in stalled:
            effects += self._stuck(transfer)
        return effects

    def _pump(self, now_s: float) -> list[Effect]:
        """Sends what may go: records before audio, and audio only in pieces, so that a record never waits long."""
        if self.phase is not Phase.READY:
            return []
        return [*self._send_records(now_s), *self._send_files(now_s)]
