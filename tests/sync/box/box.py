"""A box's data folder with calls in it and its sync process; and the cloud behind a broker. All are real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.clock import SystemClock
from firmware.store import settings
from firmware.store.second_writer import SecondWriter
from tests.store.world import World, whole_call

ROOT = Path(__file__).resolve().parents[3]
BOX = "box-1"
QUICK = "hello_s = 2.0\nresend_s = 1.0\nprobe_s = 0.5\nlongest_backoff_s = 1.0\nkeepalive_s = 5\n"
"""Waits that a test can wait for."""


def eventually(true: Callable[[], bool], seconds: float = 45.0, *, what: str = "it") -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} has not happened within {seconds:g} s"
        time.sleep(0.05)


class Box:
    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.run_dir = folder / "run"
        self.data.mkdir(parents=True)
        self.run_dir.mkdir()
        self.world = World(self.data)
        self.log = folder / "sync.log"
        self._process: subprocess.Popen[bytes] | None = None

    def calls(self, count: int, *, size: int = 2000) -> None:
        for _ in range(count):
            whole_call(self.world, size=size)

    def masters(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in (self.data / "recordings").rglob("*.flac"))

    def configure(
        self, port: int, more: str = "", *, transport: str = "plain", host: str = "127.0.0.1", waits: str = QUICK
    ) -> None:
        document = (
            f'[sync]\nenabled = true\nhost = "{host}"\nport = {port}\ntransport = "{transport}"\nbox_id = "{BOX}"\n'
            f"{waits}{more}"
        )
        writer = SecondWriter(self.data / "offhook.db", SystemClock())
        newest = settings.newest(writer.db)
        base = newest.version if newest else 0
        writer.write(lambda tx: settings.apply(tx, base_version=base, document=document, by="test"))
        writer.close()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*self._command, "sync", "run"], stdout=log, stderr=log, cwd=ROOT)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> int:
        """The exit code after SIGTERM; 0 when it did not run."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        return process.wait(15)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def _command(self) -> list[str]:
        folders = ["--data", str(self.data), "--run-dir", str(self.run_dir)]
        return [sys.executable, "-m", "cli.main", *folders]

    def offhook(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *words], capture_output=True, text=True, timeout=90, cwd=ROOT, check=False
        )

    def status(self) -> dict[str, Any]:
        shown = self.run_dir / "sync" / "status.json"
        return json.loads(shown.read_text()) if shown.exists() else {"phase": "none"}

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return self.world.rows(sql)

    def waits(self) -> int:
        """Records and FLAC files that the cloud does not have, by the box's own count."""
        (row,) = self.rows(
            "SELECT (SELECT count(*) FROM outbox_event WHERE state = 'pending') + (SELECT count(*) FROM outbox_file "
            "WHERE state IN ('pending', 'sending') AND path LIKE '%.flac') AS n"
        )
        return int(row["n"])

    def waits_for_files(self) -> int:
        (row,) = self.rows(
            "SELECT count(*) AS n FROM outbox_file WHERE state IN ('pending', 'sending') AND path LIKE '%.flac'"
        )
        return int(row["n"])


class Receiver:
    """`python -m sync.receiver run` on a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.data = folder / "cloud"
        self.log = folder / "receiver.log"
        self._env = os.environ | {
            "OFFHOOK_RECEIVER_STORAGE_DATA": str(self.data),
            "OFFHOOK_RECEIVER_BROKER_PORT": str(port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def set(self, **settings: object) -> None:
        """``broker_ca_file=...``: as the environment names them."""
        self._env |= {f"OFFHOOK_RECEIVER_{name}".upper(): str(value) for name, value in settings.items()}

    def forget(self) -> None:
        """Everything is gone; what starts next is another store."""
        shutil.rmtree(self.data)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sync.receiver", *words]
        return subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "sync.receiver", "run"]
            self._process = subprocess.Popen(command, env=self._env, stdout=log, stderr=log, cwd=ROOT)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"{(self.data / 'receiver.db').as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def stored(self) -> list[bytes]:
        """The contents of every stored file."""
        return sorted(path.read_bytes() for path in self.data.rglob("*") if path.is_file() and _is_recording(path))


def _is_recording(path: Path) -> bool:
    return "part" not in path.parts and path.suffix in (".flac", ".opus")
