"""How many calls and bytes a second receivers take through a real broker: `python -m bench.receiver`.

One receiver with files and SQLite, then 1, 2 and 4 receivers that share the boxes' messages over PostgreSQL and an S3
server (rclone's), all on this machine. A loader says what boxes say, so many calls at once. Afterwards everything is
hashed and counted again: each call must be there exactly once, finalised once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from attrs import evolve
from paho.mqtt.enums import CallbackAPIVersion

from sync.receiver.kept import Kept
from sync.receiver.opening import opener
from sync.receiver.settings import Settings, StorageSettings
from sync.receiver.verify import verify
from tests.sync.faults.mosquitto import Mosquitto
from tests.sync.receiver import box
from tests.sync.receiver.engines import Engines

RECORDS_PER_CALL = 5
"""started, updated (twice), sealed, ended."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    name: str
    calls: int
    took_s: float
    bytes: int
    cpu_s: float
    """Of the receivers alone."""
    peak_kib: int
    """Of the largest receiver."""
    wrong: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--boxes", type=int, default=16)
    parser.add_argument("--kib", type=int, default=256, help="size of a recording")
    parser.add_argument("--chunk-kib", type=int, default=64)
    parser.add_argument("--at-once", type=int, default=32, help="calls on their way together")
    parser.add_argument("--receivers", default="embedded,1,2,4")
    parser.add_argument("--dir", type=Path)
    wishes = parser.parse_args()
    folder = wishes.dir or Path(tempfile.mkdtemp(prefix="offhook-bench-receiver-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(
        f"{wishes.calls} calls of {wishes.kib} KiB and {RECORDS_PER_CALL} records each, {wishes.boxes} boxes, chunks "
        f"of {wishes.chunk_kib} KiB, {wishes.at_once} calls at once, {os.cpu_count()} cores"
    )
    kinds = wishes.receivers.split(",")
    engines = Engines(folder / "engines") if any(kind != "embedded" for kind in kinds) else None
    exact = True
    first: float | None = None
    try:
        for kind in kinds:
            load_before = os.getloadavg()[0]
            measured = _measure(folder / f"run-{kind}", kind, engines, wishes)
            rate = measured.calls / measured.took_s
            if first is None and kind != "embedded":
                first = rate
            grown = f", {rate / first:.2f} times one" if first and kind not in ("embedded", "1") else ""
            print(
                f"{measured.name:22} {rate:6.1f} calls/s {measured.bytes / 1e6 / measured.took_s:6.1f} MB/s{grown}, "
                f"{measured.cpu_s * 1000 / (measured.bytes / 1e6):.1f} ms CPU per MB in receivers, largest "
                f"{measured.peak_kib / 1024:.0f} MiB; load {load_before:.1f} to {os.getloadavg()[0]:.1f}; "
                + ("each exactly once" if not measured.wrong else f"NOT exact: {measured.wrong[:3]}"),
                flush=True,
            )
            exact = exact and not measured.wrong
    finally:
        if engines is not None:
            engines.stop()
    sys.exit(0 if exact else 1)


def _measure(folder: Path, kind: str, engines: Engines | None, wishes: argparse.Namespace) -> Measured:
    broker = Mosquitto(folder / "broker")
    broker.start()
    if kind == "embedded" or engines is None:
        count, settings = 1, Settings(storage=StorageSettings(data=folder / "cloud"))
        environment: dict[str, str] = {}
    else:
        count = int(kind)
        postgres, s3 = engines.settings()
        settings = Settings(storage=StorageSettings(data=folder / "cloud"), postgres=evolve(postgres, workers=4), s3=s3)
        environment = {
            "OFFHOOK_RECEIVER_BROKER_GROUP": "rx",
            "OFFHOOK_RECEIVER_POSTGRES_CONNINFO": postgres.conninfo or "",
            "OFFHOOK_RECEIVER_S3_ENDPOINT": s3.endpoint or "",
            "OFFHOOK_RECEIVER_S3_BUCKET": s3.bucket,
            "OFFHOOK_RECEIVER_S3_PREFIX": s3.prefix,
            "OFFHOOK_RECEIVER_S3_ACCESS_KEY": s3.access_key or "",
            "OFFHOOK_RECEIVER_S3_SECRET_KEY": s3.secret_key or "",
        }
    receivers = [
        subprocess.Popen(
            [sys.executable, "-m", "sync.receiver", "run"],
            env={
                **os.environ,
                **environment,
                "OFFHOOK_RECEIVER_STORAGE_DATA": str(folder / ("cloud" if kind == "embedded" else f"receiver-{n}")),
                "OFFHOOK_RECEIVER_BROKER_PORT": str(broker.port),
                "OFFHOOK_RECEIVER_BROKER_CLIENT_ID": f"receiver-{n}",
            },
            stderr=(folder / f"receiver-{n}.log").open("wb"),
        )
        for n in range(count)
    ]
    try:
        spent_before: list[float] = []  # on starting
        took_s = _load(
            wishes, broker.port, begun=lambda: spent_before.extend(_cpu_s(process.pid) for process in receivers)
        )
        cpu_s = sum(_cpu_s(process.pid) for process in receivers) - sum(spent_before)
        peak_kib = max(_peak_kib(process.pid) for process in receivers)
    finally:
        for process in receivers:
            process.terminate()
        for process in receivers:
            process.wait(30)
        broker.stop()
    files, wrong = _check(opener(settings), wishes)
    name = "embedded (SQLite)" if kind == "embedded" else f"{count} on PostgreSQL, S3"
    return Measured(name, wishes.calls, took_s, files, cpu_s, peak_kib, wrong)


def _check(opened: Callable[[], AbstractContextManager[Kept]], wishes: argparse.Namespace) -> tuple[int, list[str]]:
    """Bytes stored, and what is not exactly once."""
    with opened() as kept:
        verdict = verify(kept)
        ((more,),) = kept.rows.run("SELECT count(*) FROM file WHERE stored_times <> 1")
    wrong = [f"{one.subject}: {one.message}" for one in verdict.findings if one.code != "unannounced"]
    if verdict.files != wishes.calls or verdict.records != wishes.calls * RECORDS_PER_CALL:
        wrong.append(f"{verdict.files} files, {verdict.records} records")
    if more:
        wrong.append(f"{more} files were not finalised once")
    return verdict.bytes, wrong


def _load(wishes: argparse.Namespace, port: int, *, begun: Callable[[], None]) -> float:
    """Seconds from the first call to the last answer."""
    heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
    ready: queue.Queue[bool] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="boxes", protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(1000)
    client.on_message = lambda _client, _data, message: heard.put(
        (message.topic.split("/")[1], json.loads(message.payload))
    )
    client.on_subscribe = lambda *_: ready.put(True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("offhook1/+/dn/#", qos=1)
    ready.get(timeout=10)
    devices = [f"oh-{n}" for n in range(wishes.boxes)]
    _greet(client, heard, devices)
    begun()
    rng = random.Random(1)
    seqs = dict.fromkeys(devices, 0)
    started = done = 0
    on_the_way: dict[tuple[str, str], bytes] = {}
    asked: set[tuple[str, str]] = set()
    acked: set[tuple[str, int]] = set()
    start = time.monotonic()
    while done < wishes.calls or len(acked) < wishes.calls * RECORDS_PER_CALL:
        while started < wishes.calls and len(on_the_way) < wishes.at_once:
            dev = devices[started % len(devices)]
            data = rng.randbytes(wishes.kib * 1024)
            started += 1
            for _ in range(RECORDS_PER_CALL):
                seqs[dev] += 1
                client.publish(*box.records_message(box.record(seqs[dev], dev=dev), dev=dev), qos=1)
            on_the_way[dev, box.fid_of(data)] = data
            asked.add((dev, box.fid_of(data)))
            client.publish(*box.init(data, dev=dev), qos=1)
        dev, answer = heard.get(timeout=60)
        file = (dev, str(answer.get("f")))
        if answer["t"] == "ev":
            acked.update((dev, seq) for seq in answer["seq"])
        elif file in asked:  # as a box does: chunks after the answer to init, then fin without waiting
            asked.remove(file)
            data = on_the_way[file]
            for message in (*box.chunks(data, wishes.chunk_kib * 1024, dev=dev), box.fin(data, dev=dev)):
                client.publish(*message, qos=1)
        elif answer.get("state") == "stored" and file in on_the_way:
            assert answer["sha256"] == hashlib.sha256(on_the_way.pop(file)).hexdigest()
            done += 1
    took_s = time.monotonic() - start
    client.disconnect()
    client.loop_stop()
    return took_s


def _greet(client: mqtt.Client, heard: queue.Queue[tuple[str, dict[str, Any]]], devices: list[str]) -> None:
    """Until a receiver has answered each box once."""
    silent = set(devices)
    while silent:
        for dev in sorted(silent):
            client.publish(*box.hello(dev=dev), qos=1)
        end = time.monotonic() + 1.0
        while silent and time.monotonic() < end:
            try:
                silent.discard(heard.get(timeout=0.2)[0])
            except queue.Empty:
                break


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
