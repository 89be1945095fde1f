"""A real S3 server: `rclone serve s3` on a folder."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sync.faults.mosquitto import free_port

RCLONE = Path(sys.executable).with_name("rclone")
KEY, SECRET = "box-key", "box-secret-0123456789"
BUCKET = "recordings"


class Rclone:
    def __init__(self, folder: Path, *, host: str = "127.0.0.1") -> None:
        if not RCLONE.exists():
            pytest.skip("rclone is not installed (it comes with the development requirements)")
        self.host = host
        self.root = folder / "s3"
        (self.root / BUCKET).mkdir(parents=True)
        self.port = free_port()
        self.keys = folder / "keys.json"
        self.keys.write_text(json.dumps({"access_key_id": KEY, "secret_access_key": SECRET}))
        self._log = folder / "rclone.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [RCLONE, "serve", "s3", str(self.root), "--addr", f"{self.host}:{self.port}", "--auth-key",
                 f"{KEY},{SECRET}", "--config", "/dev/null", "-v"],
                stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 0.5):
                return
            time.sleep(0.05)
        raise TimeoutError(self._log.read_text())

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def objects(self) -> dict[str, bytes]:
        base = self.root / BUCKET
        return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}

    def settings(self, more: str = "") -> str:
        """For the end of `[sync]`."""
        return (
            f'files_by = "s3"\n[sync.s3]\nendpoint = "http://127.0.0.1:{self.port}"\nbucket = "{BUCKET}"\n'
            f'path_style = true\nkeys_file = "{self.keys}"\n{more}'
        )
