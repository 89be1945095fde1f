"""The lines in Home Assistant: what a broker holds after the box has spoken, with a recorder of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware.config_home_assistant import HomeAssistantSettings
from sync.home_assistant import HomeAssistant
from tests.sync.box.box import eventually
from tests.sync.faults.mosquitto import Mosquitto
from tests.webui.box import StubRecorder, live_call, live_line


class House:
    """Home Assistant's side: keeps what is said under each topic."""

    def __init__(self, port: int) -> None:
        self.topics: dict[str, str] = {}
        self.discoveries = 0
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="house")
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([("homeassistant/#", 1), ("offhook-ha/#", 1)])
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def starts(self) -> None:
        self._client.publish("homeassistant/status", "online", qos=1)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            self.topics[message.topic] = message.payload.decode()
            self.discoveries += message.topic.endswith("/config")

    def json(self, topic: str) -> dict[str, Any]:
        return json.loads(self.topics.get(topic, "{}"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[House, int]]:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    house = House(broker.port)
    yield house, broker.port
    house.close()
    broker.stop()


def speaking(port: int, run_dir: Path, **more: Any) -> HomeAssistant:
    settings = HomeAssistantSettings(enabled=True, host="127.0.0.1", port=port, **more)
    speaker = HomeAssistant(
        settings,
        dev="oh-1",
        box_name="Front office",
        version="1.2",
        socket=run_dir / "recorder.sock",
        backlog=lambda: {"records": 3, "files": 1},
    )
    speaker.start()
    return speaker


def test_each_line_and_the_box_are_found_and_followed(house: tuple[House, int], tmp_path: Path) -> None:
    home, port = house
    (tmp_path / "run").mkdir()
    with StubRecorder(tmp_path / "run", lines=[live_line("fxo-1", label="Front desk"), live_line("fxo-2")]) as recorder:
        speaker = speaking(port, tmp_path / "run")
        eventually(lambda: home.topics.get("offhook-ha/oh-1/available") == "online", what="available")
        found = home.json("homeassistant/device/oh-1/config")
        assert found["device"]["name"] == "Front office"
        parts = found["components"]
        of_lines = {"fxo_1_phase", "fxo_1_recording", "fxo_1_fault", "fxo_2_phase"}
        assert of_lines | {"calls", "missed", "alarms"} <= set(parts)
        assert not any("number" in key for key in parts), "numbers are not told unless the owner says so"
        assert len({part["unique_id"] for part in parts.values()}) == len(parts)
        assert all(part["state_topic"].startswith("offhook-ha/oh-1/") for part in parts.values())
        eventually(lambda: home.json("offhook-ha/oh-1/cloud") == {"records": 3, "files": 1}, what="the backlog")
        eventually(lambda: home.json("offhook-ha/oh-1/fxo-1").get("phase") == "idle", what="idle")

        recorder.say_line(live_line("fxo-1", phase="talking", recording=True, call=live_call(number="+8613800138000")))
        eventually(lambda: home.json("offhook-ha/oh-1/fxo-1").get("phase") == "talking", what="talking")
        assert home.json("offhook-ha/oh-1/fxo-1")["recording"] == "ON"
        assert "138" not in json.dumps(home.topics)

        before = home.discoveries
        home.starts()
        eventually(lambda: home.discoveries > before, what="told again when Home Assistant starts")
    eventually(lambda: home.topics["offhook-ha/oh-1/available"] == "offline", 20, what="the recorder is gone")
    speaker.stop()


def test_numbers_are_told_where_the_owner_says_so(house: tuple[House, int], tmp_path: Path) -> None:
    home, port = house
    (tmp_path / "run").mkdir()
    with StubRecorder(tmp_path / "run", lines=[live_line("fxo-1", phase="talking", call=live_call(number="+861"))]):
        speaker = speaking(port, tmp_path / "run", show_numbers=True)
        eventually(lambda: home.json("offhook-ha/oh-1/fxo-1").get("number") == "+861", what="the number")
        assert "fxo_1_number" in home.json("homeassistant/device/oh-1/config")["components"]
        speaker.stop()
    assert home.topics["offhook-ha/oh-1/available"] == "offline"
