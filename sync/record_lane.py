"""Records on their way: sent in batches, acknowledged one by one, sent again alone when no answer comes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sync import wire
from sync.link import Link
from sync.moves import Effect, QueuedRecord, RecordPostponed, RecordRefused, RecordsStored, SendRecords
from sync.slots import Slots
from sync.transfer import GIVE_UP_AFTER, POSTPONE_S

OPEN_RECORDS = 128
BATCH_BYTES = 32 * 1024


@dataclass(slots=True)
class _Record:
    queued: QueuedRecord
    at_s: float | None = None
    """When it was last sent; None: not yet."""
    sent: int = 0

    def late_s(self, patience_s: float) -> float:
        """When to send it again; each time it may take longer."""
        return math.inf if self.at_s is None else self.at_s + patience_s * min(self.sent, 4)


class RecordLane:
    """Of one connection at a time."""

    def __init__(self, slots: Slots, link: Link, *, trust_broker: bool) -> None:
        self._slots = slots
        self._link = link
        self._trust_broker = trust_broker
        self._carried: dict[int, tuple[int, ...]] = {}
        """Sequence numbers by the publish that carried them, where the broker is trusted."""
        self._records: dict[int, _Record] = {}
        self.batch = False
        """The receiver takes more than one in a message."""

    @property
    def open(self) -> tuple[int, ...]:
        return tuple(self._records)

    @property
    def wanted(self) -> int:
        """How many more rows it can use."""
        unsent = sum(record.queued.size for record in self._records.values() if record.at_s is None)
        return OPEN_RECORDS - len(self._records) if unsent < BATCH_BYTES else 0

    def clear(self) -> None:
        self._records.clear()

    def forget_connection(self) -> None:
        self._records.clear()
        self._carried.clear()

    def add(self, records: Iterable[QueuedRecord], *, largest: int) -> list[Effect]:
        """Those on their way already are left out; ``largest`` is what this broker takes."""
        effects: list[Effect] = []
        for record in records:
            if record.size > wire.MAX_CHUNK_BYTES:
                effects.append(RecordRefused(record.seq, f"{record.size} bytes are more than any message may have"))
            elif record.size > largest:
                why = f"{record.size} bytes are more than this broker takes ({largest})"
                effects.append(RecordPostponed(record.seq, POSTPONE_S, why))
            else:
                self._records.setdefault(record.seq, _Record(record))
        return effects

    def send(self, now_s: float, *, largest: int) -> list[Effect]:
        effects: list[Effect] = []
        waiting = [record for record in self._records.values() if record.at_s is None]
        while waiting and self._slots.room():
            batch, size = [waiting.pop(0)], 0
            most = wire.MAX_BATCH if self.batch else 1
            # What got no answer in company is sent alone: one bad record must not hold up its neighbours.
            while waiting and len(batch) < most and not batch[0].sent and not waiting[0].sent:
                size += waiting[0].queued.size
                if size + batch[0].queued.size > min(BATCH_BYTES, largest):
                    break
                batch.append(waiting.pop(0))
            for record in batch:
                record.at_s = now_s
                record.sent += 1
            token, seqs = self._slots.take(now_s), tuple(record.queued.seq for record in batch)
            if self._trust_broker:
                self._carried[token] = seqs
            effects.append(SendRecords(token, seqs))
        return effects

    def confirmed_by_broker(self, token: int, *, good: bool) -> list[Effect]:
        """Its PUBACK for ``token``: counts only where the broker is trusted."""
        carried = self._carried.pop(token, ())
        stored = tuple(seq for seq in carried if self._records.pop(seq, None)) if good else ()
        return [RecordsStored(stored)] if stored else []

    def acked(self, now_s: float, ack: wire.RecordsAck) -> list[Effect]:
        effects: list[Effect] = []
        stored = [seq for seq in ack.seq if seq in self._records and self._records[seq].at_s is not None]
        for seq in stored:
            record = self._records.pop(seq)
            if record.sent == 1 and record.at_s is not None:
                self._link.round_trip(now_s - record.at_s)
        if stored:
            effects.append(RecordsStored(tuple(stored)))
        for rejected in ack.rejected:
            if self._records.pop(rejected.seq, None):
                effects.append(RecordRefused(rejected.seq, f"the cloud refuses it ({rejected.rc}): {rejected.desc}"))
        return effects

    def late_s(self, patience_s: float) -> float:
        """When the first of them is to be sent again."""
        return min((record.late_s(patience_s) for record in self._records.values()), default=math.inf)

    def resend(self, now_s: float, patience_s: float) -> list[Effect]:
        """Those without an answer for so long go again; what never gets one, while others do, is put off."""
        effects: list[Effect] = []
        for record in [one for one in self._records.values() if now_s >= one.late_s(patience_s)]:
            record.at_s = None
            if record.sent >= GIVE_UP_AFTER:
                del self._records[record.queued.seq]
                why = f"no answer after {record.sent} attempts, while others are answered"
                effects.append(RecordPostponed(record.queued.seq, POSTPONE_S, why))
        return effects
