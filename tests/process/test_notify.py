"""What systemd hears, over the socket it would listen at."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.notify import Notifier


class Systemd:
    """The end of $NOTIFY_SOCKET that systemd holds."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def heard(self) -> list[str]:
        messages = []
        self._socket.setblocking(False)
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    ours = Systemd(tmp_path / "notify")
    yield ours
    ours.close()


def test_ready_status_and_stopping(systemd: Systemd) -> None:
    notifier = Notifier()
    notifier.ready("2 lines\nin sight")
    notifier.status("2 lines in sight")
    notifier.status("1 line in sight")
    notifier.stopping("sealing")
    assert systemd.heard() == [
        "READY=1\nSTATUS=2 lines in sight",
        "STATUS=1 line in sight",
        "STOPPING=1\nSTATUS=sealing",
    ]


def test_the_watchdog_is_petted_four_times_per_timeout(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier()
    end = time.monotonic() + 0.45
    while time.monotonic() < end:
        notifier.watchdog()
        time.sleep(0.005)
    assert 3 <= systemd.heard().count("WATCHDOG=1") <= 5


def test_without_a_watchdog_nothing_is_said(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    Notifier().watchdog()
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    Notifier().watchdog()
    assert systemd.heard() == []


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready("x")
