"""A cloud, a link that loses things, and a box's outbox, all in memory and in made-up time, around the real machine."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sync import moves, wire
from sync.machine import SyncMachine
from sync.moves import Phase
from sync.pacing import Pacing
from sync.ranges import Ranges

STORE = "store-1"


def fid(n: int) -> str:
    return f"{n:026d}-0123456789abcdef"


def sha(n: int) -> str:
    return f"{n:064x}"


@dataclass
class Cloud:
    records: dict[int, int] = field(default_factory=dict)
    """seq to how often it came."""
    parts: dict[str, Ranges] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    received_bytes: int = 0
    full: bool = False
    refused: set[int] = field(default_factory=set)

    def receive(self, effect: moves.Send) -> wire.Ack:
        match effect:
            case moves.SendHello():
                return wire.HelloAck(srv_ms=1, store=STORE, batch=True)
            case moves.SendRecords(seqs=seqs):
                for seq in set(seqs) - self.refused:
                    self.records[seq] = self.records.get(seq, 0) + 1
                return wire.RecordsAck(
                    epoch="e",
                    seq=tuple(set(seqs) - self.refused),
                    rejected=tuple(wire.RejectedRecord(seq=seq) for seq in seqs if seq in self.refused),
                )
            case moves.SendChunk(fid=name, offset=offset, length=length):
                if self.full:
                    return wire.FileAck(f=name, state="receiving", rc=wire.RC_PAUSE, retry_s=30)
                self.received_bytes += length
                self.parts[name] = self.parts.get(name, Ranges()) | [(offset, offset + length)]
            case moves.SendFin(fid=name):
                if self.parts.get(name, Ranges()).covers(0, self.sizes[name]):
                    self.stored.add(name)
        return self._file(effect.fid)

    def _file(self, name: str) -> wire.FileAck:
        if name in self.stored:
            digest = sha(int(name[:26]))
            return wire.FileAck(f=name, state="stored", size=self.sizes[name], sha256=digest, store=STORE)
        return wire.FileAck(f=name, state="receiving", have=tuple(self.parts.get(name, Ranges())))


class World:
    """Runs the machine against the cloud. ``bytes_per_s`` and ``delay_s`` (one way) make the link."""

    def __init__(
        self,
        *,
        records: int = 0,
        files: dict[int, int] | None = None,
        prio: dict[int, int] | None = None,
        seed: int = 1,
        loss: float = 0.0,
        bytes_per_s: float = 1e6,
        delay_s: float = 0.05,
        pacing: Pacing | None = None,
        pipe_is_seen: bool = True,
    ) -> None:
        self.random = random.Random(seed)
        self.machine = SyncMachine(
            random=self.random.random, pacing=pacing, pipe=self._pipe if pipe_is_seen else lambda: None
        )
        self.cloud = Cloud()
        self.now_s = 0.0
        self.minute: int | None = 0
        self.loss = loss
        self.bytes_per_s = bytes_per_s
        self.delay_s = delay_s
        self.up = True
        self.broker_up = True
        self.receiver_up = True
        self.link_free_s = 0.0
        self.pending_records: dict[int, float] = dict.fromkeys(range(1, records + 1), 0.0)
        self.pending_files: dict[int, float] = {}
        self.prio = prio or {}
        for n, size in (files or {}).items():
            self.add_file(n, size)
        self.refused: dict[Any, str] = {}
        self.troubles: list[str] = []
        self.sent: list[tuple[float, moves.Effect]] = []
        self.record_latency_s: dict[int, float] = {}
        self.added_s: dict[int, float] = {}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._n = 0
        self._connection = 0

    def add_file(self, n: int, size: int) -> None:
        self.pending_files[n] = 0.0
        self.cloud.sizes[fid(n)] = size

    def add_record(self) -> int:
        seq = max([*self.pending_records, *self.cloud.records, 0]) + 1
        self.pending_records[seq] = 0.0
        self.added_s[seq] = self.now_s
        return seq

    def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s and not until():
            self._offer()
            due = self._queue[0][0] if self._queue else end_s
            wake = max(self.machine.deadline_s(self.now_s), self.now_s + 0.01)
            self.now_s = min(due, wake, self.now_s + 1.0, end_s)
            while self._queue and self._queue[0][0] <= self.now_s:
                heapq.heappop(self._queue)[2]()
            self._do(self.machine.tick(self.now_s, minute=self.minute))

    def cut(self) -> None:
        """The connection is gone; what was on its way is, too."""
        self._connection += 1
        self.link_free_s = self.now_s
        self._do(self.machine.disconnected(self.now_s))

    @property
    def done(self) -> bool:
        return not self.pending_records and not self.pending_files

    def _pipe(self) -> int:
        """As TCP's acknowledgements show it, a round trip late."""
        return int(max(0.0, self.link_free_s + 2 * self.delay_s - self.now_s) * self.bytes_per_s)

    def _later(self, at_s: float, what: Callable[[], None]) -> None:
        self._n += 1
        heapq.heappush(self._queue, (at_s, self._n, what))

    def _offer(self) -> None:
        wants = self.machine.wants(self.now_s)
        records = [seq for seq, at in sorted(self.pending_records.items()) if at <= self.now_s]
        records = [seq for seq in records if seq not in self.machine.open_records][: max(0, wants.records)]
        files = sorted(
            (self.prio.get(n, 3), n)
            for n, at in self.pending_files.items()
            if at <= self.now_s and fid(n) not in self.machine.open_files
        )
        urgent = [n for prio, n in files if prio <= moves.URGENT][: wants.urgent]
        ordinary = [n for prio, n in files if prio > moves.URGENT][: wants.files]
        if records or urgent or ordinary:
            self._do(
                self.machine.offer(
                    self.now_s,
                    records=[moves.QueuedRecord(seq=seq, size=600) for seq in records],
                    files=[
                        moves.QueuedFile(
                            fid=fid(n), size=self.cloud.sizes[fid(n)], sha256=sha(n), prio=self.prio.get(n, 3)
                        )
                        for n in (*urgent, *ordinary)
                    ],
                )
            )

    def _do(self, effects: list[moves.Effect]) -> None:
        for effect in effects:
            self.sent.append((self.now_s, effect))
            match effect:
                case moves.Connect():
                    self._connect()
                case moves.Disconnect():
                    self.cut()
                case moves.SendHello() | moves.SendRecords() | moves.SendInit() | moves.SendChunk() | moves.SendFin():
                    self._send(effect)
                case moves.RecordsStored(seqs):
                    for seq in seqs:
                        assert seq in self.cloud.records, "counted as delivered, but the cloud does not have it"
                        del self.pending_records[seq]
                        self.record_latency_s[seq] = self.now_s - self.added_s.get(seq, 0.0)
                case moves.FileStored(name, _):
                    assert name in self.cloud.stored, "counted as stored, but the cloud does not have it"
                    del self.pending_files[int(name[:26])]
                case moves.RecordRefused(seq, why):
                    del self.pending_records[seq]
                    self.refused[seq] = why
                case moves.FileRefused(name, why):
                    del self.pending_files[int(name[:26])]
                    self.refused[name] = why
                case moves.RecordPostponed(seq, wait_s, _):
                    self.pending_records[seq] = self.now_s + wait_s
                case moves.FilePostponed(name, wait_s, _):
                    self.pending_files[int(name[:26])] = self.now_s + wait_s
                case moves.Trouble(key, _):
                    self.troubles.append(key)

    def _connect(self) -> None:
        self._connection += 1
        mine = self._connection

        def answer() -> None:
            if mine != self._connection:
                return
            if self.up and self.broker_up:
                self._do(self.machine.connected(self.now_s))
            else:
                self._do(self.machine.disconnected(self.now_s))

        self._later(self.now_s + 2 * self.delay_s, answer)

    def _send(self, effect: moves.Send) -> None:
        size = effect.length if isinstance(effect, moves.SendChunk) else 300
        self.link_free_s = max(self.link_free_s, self.now_s) + size / self.bytes_per_s
        mine = self._connection
        lost = self.random.random() < self.loss
        answer_lost = self.random.random() < self.loss

        def arrive() -> None:
            if mine != self._connection or not self.up:
                return
            self._later(self.now_s + self.delay_s, lambda: self._answer(mine, effect.token, None))
            if self.receiver_up and not lost:
                ack = self.cloud.receive(effect)
                if not answer_lost:
                    self._later(self.now_s + self.delay_s + 0.02, lambda: self._answer(mine, 0, ack))

        self._later(self.link_free_s + self.delay_s, arrive)

    def _answer(self, connection: int, token: int, ack: wire.Ack | None) -> None:
        if connection != self._connection or not self.up:
            return
        if ack is None:
            self._do(self.machine.published(self.now_s, token))
        else:
            self._do(self.machine.acknowledged(self.now_s, ack))


def ready(world: World) -> bool:
    return world.machine.phase is Phase.READY
