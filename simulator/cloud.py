"""A cloud on this machine for the demo: mosquitto, our receiver and its console, and what they have of a box."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.box import BoxUnderTest
from simulator.children import Child, ChildError
from sync.receiver.console.reading import PAGE_AT_MOST, Reader
from sync.receiver.opening import open_folder
from sync.receiver.verify import verify

_READY_DEADLINE_S = 30.0
_ARRIVED_DEADLINE_S = 90.0
_LOOK_EVERY_S = 0.5


class DemoCloud:
    """Three processes and their folder. Raises `ChildError` where mosquitto is not installed."""

    def __init__(self, folder: Path, *, broker_port: int, console_port: int) -> None:
        self.data = folder / "cloud"
        self.data.mkdir(parents=True, exist_ok=True)
        self._broker_port = broker_port
        self._console_port = console_port
        binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if binary is None:
            raise ChildError("mosquitto is not installed: apt install mosquitto, or run the demo with --no-cloud")
        conf = folder / "mosquitto.conf"
        conf.write_text(
            f"listener {broker_port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 256\n"
        )
        env = {
            "OFFHOOK_RECEIVER_STORAGE_DATA": str(self.data),
            "OFFHOOK_RECEIVER_BROKER_PORT": str(broker_port),
            "OFFHOOK_RECEIVER_CONSOLE_PORT": str(console_port),
            "PYTHONUNBUFFERED": "1",
        }
        ours = [sys.executable, "-m", "sync.receiver"]
        self.broker = Child("broker", [binary, "-c", str(conf)], log=folder / "broker.log", env={})
        self.receiver = Child("receiver", [*ours, "run"], log=folder / "receiver.log", env=env)
        self.console = Child("console", [*ours, "console"], log=folder / "console.log", env=env)

    def start(self, begin: Callable[[Child], None], answers: Callable[[int], bool]) -> str:
        """Returns what a person needs to know: the console's address and its first-run code."""
        begin(self.broker)
        self.broker.wait_until(lambda: answers(self._broker_port), _READY_DEADLINE_S)
        begin(self.receiver)
        self.receiver.wait_until((self.data / "receiver.db").exists, _READY_DEADLINE_S)
        begin(self.console)
        self.console.wait_until(lambda: answers(self._console_port), _READY_DEADLINE_S)
        code = self.data / "first-run-code"
        told = f"The cloud:       [bold]http://127.0.0.1:{self._console_port}/[/bold]"
        return f"{told}\nIts code:        [bold]{code.read_text().strip()}[/bold]" if code.exists() else told

    def settings(self) -> str:
        """The table of the box's settings that leads here, with the patience of a local network."""
        return (
            "\n[sync]\nenabled = true\n"
            f'host = "127.0.0.1"\ntransport = "plain"\nport = {self._broker_port}\n'
            "hello_s = 5.0\nresend_s = 2.0\nprobe_s = 2.0\nlongest_backoff_s = 2.0\n"
        )

    def differences(
        self, box: BoxUnderTest, calls: list[dict[str, Any]], *, look_after: Callable[[], None]
    ) -> list[str]:
        """What of ``calls`` is not here byte for byte, and what is here and nowhere else. Waits until all has come."""
        end_s = time.monotonic() + _ARRIVED_DEADLINE_S
        while True:
            found = self._differences(box, calls)
            if not found or time.monotonic() > end_s:
                return found
            look_after()
            time.sleep(_LOOK_EVERY_S)

    def summary(self) -> str:
        """What the receiver itself finds when it hashes everything again."""
        with open_folder(self.data) as kept:
            verdict = verify(kept)
        well = "all as recorded" if not verdict.findings else "; ".join(one.message for one in verdict.findings)
        return (
            f"In the cloud: {verdict.files} recordings ({verdict.bytes / 1e6:.1f} MB, hashed again) and "
            f"{verdict.records} records: {well}"
        )

    def _differences(self, box: BoxUnderTest, calls: list[dict[str, Any]]) -> list[str]:
        found: list[str] = []
        with open_folder(self.data) as kept:
            reader = Reader(kept)
            here: dict[str, dict[str, Any]] = {}
            before: str | None = None
            while True:
                page, before = reader.calls(before=before, limit=PAGE_AT_MOST)
                here |= {call["id"]: call for call in page}
                if before is None:
                    break
            for call in calls:
                there = here.get(call["id"])
                if there is None:
                    found.append(f"call {call['id']} is not in the cloud")
                    continue
                if there["status"] != call["status"] or there["outcome"] != call["outcome"]:
                    told = f"{call['outcome']} on the box and {there['outcome']} in the cloud"
                    found.append(f"call {call['id']} is {told}")
                files = {
                    one["sha256"]: (there["dev"], one["fid"])
                    for recording in there["recordings"]
                    for one in recording["files"]
                    if one["state"] == "stored"
                }
                for recording in call["recordings"]:
                    sha256, path = recording["flac_sha256"], recording["flac_path"]
                    if path is None:
                        continue
                    stored = reader.file(*files[sha256]) if sha256 in files else None
                    if stored is None:
                        found.append(f"recording {recording['id']} is not in the cloud")
                    elif hashlib.sha256(b"".join(kept.files.read(stored))).hexdigest() != sha256:
                        found.append(f"recording {recording['id']} has other bytes in the cloud")
            for one in reader.boxes()[0]:
                if one["missing"]:
                    found.append(f"{one['missing']} records of {one['dev']} have not come")
            known = {call["id"] for call in box.calls(datetime.fromtimestamp(0, UTC))}
        return found + [f"call {call} is in the cloud and not on the box" for call in sorted(here.keys() - known)]
