"""The box's sync on emulated links and with a month of backlog: goodput beside curl's and boto3's, bytes, waits.

Real TCP over two TUN devices (`simulator.tun_link`), a real broker with TLS, the real receiver, the box's own process.
Needs root. `--backlog` measures 1 200 calls and 3 GB over loopback instead.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.sync import Put, cpu_s, peak_mb, waiting  # noqa: E402
from simulator.tun_link import Direction, TunLink  # noqa: E402
from tests.sync.box.box import Box, Receiver  # noqa: E402
from tests.sync.box.certificates import Authority  # noqa: E402
from tests.sync.faults.mosquitto import Mosquitto, free_port  # noqa: E402
from tests.sync.s3.server import Rclone  # noqa: E402


@dataclass(frozen=True)
class Road:
    name: str
    bps: float
    rtt_s: float
    loss: float
    size: int
    """Bytes of the recordings, so that each measurement takes about a minute."""


ROADS = (
    Road("5 Mbit/s, 70 ms, 0.1 %", 5e6, 0.07, 0.001, 24_000_000),
    Road("500 kbit/s, 300 ms, 1 %", 5e5, 0.3, 0.01, 3_000_000),
    Road("50 kbit/s, 600 ms, 2 %", 5e4, 0.6, 0.02, 300_000),
)
FILES = 3
RECORDS = 40
"""That come while recordings go."""


def link_of(road: Road) -> TunLink:
    def way() -> Direction:
        queue = max(64 * 1024, round(road.bps / 8 * 0.5))
        return Direction(rate_bps=road.bps, delay_s=road.rtt_s / 2, loss=road.loss, queue_bytes=queue)

    return TunLink(up=way(), down=way(), seed=7)


@contextlib.contextmanager
def put_server(folder: Path, host: str) -> Iterator[str]:
    import http.server  # noqa: PLC0415

    Put.folder = folder
    server = http.server.ThreadingHTTPServer((host, 0), Put)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{host}:{server.server_port}/"
    server.shutdown()


@dataclass(frozen=True)
class Way:
    """How one of them did. Bytes are those of IP packets, also of what was sent again."""

    took_s: float
    up: int
    down: int
    payload: int

    @property
    def kb_s(self) -> float:
        return self.payload / 1000 / self.took_s

    @property
    def overhead(self) -> str:
        return f"{100 * (self.up / self.payload - 1):.1f} % up, {100 * self.down / self.payload:.1f} % down"


def by_curl(folder: Path, link: TunLink, content: list[Path]) -> Way:
    """All of it, one file after the other over one connection."""
    up, down = link.up.bytes, link.down.bytes
    with put_server(folder, link.far) as url:
        began = time.monotonic()
        words = [word for path in content for word in ("-T", str(path), url)]
        subprocess.run(link.wrap(["curl", "-s", "-H", "Expect:", *words]), check=True)
        took_s = time.monotonic() - began
    return Way(took_s, link.up.bytes - up, link.down.bytes - down, sum(path.stat().st_size for path in content))


BOTO = """
import sys, time, boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
url, *paths = sys.argv[1:]
config = Config(s3={"addressing_style": "path"}, read_timeout=600, request_checksum_calculation="when_required",
    response_checksum_validation="when_required")
client = boto3.client("s3", endpoint_url=url, aws_access_key_id="box-key", region_name="us-east-1",
    aws_secret_access_key="box-secret-0123456789", config=config)
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
began = time.monotonic()
for n, path in enumerate(paths):
    client.upload_file(path, "recordings", f"boto-{n}", Config=parts)
print(time.monotonic() - began)
"""


def by_boto3(s3: Rclone, link: TunLink, content: list[Path]) -> Way:
    up, down = link.up.bytes, link.down.bytes
    command = [sys.executable, "-c", BOTO, f"http://{link.far}:{s3.port}", *map(str, content)]
    done = subprocess.run(link.wrap(command), check=True, capture_output=True, text=True)
    size = sum(path.stat().st_size for path in content)
    return Way(float(done.stdout), link.up.bytes - up, link.down.bytes - down, size)


class LinkedBox(Box):
    """Its process runs behind the link."""

    link: TunLink

    @property
    def _command(self) -> list[str]:
        return self.link.wrap(super()._command)


@dataclass(frozen=True)
class Run(Way):
    rss_mb: float
    waits_s: list[float]
    """How long records took that came while recordings went."""

    def wait_s(self, share: float) -> float:
        return self.waits_s[int(len(self.waits_s) * share)] if self.waits_s else float("nan")


def by_box(folder: Path, road: Road, link: TunLink, *, records: int = 0) -> Run:
    """All recordings with the records of their calls, and ``records`` more that come meanwhile."""
    folder.mkdir()
    authority = Authority(folder / "ca")
    certificate, key = authority.issue("broker", address=link.far)
    port = free_port()
    behind = f"listener {port} {link.far}\ncertfile {certificate}\nkeyfile {key}"
    broker = Mosquitto(folder / "broker", extra=behind)
    broker.start()
    receiver = Receiver(folder, broker.port)
    receiver.start()
    box = LinkedBox(folder / "box")
    box.link = link
    box.calls(FILES, size=road.size // FILES)
    box.configure(port, f'ca_file = "{authority.file}"\n', transport="tls", host=link.far, waits="")
    waits: list[float] = []
    up, down = link.up.bytes, link.down.bytes
    try:
        box.start()
        while box.status()["phase"] not in ("greeting", "ready"):
            time.sleep(0.02)
        later = time.monotonic() + 5
        asked: dict[int, float] = {}
        while box.waits_for_files():
            now = time.monotonic()
            pending = {row["seq"] for row in box.rows("SELECT seq FROM outbox_event WHERE state = 'pending'")}
            for seq in [seq for seq in asked if seq not in pending]:
                waits.append(now - asked.pop(seq))
            if now >= later and len(waits) + len(asked) < records:
                later = now + 1.5
                asked[add_record(box)] = time.monotonic()
            time.sleep(0.05)
        ended_s = time.time()
        rss_mb = peak_mb(box.pid)
        ((first_ms,),) = receiver.rows("SELECT first_ms FROM device")
        (told,) = receiver.rows("SELECT sum(length(CAST(body AS BLOB))) FROM record")
    finally:
        box.stop()
        receiver.kill()
        broker.stop()
    return Run(
        took_s=ended_s - first_ms / 1000,  # since its first word: it greets and announces in this time
        up=link.up.bytes - up,
        down=link.down.bytes - down,
        payload=road.size // FILES * FILES + int(told[0]),
        rss_mb=rss_mb,
        waits_s=sorted(waits),
    )


def add_record(box: Box) -> int:
    from firmware.clock import SystemClock  # noqa: PLC0415
    from firmware.store import outbox  # noqa: PLC0415
    from firmware.store.second_writer import SecondWriter  # noqa: PLC0415

    writer = SecondWriter(box.data / "offhook.db", SystemClock())
    try:
        return writer.write(lambda tx: outbox.put(tx, "sync.test", {"test": "bench"}))
    finally:
        writer.close()


def over_links(roads: list[Road]) -> None:
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    print(
        f"{FILES} recordings a link, TLS 1.3 between box and broker, none for curl and boto3; TCP {control}", flush=True
    )
    for road in roads:
        with tempfile.TemporaryDirectory(prefix="offhook-bench-links-") as name:
            folder = Path(name)
            link = link_of(road)
            content = [folder / f"content-{n}" for n in range(FILES)]
            for path in content:
                path.write_bytes(os.urandom(road.size // FILES))
            s3 = Rclone(folder, host=link.far)
            try:
                curl = by_curl(folder, link, content)
                s3.start()
                boto = by_boto3(s3, link, content)
                box = by_box(folder / "quiet", road, link)
                busy = by_box(folder / "busy", road, link, records=RECORDS)
            finally:
                s3.kill()
                link.close()
        print(f"\n{road.name}, {road.size / 1e6:g} MB; load {os.getloadavg()[0]:.1f}")
        print(f"goodput        {box.kb_s:8.1f} kB/s   curl {curl.kb_s:.1f}, boto3 {boto.kb_s:.1f}; "
              f"{100 * box.kb_s / curl.kb_s:.0f} % of curl, goal >= 95")  # fmt: skip
        print(f"overhead       {box.overhead}; goal <= 6 and <= 3; IP packets, TLS, its handshake, all repeats")
        print(f"               curl {curl.overhead}, boto3 {boto.overhead}, both without TLS")
        print(f"records meanwhile, median {busy.wait_s(0.5):.2f} s, p95 {busy.wait_s(0.95):.2f} s "
              f"({len(busy.waits_s)} of them); goal p95 <= 1.5 s on 500 kbit/s")  # fmt: skip
        print(f"memory         {box.rss_mb:8.1f} MB     goal <= 45", flush=True)


def backlog(calls: int, total: int) -> None:
    """30 days: memory from the first to the last of them."""
    with tempfile.TemporaryDirectory(prefix="offhook-bench-backlog-") as name:
        folder = Path(name)
        broker = Mosquitto(folder / "broker")
        broker.start()
        receiver = Receiver(folder, broker.port)
        receiver.start()
        box = Box(folder / "box")
        box.calls(calls, size=total // calls)
        box.configure(broker.port, waits="")
        marks: list[tuple[int, float]] = []
        try:
            box.start()
            while box.status()["phase"] not in ("greeting", "ready"):
                time.sleep(0.05)
            began, start = time.monotonic(), cpu_s(box.pid)
            while left := waiting(box):
                marks.append((left, peak_mb(box.pid)))
                time.sleep(2)
            took, spent = time.monotonic() - began, cpu_s(box.pid) - start
            last = peak_mb(box.pid)
        finally:
            box.stop()
            receiver.kill()
            broker.stop()
    early = marks[min(len(marks) - 1, 3)][1]
    mb = total / 1e6
    print(
        f"{calls} calls, {mb:g} MB over loopback in {took:.0f} s ({mb / took:.1f} MB/s); load {os.getloadavg()[0]:.1f}"
    )
    print(f"memory, after 8 s and in the end {early:.1f}, {last:.1f} MB; goal: no growth, <= 45")
    print(f"CPU {1000 * spent / mb:.1f} ms/MB; goal <= 15")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--backlog", action="store_true")
    words.add_argument("--calls", type=int, default=1200)
    words.add_argument("--bytes", type=int, default=3_000_000_000)
    words.add_argument("--road", type=int, choices=range(len(ROADS)), help="one of the links only")
    chosen = words.parse_args()
    if chosen.backlog:
        backlog(chosen.calls, chosen.bytes)
    else:
        over_links(list(ROADS) if chosen.road is None else [ROADS[chosen.road]])


if __name__ == "__main__":
    main()
