"""A cloud in the test's own process: hears everything a box says, and says what the test wants."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.sync.box.box import BOX, eventually

FAR_MS = 4_102_444_800_000


class Cloud:
    """Answers hello and records like a receiver; keeps the rest."""

    def __init__(self, port: int, *, ahead_ms: int = 0, client: paho.Client | None = None) -> None:
        self.results: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.records: dict[int, dict[str, Any]] = {}
        self.states: list[str] = []
        self.hellos = 0
        self._ahead_ms = ahead_ms
        self._lock = threading.Lock()
        self._client = client or paho.Client(CallbackAPIVersion.VERSION2, client_id="receiver")
        self._client.on_message = self._on_message
        self._client.on_connect = lambda c, *_: c.subscribe([("offhook1/+/up/#", 1), ("offhook1/+/status", 1)])
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def command(self, name: str, op: str, *, not_after_ms: int = FAR_MS, **args: Any) -> None:
        self.say("cmd", {"id": name, "op": op, "args": args, "not_after_ms": not_after_ms})

    def say(self, what: str, document: dict[str, Any]) -> None:
        self._client.publish(f"offhook1/{BOX}/dn/{what}", json.dumps(document), qos=1)

    def last(self, name: str) -> dict[str, Any]:
        with self._lock:
            return next((r for r in reversed(self.results) if r["id"] == name), {"state": "none"})

    def done(self, name: str, state: str = "done", seconds: float = 20.0) -> dict[str, Any]:
        eventually(lambda: self.last(name)["state"] == state, seconds, what=f"{name} {state}: {self.last(name)}")
        return self.last(name)

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        *_, what = message.topic.split("/")
        if message.topic.split("/")[2:4] == ["up", "f"]:
            return
        with self._lock:
            match what:
                case "status":
                    self.states.append(json.loads(message.payload)["state"])
                case "hello":
                    self.hellos += 1
                    hello = json.loads(message.payload)
                    upto = 0
                    while upto + 1 in self.records:
                        upto += 1
                    self.say(
                        "ack",
                        {"t": "hello", "srv_ms": self._now_ms(), "store": "s1", "batch": True, "ev_upto": upto}
                        | {"ev_gaps": [], "max_chunk": 65536, "cfg_ver": hello["cfg_ver"]},
                    )
                case "ev":
                    found = json.loads(message.payload)
                    records = found if isinstance(found, list) else [found]
                    for record in records:
                        self.records[record["seq"]] = record
                    ack = {"t": "ev", "epoch": records[0]["epoch"], "seq": [record["seq"] for record in records]}
                    self.say("ack", ack)
                case "res":
                    self.results.append(json.loads(message.payload))
                case "rep":
                    self.reports.append(json.loads(message.payload))
                case "csr":
                    self.requests.append(json.loads(message.payload))
