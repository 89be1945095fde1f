"""A shell script with mosquitto_sub and mosquitto_pub receives a recording: nothing of ours is needed for it."""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.sync.faults.mosquitto import Mosquitto
from tests.sync.receiver import box

SCRIPT = Path(__file__).parents[3] / "docs" / "examples" / "receive.sh"
LINES_AT_MOST = 100


class Speaker:
    """Says what a box says, and hears what it is answered."""

    def __init__(self, port: int) -> None:
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="oh-1", protocol=mqtt.MQTTv5)
        ready = queue.Queue[bool]()
        self._client.on_message = lambda _client, _data, message: self.heard.put(json.loads(message.payload))
        self._client.on_subscribe = lambda *_: ready.put(True)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("offhook1/oh-1/dn/#", qos=1)
        ready.get(timeout=10)

    def say(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(10)

    def answer(self, deadline_s: float = 20.0) -> dict[str, Any]:
        return self.heard.get(timeout=deadline_s)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_script_is_short_and_uses_only_the_clients() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= LINES_AT_MOST
    assert "mosquitto_sub" in text
    assert "python" not in text


@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto-clients is not installed")
def test_script_receives_a_recording_and_asks_for_a_dropped_chunk(broker: Mosquitto, tmp_path: Path) -> None:
    sound = random.Random(3).randbytes(5 * 16384 + 777)
    folder = tmp_path / "cloud"
    script = subprocess.Popen(
        ["sh", str(SCRIPT), "127.0.0.1", str(broker.port), str(folder)],
        env={**os.environ, "DROP": "3"},
        start_new_session=True,
    )
    speaker = Speaker(broker.port)
    try:
        for _ in range(50):  # until somebody listens
            speaker.say(*box.hello(max_seq=1))
            try:
                hello = speaker.answer(0.5)
                break
            except queue.Empty:
                continue
        assert (hello["t"], hello["ev_upto"]) == ("hello", 0)
        for _ in range(2):
            speaker.say(*box.records_message(box.record(1, data={"id": "c", "seq": 99})))
            assert speaker.answer()["seq"] == [1]
        speaker.say(*box.init(sound))
        assert speaker.answer()["have"] == []
        pieces = box.chunks(sound, 16384)
        assert len(pieces) == 6
        for topic, part in pieces:
            speaker.say(topic, part)
        speaker.say(*box.fin(sound))
        have = [speaker.answer()["have"] for _ in range(6)][-1]  # five chunks and fin
        assert have == [[0, 2 * 16384], [3 * 16384, len(sound)]]
        speaker.say(*pieces[2])
        assert speaker.answer()["have"] == [[0, len(sound)]]
        speaker.say(*box.fin(sound))
        stored = speaker.answer()
        assert (stored["state"], stored["size"], stored["sha256"]) == ("stored", len(sound), box.sha(sound))
        assert (folder / f"{box.fid_of(sound)}.flac").read_bytes() == sound
        speaker.say(*box.init(sound))
        speaker.answer()
        speaker.say(*box.fin(sound))
        assert speaker.answer()["state"] == "stored"
        assert len((folder / "records.jsonl").read_text().splitlines()) == 1
    finally:
        speaker.close()
        os.killpg(script.pid, signal.SIGTERM)
        script.wait(10)
