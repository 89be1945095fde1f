"""A link as thin, long and lossy as wished, between a network namespace of its own and the rest of this machine.

Two TUN devices with this process in between: every IP packet passes through here and is delayed, dropped or let
through, so TCP itself meets the loss. It needs /dev/net/tun, ``ip netns`` and root, and no netem in the kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import itertools
import os
import random
import secrets
import select
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import define

from firmware.worker import Worker

# linux/if_tun.h
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_MTU = 1500
_LONGEST_WAIT_S = 0.05


@define(kw_only=True)
class Direction:
    """One way of the link. Everything may be changed while packets pass."""

    rate_bps: float = 0.0
    """Bits per second; 0: as fast as it goes."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Added at random, up to this. Order is kept."""
    loss: float = 0.0
    """The share of packets that vanish, 0 to 1."""
    queue_bytes: int = 64 * 1024
    """What waits for a slow link; more is dropped, as a modem does."""
    packets: int = 0
    bytes: int = 0
    """With their IP headers; what was taken in."""
    lost: int = 0
    dropped: int = 0
    """For want of room in the queue."""


def unavailable() -> str | None:
    """Why there can be no such link here."""
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    if shutil.which("ip") is None:
        return "ip is not installed (apt install iproute2)"
    if os.geteuid() != 0:
        return "network namespaces want root"
    return None


class TunLink:
    """``near`` is the address in the namespace, ``far`` the one outside. Raises `OSError` where `unavailable` says so.

    What runs inside is started with ``wrap(command)`` and reaches servers outside that listen on ``far``.
    """

    def __init__(self, *, up: Direction | None = None, down: Direction | None = None, seed: int = 1) -> None:
        why = unavailable()
        if why is not None:
            raise OSError(f"no emulated link: {why}")
        self.up = up or Direction()
        self.down = down or Direction()
        self.cut = False
        """True: nothing passes, and nobody is told."""
        number = secrets.randbelow(16384)  # another one than any other process has
        self._name = f"offhook-{number}"
        net = f"10.{200 + number // 4096}.{number // 16 % 256}.{number % 16 * 16}"
        self.near, self.far = (f"{net.rpartition('.')[0]}.{int(net.rpartition('.')[2]) + n}" for n in (1, 2))
        self._rng = random.Random(seed)  # noqa: S311  for lost packets
        self._descriptors: list[int] = []
        self._workers: list[Worker] = []
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise
        near, far = self._descriptors
        self._workers = [
            Worker(f"{self._name}-up", lambda stop: self._carry(stop, near, far, self.up)),
            Worker(f"{self._name}-down", lambda stop: self._carry(stop, far, near, self.down)),
        ]
        for worker in self._workers:
            worker.start()

    def wrap(self, command: Sequence[str]) -> list[str]:
        """``command`` as it is started behind the link."""
        return ["ip", "netns", "exec", self._name, *command]

    def close(self) -> None:
        for worker in self._workers:
            worker.stop(5.0)
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        with contextlib.suppress(OSError):
            _ip("netns", "del", self._name)

    def _set_up(self) -> None:
        _ip("netns", "add", self._name)
        inside = ["netns", "exec", self._name, "ip"]
        self._descriptors.append(_in_namespace(self._name, lambda: _tun("near")))
        self._descriptors.append(_tun(self._name[:15]))
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "addr", "add", self.near, "peer", self.far, "dev", "near")
        _ip(*inside, "link", "set", "near", "up", "mtu", str(_MTU))
        _ip(*inside, "route", "add", "default", "dev", "near")
        _ip("addr", "add", self.far, "peer", self.near, "dev", self._name[:15])
        _ip("link", "set", self._name[:15], "up", "mtu", str(_MTU))

    def _carry(self, stop: threading.Event, source: int, sink: int, way: Direction) -> None:
        waiting: list[tuple[float, int, bytes]] = []
        order = itertools.count()
        free_at = latest = 0.0
        while not stop.is_set():
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, packet = heapq.heappop(waiting)
                if not self.cut:
                    with contextlib.suppress(OSError):  # the device is going down
                        os.write(sink, packet)
            wait_s = min(_LONGEST_WAIT_S, max(0.0, waiting[0][0] - now)) if waiting else _LONGEST_WAIT_S
            if not select.select([source], [], [], wait_s)[0]:
                continue
            packet = os.read(source, _MTU + 100)
            now = time.monotonic()
            way.packets += 1
            way.bytes += len(packet)
            if self.cut or self._rng.random() < way.loss:
                way.lost += 1
                continue
            in_line = (free_at - now) * way.rate_bps / 8 if way.rate_bps else 0.0
            if in_line > way.queue_bytes:
                way.dropped += 1
                continue
            free_at = max(now, free_at) + (len(packet) * 8 / way.rate_bps if way.rate_bps else 0.0)
            latest = max(latest, free_at + way.delay_s + self._rng.random() * way.jitter_s)
            heapq.heappush(waiting, (latest, next(order), packet))


def _in_namespace(name: str, make: Callable[[], int]) -> int:
    """A thread enters the namespace, makes the device there, and ends; the device stays where it was made."""

    def run() -> int:
        with Path(f"/run/netns/{name}").open("rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), name)
        return make()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result(10)


def _tun(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


def _ip(*arguments: str) -> None:
    command = ["ip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  ours
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
