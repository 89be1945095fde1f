"""The emulated link does what it says, measured with real packets."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from simulator.tun_link import TunLink, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


@pytest.fixture
def link() -> Iterator[TunLink]:
    link = TunLink()
    yield link
    link.close()


def _sent_up(link: TunLink, size: int) -> float:
    """Seconds that ``size`` bytes take through TCP."""
    with socket.create_server((link.far, 0)) as server:
        program = (
            f"import socket\ns = socket.create_connection(('{link.far}', {server.getsockname()[1]}))\n"
            f"s.sendall(bytes({size}))\ns.shutdown(1)\ns.recv(1)\n"
        )
        child = subprocess.Popen(link.wrap([sys.executable, "-c", program]))
        server.settimeout(30)
        connection, _ = server.accept()
        with connection:
            start, got = time.monotonic(), 0
            while block := connection.recv(65536):
                got += len(block)
            took_s = time.monotonic() - start
            connection.sendall(b"x")
        child.wait(20)
        assert got == size
        return took_s


def test_delay_is_a_round_trip_of_both_ways(link: TunLink) -> None:
    link.up.delay_s, link.down.delay_s = 0.12, 0.03
    said = subprocess.run(
        link.wrap(["bash", "-c", f"exec 3<>/dev/tcp/{link.far}/9"]), capture_output=True, text=True, check=False
    )
    assert "refused" in said.stderr  # the answer came through
    start = time.monotonic()
    with socket.create_server((link.far, 0)) as server:
        child = subprocess.Popen(
            link.wrap(["bash", "-c", f"exec 3<>/dev/tcp/{link.far}/{server.getsockname()[1]}; read -u 3 -N 1"])
        )
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"x")
            child.wait(20)
    assert time.monotonic() - start >= 0.15 * 2


def test_rate_is_kept_and_nothing_is_lost(link: TunLink) -> None:
    link.up.rate_bps = 800_000.0
    took_s = _sent_up(link, 100_000)
    assert took_s >= 0.85  # 100 kB at 100 kB/s; the kernel's first segments count before the clock starts
    assert link.up.bytes >= 100_000


def test_lost_packets_are_counted_and_tcp_repairs_them(link: TunLink) -> None:
    link.up.loss = link.down.loss = 0.05
    _sent_up(link, 300_000)
    assert link.up.lost > 0
    assert link.up.lost < link.up.packets / 4


def test_a_cut_link_is_silent(link: TunLink) -> None:
    link.cut = True
    healed = threading.Timer(1.5, lambda: setattr(link, "cut", False))
    healed.start()
    start = time.monotonic()
    _sent_up(link, 1000)
    assert time.monotonic() - start >= 1.0
    healed.join()


def test_everything_is_gone_afterwards() -> None:
    link = TunLink()
    name = link.wrap([])[3]
    link.close()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert not re.search(rf"^{name}\b", listed, re.MULTILINE)
