"""Says over the connection what the machine has decided to send: builds the payload, reads the piece of the file."""

from __future__ import annotations

from collections.abc import Callable

from sync import moves, topics, wire
from sync.dialects import Dialect
from sync.machine import SyncMachine
from sync.orders import CONFIG_VERSION
from sync.outbox import DueFile, Outbox
from sync.under_way import UnderWay, UnreadableError
from sync.uplink import Uplink


class Speaker:
    def __init__(
        self,
        dev: str,
        uplink: Uplink,
        dialect: Dialect,
        *,
        box: Outbox,
        under_way: UnderWay,
        machine: SyncMachine,
        now_s: Callable[[], float],
    ) -> None:
        self._dev = dev
        self._uplink = uplink
        self._dialect = dialect
        self._outbox = box
        self._under_way = under_way
        self._machine = machine
        self._now_s = now_s

    def send(self, effect: moves.Send) -> None:
        match effect:
            case moves.SendHello(token):
                hello = wire.Hello(
                    epoch=self._outbox.epoch,
                    cfg_ver=int(self._outbox.note(CONFIG_VERSION) or 0),
                    max_seq=self._outbox.max_seq(),
                )
                self._uplink.publish(topics.HelloTopic(self._dev), wire.build(hello), wire.JSON_TYPE, token)
            case moves.SendRecords(token, seqs):
                payload, kind = wire.build_records(self._under_way.records(seqs))
                self._uplink.publish(topics.RecordsTopic(self._dev), payload, kind, token)
            case moves.SendInit(token, fid) | moves.SendChunk(token, fid, _, _) | moves.SendFin(token, fid):
                file = self._under_way.file(fid)
                if file is None:  # given up by an earlier chunk of the same turn
                    self._machine.published(self._now_s(), token)
                else:
                    self._send_of(file, effect)

    def _send_of(self, file: DueFile, effect: moves.SendInit | moves.SendChunk | moves.SendFin) -> None:
        match effect:
            case moves.SendInit(token):
                self._uplink.send(self._dialect.init(file.fid), file.init, wire.JSON_TYPE, token)
            case moves.SendFin(token):
                self._uplink.send(self._dialect.fin(file), b"", None, token)
            case moves.SendChunk(token, fid, offset, length):
                try:
                    data = self._under_way.piece(file, offset, length)
                except UnreadableError as error:
                    self._machine.withdraw(fid)
                    self._machine.published(self._now_s(), token)
                    self._under_way.unreadable(file, str(error))
                else:
                    self._uplink.send(self._dialect.chunk(fid, offset, data), data, wire.BYTES_TYPE, token)
