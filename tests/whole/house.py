"""A street and a box of its own for one test: started, hurt and looked at as its people would."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from firmware.ipc.client import RecorderClient
from simulator.box import BoxUnderTest
from simulator.children import Child
from simulator.street_client import order
from simulator.toml_text import settings_document

Call = dict[str, Any]


class House:
    """``analog`` and ``sim`` name the lines; the recorder is started by the test, when it wants to."""

    def __init__(self, folder: Path, *, analog: Iterable[str] = (), sim: Iterable[str] = ()) -> None:
        self.folder = folder
        self._began = datetime.now(UTC) - timedelta(minutes=1)
        self._street_dir = folder / "street"
        command = [sys.executable, "-m", "simulator.street", "--dir", str(self._street_dir)]
        command += ["--analog", ",".join(analog), "--sim", ",".join(sim)]
        command += ["--recorder", str(folder / "run" / "recorder.sock")]
        self.street = Child("street", command, log=folder / "street.log", env={"PYTHONUNBUFFERED": "1"})
        self.street.start()
        ready = self._street_dir / "street.json"
        self.street.wait_until(ready.exists, 60.0)
        about = json.loads(ready.read_text())
        self.lines = [line["id"] for line in about["lines"]]
        self.box = BoxUnderTest(folder, about["env"])
        document = settings_document(about["lines"], name="Test", country="CN", time_zone="Asia/Shanghai")
        (self.box.data / "first-boot.toml").write_text(document, encoding="utf-8")
        self.recorder = self.box.child("recorder", "run")

    def begin(self, *, all_heard: bool = True) -> None:
        """The recorder runs and sees every line."""
        self.box.command("migrate")
        self.recorder.start()
        if all_heard:
            self.recorder.wait_until(lambda: self.box.lines_present(set(self.lines)), 30.0)
        else:
            self.recorder.wait_until(lambda: self.box.state() is not None, 30.0)

    def kill(self) -> int:
        """SIGKILL. Returns the moment, in UTC milliseconds."""
        assert self.recorder.pid is not None
        os.kill(self.recorder.pid, signal.SIGKILL)
        at = time.time_ns() // 1_000_000
        until(lambda: self.recorder.died() is not None, 5.0)
        return at

    def play(self, *calls: Call) -> None:
        """Begins a scenario; the street plays it by itself."""
        order(self._street_dir / "street.sock", "run", scenario={"name": "test", "calls": list(calls)})

    def playing(self) -> bool:
        return bool(order(self._street_dir / "street.sock", "status")["running"])

    def pull(self, what: str, line: str) -> None:
        order(self._street_dir / "street.sock", "pull", what=what, line=line)

    def put_back(self, what: str, line: str) -> None:
        order(self._street_dir / "street.sock", "put_back", what=what, line=line)

    def line(self, line: str) -> dict[str, Any]:
        """The line as the page sees it now; empty while the recorder does not answer."""
        lines = (self.box.state() or {}).get("lines", [])
        return next((found for found in lines if found["id"] == line), {})

    def alarms(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Standing alarms by key and subject."""
        return {(a["key"], a["subject"]): a for a in (self.box.state() or {}).get("alarms", [])}

    def sealed_calls(self) -> list[Call]:
        """Every call, oldest first, once all have ended and are sealed."""

        def done() -> bool:
            calls = self.calls()
            return bool(calls) and all(
                c["status"] == "ended" and all(r["status"] not in ("recording", "closed") for r in c["recordings"])
                for c in calls
            )

        until(done, 40.0, every_s=0.5)
        return self.calls()

    def ask(self, cmd: str, **arguments: Any) -> dict[str, Any]:
        """What the recorder answers on its socket. Raises `RequestError`."""
        with RecorderClient(self.box.socket) as client:
            return client.request(cmd, **arguments)

    def calls(self) -> list[Call]:
        """Every call of this test, oldest first."""
        return self.box.calls(self._began)

    def ledger(self) -> dict[str, Any]:
        """The ledger of this test."""
        return self.box.ledger(self._began)

    def close(self) -> None:
        self.recorder.stop()
        self.street.stop()


def until(what: Callable[[], bool], deadline_s: float, every_s: float = 0.1) -> None:
    """Waits for ``what``; fails the test when it has not come by the deadline."""
    end = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < end, f"not within {deadline_s:g} s"
        time.sleep(every_s)


def talk(line: str, **changes: Any) -> Call:
    """An incoming call that is answered after its first ring, both sides speaking."""
    turns = [{"side": "local", "prompt": "l01"}, {"side": "remote", "prompt": "r01"}]
    return {"line": line, "kind": "answered", "number": "13800550123", "answer_after_s": 6.5, "talk": turns} | changes
