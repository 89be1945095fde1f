"""Measures the way to the cloud on this machine: goodput beside curl's, bytes on the wire, memory and CPU of the box.

Everything runs on loopback: a real broker, the real receiver, the box's sync process, and a relay that counts bytes.
"""

from __future__ import annotations

import http.server
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.sync.box.box import Box, Receiver  # noqa: E402
from tests.sync.faults.mosquitto import Mosquitto  # noqa: E402

CALLS, SIZE = 40, 1_000_000
IDLE_S = 10.0


class Relay:
    """Passes bytes on and counts them."""

    def __init__(self, behind: int) -> None:
        self.up = self.down = 0
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            broker = socket.create_connection(("127.0.0.1", self._behind))
            for source, sink, name in ((client, broker, "up"), (broker, client, "down")):
                threading.Thread(target=self._copy, args=(source, sink, name), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, name: str) -> None:
        try:
            while data := source.recv(1 << 18):
                setattr(self, name, getattr(self, name) + len(data))
                sink.sendall(data)
        except OSError:
            pass
        sink.close()


class Put(http.server.BaseHTTPRequestHandler):
    """Takes a file, makes it durable, and answers: what the receiver does, over HTTP."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_PUT(self) -> None:
        self.send_response_only(100)
        self.end_headers()
        with (self.folder / "put").open("wb") as file:
            left = int(self.headers["Content-Length"])
            while left:
                left -= file.write(self.rfile.read(min(left, 1 << 16)))
            file.flush()
            os.fsync(file.fileno())
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def curl(folder: Path) -> float:
    """MB/s of one PUT after the other, each durable before the next."""
    Put.folder = folder
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Put)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    content = folder / "content"
    content.write_bytes(os.urandom(SIZE))
    url = f"http://127.0.0.1:{server.server_port}/"
    started = time.monotonic()
    subprocess.run(["curl", "-s", *(["-T", content, url] * CALLS)], check=True)
    took = time.monotonic() - started
    server.shutdown()
    return CALLS * SIZE / took / 1e6


def waiting(box: Box) -> int:
    db = sqlite3.connect(f"file:{box.data}/offhook.db?mode=ro", uri=True)
    try:
        (files,) = db.execute(
            "SELECT count(*) FROM outbox_file WHERE state IN ('pending','sending') AND path LIKE '%.flac'"
        ).fetchone()
        (events,) = db.execute("SELECT count(*) FROM outbox_event WHERE state = 'pending'").fetchone()
    finally:
        db.close()
    return int(files) + int(events)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="offhook-bench-sync-") as name:
        folder = Path(name)
        rival = curl(folder)
        broker = Mosquitto(folder / "broker")
        broker.start()
        receiver = Receiver(folder, broker.port)
        receiver.start()
        relay = Relay(broker.port)
        box = Box(folder / "box")
        box.calls(CALLS, size=SIZE)
        box.start()
        try:
            while box.status()["phase"] != "off":
                time.sleep(0.1)
            start = cpu_s(box.pid)
            box.configure(relay.port)
            while box.status()["phase"] not in ("greeting", "ready"):
                time.sleep(0.02)
            started = time.monotonic()
            while waiting(box):
                time.sleep(0.1)
            took, spent = time.monotonic() - started, cpu_s(box.pid) - start
            rss = peak_mb(box.pid)
            time.sleep(IDLE_S)
            idle = cpu_s(box.pid) - spent - start
        finally:
            box.stop()
            receiver.kill()
            broker.stop()
    size_mb = CALLS * SIZE / 1e6
    load = os.getloadavg()[0]
    print(f"{CALLS} recordings of {SIZE / 1e6:g} MB over loopback without TLS; load {load:.1f}")
    print(f"goodput          {size_mb / took:7.1f} MB/s    curl PUT with fsync: {rival:.1f}")
    print(f"overhead up      {100 * (relay.up / size_mb / 1e6 - 1):7.2f} %       goal <= 6; MQTT only, without TCP/IP")
    print(f"overhead down    {100 * relay.down / size_mb / 1e6:7.2f} %       goal <= 3; likewise")
    print(f"memory, highest  {rss:7.1f} MB      goal <= 45")
    print(f"CPU              {1000 * spent / size_mb:7.1f} ms/MB   goal <= 15")
    print(f"CPU when idle    {100 * idle / IDLE_S:7.2f} %")
    print(f"CPU of the start {start:7.2f} s")


if __name__ == "__main__":
    main()
