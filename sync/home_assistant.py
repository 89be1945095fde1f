"""The lines in Home Assistant: device discovery, states, availability, over the smart home's own broker.

Formats: home-assistant.io, "MQTT", sections "Device discovery payload", "Using availability topics", "Birth and last
will messages". What is told here may be lost and told again: it is no part of the way to the cloud.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firmware.config_home_assistant import HomeAssistantSettings
from firmware.errors import OffhookError
from firmware.ipc.client import RecorderClient
from firmware.worker import Worker

log = logging.getLogger("offhook.home-assistant")

ROOT = "offhook-ha"
"""Of states; discovery goes under the prefix of the settings."""
RETRY_S = 10.0
LOOK_S = 0.5
PHASES = ["idle", "ringing", "dialing", "talking", "suspended"]


class HomeAssistant:
    """One set of settings' worth of it: `start`, then `stop`."""

    def __init__(
        self,
        settings: HomeAssistantSettings,
        *,
        dev: str,
        box_name: str,
        version: str,
        socket: Path,
        backlog: Callable[[], dict[str, int]],
    ) -> None:
        """``backlog``: ``records`` and ``files`` that wait for the cloud; called on another thread."""
        self._settings = settings
        self._dev = dev
        self._box_name = box_name
        self._version = version
        self._socket = socket
        self._backlog = backlog
        self._again = threading.Event()
        """Everything is to be told anew: a connection, or Home Assistant has started."""
        self._told: dict[str, str] = {}
        self._worker = Worker("home-assistant", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                client = self._connect()
            except (OSError, ValueError) as error:
                log.warning("cannot reach %s: %s", self._settings.host, error)
                stop.wait(RETRY_S)
                continue
            try:
                while not stop.is_set() and client.is_connected():
                    self._follow(client, stop)
            finally:
                self._say(client, self._availability, "offline")
                client.disconnect()
                client.loop_stop()

    def _connect(self) -> paho.Client:
        """Raises OSError or ValueError."""
        settings = self._settings
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{self._dev}-ha", reconnect_on_failure=False)
        if settings.tls:
            client.tls_set(settings.ca_file or None)
        if settings.user:
            file = settings.password_file
            client.username_pw_set(settings.user, Path(file).read_text(encoding="utf-8").strip() if file else None)
        client.will_set(self._availability, "offline", qos=1, retain=True)
        connected: queue.SimpleQueue[str] = queue.SimpleQueue()

        def on_connect(_client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
            client.subscribe(f"{settings.prefix}/status", qos=1)
            connected.put(str(code) if code.is_failure else "")

        def on_message(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
            if message.payload == b"online":  # Home Assistant has started, and knows nobody
                self._again.set()

        client.on_connect, client.on_message = on_connect, on_message
        client.connect_timeout = RETRY_S
        client.connect(settings.host, settings.broker_port, 60)
        client.loop_start()
        try:
            refused = connected.get(timeout=RETRY_S)
        except queue.Empty:
            refused = "no answer"
        if refused:
            client.loop_stop()
            raise OSError(refused)
        self._again.set()
        return client

    def _follow(self, client: paho.Client, stop: threading.Event) -> None:
        """Tells what the recorder says until it goes, the broker is lost or ``stop`` is set."""
        try:
            with RecorderClient(self._socket) as recorder, recorder.subscribe() as events:
                while not stop.is_set() and client.is_connected():
                    event = events.next(LOOK_S)
                    if self._again.is_set():
                        self._again.clear()
                        self._told.clear()
                    elif event is None and self._told:
                        self._tell_backlog(client)
                        continue
                    self._tell(client, recorder.request("state"))
        except OffhookError as error:
            log.info("the recorder is away: %s", error)
            self._say(client, self._availability, "offline")
            stop.wait(RETRY_S)

    def _tell(self, client: paho.Client, state: dict[str, Any]) -> None:
        """Discovery first: a state that comes before it is taken from the retained message."""
        lines = state["lines"]
        discovery = f"{self._settings.prefix}/device/{self._dev}/config"
        self._say(client, discovery, json.dumps(self._discovery(lines), ensure_ascii=False))
        self._say(client, self._availability, "online")
        for line in lines:
            self._say(client, self._topic(line["id"]), json.dumps(self._of_line(line), ensure_ascii=False))
        box = {"calls": state["today"]["calls"], "missed": state["today"]["missed"], "alarms": len(state["alarms"])}
        self._say(client, self._topic("box"), json.dumps(box))
        self._tell_backlog(client)

    def _tell_backlog(self, client: paho.Client) -> None:
        self._say(client, self._topic("cloud"), json.dumps(self._backlog()))

    def _of_line(self, line: dict[str, Any]) -> dict[str, Any]:
        call = line["call"] or {}
        told = {
            "phase": line["phase"],
            "recording": "ON" if line["recording"] else "OFF",
            "fault": "ON" if line["fault"] or not line["present"] else "OFF",
        }
        if self._settings.show_numbers:
            told |= {"number": call.get("number") or "", "name": call.get("name") or ""}
        return told

    def _discovery(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for line in lines:
            key, name = line["id"].replace("-", "_"), line["label"] or line["id"]
            topic = self._topic(line["id"])
            parts[f"{key}_phase"] = self._part("sensor", f"{name}", topic, "phase", device_class="enum", options=PHASES)
            parts[f"{key}_recording"] = self._part("binary_sensor", f"{name} recording", topic, "recording")
            parts[f"{key}_fault"] = self._part(
                "binary_sensor", f"{name} fault", topic, "fault", device_class="problem", entity_category="diagnostic"
            )
            if self._settings.show_numbers:
                parts[f"{key}_number"] = self._part("sensor", f"{name} number", topic, "number")
                parts[f"{key}_name"] = self._part("sensor", f"{name} caller", topic, "name")
        for field, name in (("calls", "Calls today"), ("missed", "Missed today"), ("alarms", "Alarms")):
            parts[field] = self._part("sensor", name, self._topic("box"), field, state_class="measurement")
        for field, name in (("records", "Records that wait"), ("files", "Recordings that wait")):
            parts[f"cloud_{field}"] = self._part(
                "sensor", name, self._topic("cloud"), field, state_class="measurement", entity_category="diagnostic"
            )
        return {
            "device": {
                "identifiers": [self._dev],
                "name": self._box_name,
                "manufacturer": "Offhook",
                "model": "Offhook",
            }
            | {"sw_version": self._version},
            "origin": {"name": "Offhook", "sw_version": self._version},
            "availability": [{"topic": self._availability}],
            "qos": 1,
            "components": {key: part | {"unique_id": f"{self._dev}_{key}"} for key, part in parts.items()},
        }

    def _part(self, platform: str, name: str, topic: str, field: str, **more: Any) -> dict[str, Any]:
        return {
            "platform": platform,
            "name": name,
            "state_topic": topic,
            "value_template": f"{{{{ value_json.{field} }}}}",
            **more,
        }

    @property
    def _availability(self) -> str:
        return f"{ROOT}/{self._dev}/available"

    def _topic(self, what: str) -> str:
        return f"{ROOT}/{self._dev}/{what}"

    def _say(self, client: paho.Client, topic: str, payload: str) -> None:
        """Retained, and only when it is another than before."""
        if self._told.get(topic) != payload:
            self._told[topic] = payload
            client.publish(topic, payload, qos=1, retain=True)
