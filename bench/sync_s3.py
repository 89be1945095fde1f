"""Recordings into a bucket on this machine: goodput beside boto3's own, memory of the box's process and of its child.

A real S3 server (`rclone serve s3`), a real broker for the records, the box's own process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.sync import cpu_s, peak_mb, waiting  # noqa: E402
from bench.sync_links import BOTO  # noqa: E402
from tests.sync.box.box import Box, Receiver  # noqa: E402
from tests.sync.faults.mosquitto import Mosquitto  # noqa: E402
from tests.sync.s3.server import Rclone  # noqa: E402

CALLS, SIZE = 40, 1_000_000


def by_boto3(s3: Rclone, folder: Path) -> float:
    """MB/s of the same recordings, one after the other."""
    content = folder / "content"
    content.write_bytes(os.urandom(SIZE))
    command = [sys.executable, "-c", BOTO, f"http://127.0.0.1:{s3.port}", *[str(content)] * CALLS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return CALLS * SIZE / 1e6 / float(done.stdout)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="offhook-bench-s3-") as name:
        folder = Path(name)
        s3 = Rclone(folder)
        s3.start()
        broker = Mosquitto(folder / "broker")
        broker.start()
        receiver = Receiver(folder, broker.port)
        receiver.start()
        box = Box(folder / "box")
        box.calls(CALLS, size=SIZE)
        try:
            rival = by_boto3(s3, folder)
            box.configure(broker.port, s3.settings())
            box.start()
            while box.status()["phase"] != "ready":
                time.sleep(0.02)
            began, start = time.monotonic(), cpu_s(box.pid)
            while waiting(box):
                time.sleep(0.1)
            took_s, spent_s = time.monotonic() - began, cpu_s(box.pid) - start
            while not (child := box.status().get("upload_child")):
                time.sleep(0.1)
            rss_mb = peak_mb(box.pid)
        finally:
            box.stop()
            receiver.kill()
            broker.stop()
            s3.kill()
    mb = CALLS * SIZE / 1e6
    print(f"{CALLS} recordings of {SIZE / 1e6:g} MB to S3 over loopback without TLS; load {os.getloadavg()[0]:.1f}")
    print(f"goodput            {mb / took_s:7.1f} MB/s    boto3 by itself {rival:.1f}")
    print(f"memory of the box  {rss_mb:7.1f} MB      goal <= 45")
    print(f"memory of a child  {child['rss_kib'] / 1024:7.1f} MB      while it uploads; no goal")
    print(f"CPU of the box     {1000 * spent_s / mb:7.1f} ms/MB   goal <= 15")
    print(f"CPU of a child     {child['cpu_s']:7.2f} s       of the last one, with its start")


if __name__ == "__main__":
    main()
