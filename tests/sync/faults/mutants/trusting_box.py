"""A box that is wrong on purpose: it takes the broker's PUBACK for the cloud's word."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import sync.uplink
from sync import topics, wire
from sync.mqtt import Arrived, Connection
from sync.ranges import Ranges
from sync.service import main


class TrustingConnection(Connection):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._published: dict[int, tuple[str, bytes]] = {}
        self._held: dict[str, list[tuple[int, int]]] = {}
        self._store = "x"
        self._both = threading.Lock()

    def publish(self, topic: str, payload: bytes, **options: Any) -> int:
        with self._both:
            mid = super().publish(topic, payload, **options)
            self._published[mid] = (topic, payload)
            return mid

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        if b'"store"' in message.payload:
            self._store = getattr(wire.parse_ack(bytes(message.payload)), "store", None) or self._store
        super()._on_message(client, data, message)

    def _on_publish(self, client: Any, data: Any, mid: int, code: Any, properties: Any) -> None:
        super()._on_publish(client, data, mid, code, properties)
        with self._both:
            said = self._published.pop(mid, None)
        if said is None:
            return
        answer = self._answer(topics.parse(said[0]), said[1])
        if answer is not None:
            self._inbox.put(Arrived(self.number, f"offhook1/{self._dev}/dn/ack", wire.build(answer)))

    def _answer(self, topic: topics.Topic, payload: bytes) -> wire.Ack | None:
        match topic:
            case topics.RecordsTopic():
                records = wire.parse_records(payload)
                return wire.RecordsAck(epoch=records[0].epoch, seq=tuple(record.seq for record in records))
            case topics.ChunkTopic(_, fid, offset, _):
                held = self._held.setdefault(fid, [])
                held.append((offset, offset + len(payload)))
                return wire.FileAck(f=fid, state="receiving", have=tuple(Ranges(held)))
            case topics.FinTopic(_, fid, size, sha256):
                return wire.FileAck(
                    f=fid, state="stored", have=((0, size),), size=size, sha256=sha256, store=self._store
                )
        return None


if __name__ == "__main__":
    sync.uplink.Connection = TrustingConnection  # type: ignore[misc]
    sys.exit(main(Path(os.environ["OFFHOOK_DATA"]), Path(os.environ["OFFHOOK_RUN"])))
