"""EMQX's file transfer as its documents and sources describe it, behind a broker that passes `$file-async/#` on.

It is told whose messages they are: EMQX takes that from the session, mosquitto does not pass it on.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

SUCCESS = 0x00
UNSPECIFIED = 0x80


@dataclass
class Transfer:
    meta: dict[str, Any] | None = None
    segments: dict[int, tuple[bytes, float]] = field(default_factory=dict)
    """By offset, with the time they came."""


class FakeEmqx:
    """``now_s`` is its clock; ``nodes_down`` hides what other nodes hold."""

    def __init__(self, client: str, *, now_s: Callable[[], float], segments_ttl_s: float = 86_400.0) -> None:
        self.client = client
        self._now_s = now_s
        self._ttl_s = segments_ttl_s
        self.transfers: dict[str, Transfer] = {}
        self.exported: dict[str, bytes] = {}
        """As the S3 exporter keys them: ``{client}/{file}/{name}``."""
        self.seen: list[str] = []

    def command(self, topic: str, payload: bytes) -> dict[str, Any]:
        """The message on `$file-response/{client}`."""
        self.seen.append(topic)
        _, _, rest = topic.partition("/")
        why = self._do(rest.split("/"), payload)
        code = SUCCESS if why == "success" else UNSPECIFIED
        return {"vsn": "0.1", "topic": topic, "packet_id": 1, "reason_code": code, "reason_description": why}

    def _do(self, parts: list[str], payload: bytes) -> str:
        match parts:
            case [fid, "init"]:
                return self._init(fid, payload)
            case [fid, "fin", size, *checksum] if len(checksum) <= 1 and size.isdecimal():
                return self._fin(fid, int(size), checksum[0] if checksum else None)
            case [_, "abort"]:
                return "success"
            case [fid, offset, *checksum] if len(checksum) <= 1 and offset.isdecimal():
                return self._segment(fid, int(offset), payload, checksum[0] if checksum else None)
        return "unspecified_error"

    def _init(self, fid: str, payload: bytes) -> str:
        try:
            meta = json.loads(payload)
        except ValueError:
            return "invalid_filemeta_json"
        if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or len(meta["name"].encode()) > 240:
            return "invalid_filemeta"
        transfer = self.transfers.setdefault(fid, Transfer())
        if transfer.meta is not None and transfer.meta != meta:
            return "filemeta_conflict"
        transfer.meta = meta
        return "success"

    def _segment(self, fid: str, offset: int, data: bytes, checksum: str | None) -> str:
        if checksum is not None and hashlib.sha256(data).hexdigest() != checksum:
            return "checksum_mismatch"
        self.transfers.setdefault(fid, Transfer()).segments[offset] = (data, self._now_s())
        return "success"

    def _fin(self, fid: str, size: int, checksum: str | None) -> str:
        if any(key.startswith(f"{self.client}/{fid}") for key in self.exported):
            return "success"
        self.collect_garbage()
        transfer = self.transfers.get(fid)
        if transfer is None or transfer.meta is None:
            return "incomplete"
        whole = bytearray()
        for offset, (data, _) in sorted(transfer.segments.items()):
            if offset > len(whole):
                return "incomplete"
            whole[offset : offset + len(data)] = data
        if len(whole) < size:
            return "incomplete"
        del whole[size:]
        wanted = checksum or transfer.meta.get("checksum")
        if wanted and hashlib.sha256(whole).hexdigest() != wanted:
            return "checksum"
        self.exported[f"{self.client}/{fid}/{transfer.meta['name']}"] = bytes(whole)
        del self.transfers[fid]
        return "success"

    def collect_garbage(self) -> None:
        for transfer in self.transfers.values():
            ttl_s = min(transfer.meta.get("segments_ttl", self._ttl_s), self._ttl_s) if transfer.meta else self._ttl_s
            old = [offset for offset, (_, at_s) in transfer.segments.items() if self._now_s() - at_s > ttl_s]
            for offset in old:
                del transfer.segments[offset]


class Attached:
    """The fake on a real broker."""

    def __init__(self, fake: FakeEmqx, port: int) -> None:
        self.fake = fake
        self.deaf_to: Callable[[str], bool] = lambda _topic: False
        """Topics whose messages are lost before the fake, as by a node that dies."""
        self.wrong: Callable[[str, bytes], bytes] = lambda _topic, payload: payload
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="fake-emqx")
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("$file-async/#", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        if self.deaf_to(message.topic):
            return
        with self._lock:
            answer = self.fake.command(message.topic, self.wrong(message.topic, bytes(message.payload)))
        self._client.publish(f"$file-response/{self.fake.client}", json.dumps(answer), qos=1)
