"""How many calls and bytes a second one receiver takes through a real broker: `python -m bench.receiver`.

A loader says what boxes say, so many calls at once; the receiver is a process of its own. Afterwards everything is
hashed and counted again. Only the embedded storage exists, so there is one receiver.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from sync.receiver.verify import verify
from tests.sync.faults.mosquitto import Mosquitto
from tests.sync.receiver import box

RECORDS_PER_CALL = 5
"""started, updated (twice), sealed, ended."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--kib", type=int, default=256, help="size of a recording")
    parser.add_argument("--chunk-kib", type=int, default=64)
    parser.add_argument("--at-once", type=int, default=16, help="calls on their way together")
    parser.add_argument("--dir", type=Path)
    wishes = parser.parse_args()
    folder = wishes.dir or Path(tempfile.mkdtemp(prefix="offhook-bench-receiver-"))
    folder.mkdir(parents=True, exist_ok=True)
    load_before = os.getloadavg()[0]
    broker = Mosquitto(folder / "broker")
    broker.start()
    receiver = subprocess.Popen(
        [sys.executable, "-m", "sync.receiver", "run"],
        env={
            **os.environ,
            "OFFHOOK_RECEIVER_STORAGE_DATA": str(folder / "cloud"),
            "OFFHOOK_RECEIVER_BROKER_PORT": str(broker.port),
        },
        stderr=(folder / "receiver.log").open("wb"),
    )
    try:
        took_s = _load(wishes, broker.port)
        peak_kib = _peak_kib(receiver.pid)
    finally:
        receiver.terminate()
        receiver.wait(20)
        broker.stop()
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    verdict = verify(folder / "cloud")
    wanted = wishes.calls * RECORDS_PER_CALL
    wrong = [one.message for one in verdict.findings if one.code != "unannounced"]
    exact = verdict.files == wishes.calls and verdict.records == wanted and not wrong
    megabytes = verdict.bytes / 1e6
    told = f"NOT exact: {verdict.files} files, {verdict.records} records, {wrong[:3]}"
    told = "each exactly once" if exact else told
    print(
        f"{wishes.calls} calls of {wishes.kib} KiB, chunks of {wishes.chunk_kib} KiB, {wishes.at_once} at once: "
        f"{wishes.calls / took_s:.1f} calls/s, {megabytes / took_s:.1f} MB/s, "
        f"{(cpu.ru_utime + cpu.ru_stime) * 1000 / megabytes:.1f} ms CPU per MB (receiver and broker), "
        f"peak {peak_kib / 1024:.0f} MiB; load {load_before:.1f} before, {os.getloadavg()[0]:.1f} after; "
        f"{told}"
    )
    sys.exit(0 if exact else 1)


def _load(wishes: argparse.Namespace, port: int) -> float:
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    ready: queue.Queue[bool] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="oh-1", protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(1000)
    client.on_message = lambda _client, _data, message: heard.put(json.loads(message.payload))
    client.on_subscribe = lambda *_: ready.put(True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("offhook1/oh-1/dn/#", qos=1)
    ready.get(timeout=10)
    while True:
        client.publish(*box.hello(), qos=1)
        try:
            heard.get(timeout=0.5)
            break
        except queue.Empty:
            continue
    rng = random.Random(1)
    seq = done = begun = 0
    on_the_way: dict[str, bytes] = {}
    acked: set[int] = set()
    start = time.monotonic()
    while done < wishes.calls or len(acked) < wishes.calls * RECORDS_PER_CALL:
        while begun < wishes.calls and len(on_the_way) < wishes.at_once:
            data = rng.randbytes(wishes.kib * 1024)
            begun += 1
            for _ in range(RECORDS_PER_CALL):
                seq += 1
                client.publish(*box.records_message(box.record(seq)), qos=1)
            on_the_way[box.fid_of(data)] = data
            for message in (box.init(data), *box.chunks(data, wishes.chunk_kib * 1024), box.fin(data)):
                client.publish(*message, qos=1)
        answer = heard.get(timeout=30)
        if answer["t"] == "ev":
            acked.update(answer["seq"])
        elif answer["t"] == "f" and answer["state"] == "stored" and answer["f"] in on_the_way:
            data = on_the_way.pop(answer["f"])
            assert answer["sha256"] == hashlib.sha256(data).hexdigest()
            done += 1
    took_s = time.monotonic() - start
    client.disconnect()
    client.loop_stop()
    return took_s


def _peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
