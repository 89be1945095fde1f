"""What stands around the page in its tests: a data folder with calls in it, and a recorder that behaves."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from flask.testing import FlaskClient

from firmware.ipc.dispatcher import Dispatcher
from firmware.ipc.server import IpcServer
from firmware.store.migrate import migrate
from firmware.worker import Worker

NOW_MS = 1_795_000_000_000  # 2026-11-18 in UTC
PASSWORD = "correct horse battery"
Json = dict[str, Any]
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
SIM_READY: Json = {
    "line": "sim-1", "imei": "862636056482735", "model": "SIMCOM_SIM7600E-H", "iccid": "89860012345678901234",
    "own_number": "+14255550188", "operator": "Contoso Mobile", "sim": "READY", "pin_tries": 3, "puk_tries": 10,
    "circuit": "home", "packet": "home", "radio": "lte", "ims": True, "voice": "volte", "signal_dbm": -73,
    "pin_known": True, "minutes": {
        "used_s": 3600, "left_s": 600, "included_s": 4200, "forecast_s": 9000, "will_run_out": True,
        "warned_percent": 80, "calls": 12, "free_calls": 2, "period_begins_utc_ms": NOW_MS,
        "period_ends_utc_ms": NOW_MS + 86_400_000,
    },
}  # fmt: skip


def eventually(condition: Callable[[], Any], what: str, deadline_s: float = 10.0) -> Any:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {deadline_s} s: {what}")


class Database:
    """The recorder's database, written as the recorder would."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        migrate(data_dir / "offhook.db")
        self.conn = sqlite3.connect(data_dir / "offhook.db", isolation_level=None)
        self.conn.execute("INSERT INTO boot (boot_id, first_utc_ms, first_boot_ns) VALUES ('b', ?, 0)", (NOW_MS,))
        self.line("fxo-1", "Front desk")
        self.line("sim-1", "Mobile", kind="sim")

    def line(self, line: str, label: str, kind: str = "analog") -> None:
        self.conn.execute(
            "INSERT INTO line (id, kind, driver, label, first_utc_ms) VALUES (?, ?, 'fxo-gpio', ?, ?)",
            (line, kind, label, NOW_MS),
        )

    def call(self, at_s: float, **columns: Any) -> str:
        """A call that started ``at_s`` seconds after the boot and was answered, unless ``columns`` says otherwise."""
        at_ms = NOW_MS + round(at_s * 1000)
        row = {
            "id": f"call{at_s:g}-{columns.get('line', 'fxo-1')}",
            "line": "fxo-1",
            "direction": "incoming",
            "status": "ended",
            "number": "+14255550100",
            "name": None,
            "presentation": "valid",
            "boot_no": 1,
            "started_utc_ms": at_ms,
            "started_boot_ns": round(at_s * 1e9),
            "answered_utc_ms": at_ms + 5_000,
            "ended_utc_ms": at_ms + 65_000,
            "outcome": "answered",
            "end_reason": "on_hook",
            "flags": "[]",
        } | columns
        self._insert("call", row)
        return str(row["id"])

    def recording(self, call: str, part: int = 1, **columns: Any) -> str:
        row = {
            "id": f"{call}.p{part}",
            "call_id": call,
            "line": "fxo-1",
            "part": part,
            "status": "sealed",
            "boot_no": 1,
            "started_utc_ms": NOW_MS,
            "started_boot_ns": 0,
            "rate_hz": 8000,
            "roles": '["mixed"]',
            "duration_ms": 60_000,
        } | columns
        self._insert("recording", row)
        return str(row["id"])

    def sound(self, name: str, seconds: float = 20.0) -> dict[str, str]:
        """A tone as FLAC and Opus in the recordings folder; gives the columns that name the files."""
        folder = self.data_dir / "recordings" / "2026" / "11" / "18"
        folder.mkdir(parents=True, exist_ok=True)
        time_s = np.arange(round(seconds * 8000)) / 8000
        tone = (0.2 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
        soundfile.write(folder / f"{name}.flac", tone, 8000, subtype="PCM_16")
        soundfile.write(folder / f"{name}.opus", tone, 8000, format="OGG", subtype="OPUS")
        base = folder.relative_to(self.data_dir)
        return {"flac_path": str(base / f"{name}.flac"), "opus_path": str(base / f"{name}.opus")}

    def annotate(self, sql: str, call: str, *values: object, what: str, value: str = "") -> None:
        """Changes what people wrote to a call, and enters what changed and to what, as the recorder does."""
        self.conn.execute(sql, values)
        entry = {"call_id": call, "what": what, "value": value, "by": "anna", "at_utc_ms": NOW_MS}
        self._insert("annotation", entry)

    def note(self, call: str, text: str) -> None:
        sql = "INSERT OR REPLACE INTO call_note VALUES (?, ?, 'anna', 1)"
        self.annotate(sql, call, call, text, what="note", value=text)

    def tag(self, call: str, tag: str) -> None:
        self.annotate("INSERT INTO call_tag VALUES (?, ?)", call, call, tag, what="tag", value=tag)

    def settings(self, document: str) -> None:
        self._insert("setting", {"document": document, "applied_utc_ms": 0, "applied_by": "test"})

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        marks = ", ".join("?" * len(row))
        self.conn.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))

    def close(self) -> None:
        self.conn.close()


def live_line(line: str = "fxo-1", **fields: Any) -> dict[str, Any]:
    """LINE of docs/interfaces.md."""
    return {
        "id": line, "label": "Front desk", "kind": "analog", "driver": "fxo-gpio", "present": True, "phase": "idle",
        "sound": "ok", "recording": False, "call": None, "fault": None,
    } | fields  # fmt: skip


def live_call(line: str = "fxo-1", **fields: Any) -> dict[str, Any]:
    """CALL of docs/interfaces.md, answered just now."""
    now_ms = time.time_ns() // 1_000_000
    return {
        "id": f"live-{line}", "line": line, "direction": "incoming", "status": "talking", "started_utc_ms": now_ms,
        "number": "+14255550123", "name": "Contoso", "presentation": "valid", "answered_utc_ms": now_ms,
        "ended_utc_ms": None, "outcome": None, "end_reason": None, "parts": 1, "flags": [],
    } | fields  # fmt: skip


def alarm(number: int = 1, **fields: Any) -> dict[str, Any]:
    """ALARM of docs/interfaces.md."""
    return {
        "id": number, "key": "line_silent", "subject": "fxo-1", "severity": "warning",
        "text": {"en": "Front desk is silent", "zh": "前台没有声音"},
        "todo": {"en": "Check the plug.", "zh": "请检查插头。"},
        "since_utc_ms": NOW_MS, "last_utc_ms": NOW_MS, "count": 1, "acknowledged_utc_ms": None, "resolved_utc_ms": None,
    } | fields  # fmt: skip


class StubRecorder:
    """Answers on the real socket with the real server, as the recorder does; its lines are what the test says."""

    def __init__(
        self, run_dir: Path, lines: Sequence[dict[str, Any]] = (), alarms: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.run_dir = run_dir
        self.lines = {line["id"]: line for line in lines}
        self.alarms = list(alarms)
        self.today = {"calls": 0, "missed": 0}
        self.acknowledged: list[tuple[int, str]] = []
        self.hung_up: list[str] = []
        self._seq = 0
        self._lock = threading.Lock()
        commands = self.dispatcher = Dispatcher()
        commands.add("state", self.state)
        commands.add("line.hangup", self._hang_up, {"line": str})
        commands.add("alarm.ack", self._acknowledge, {"alarm": int, "by": str})
        self.server = IpcServer(run_dir / "recorder.sock", commands, self.state)
        self.watching = Worker("stub-alive", self._watch)

    def __enter__(self) -> StubRecorder:
        self.mark_alive()
        self.watching.start()
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.watching.stop()

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(0.5):
            self.mark_alive()

    def state(self) -> dict[str, Any]:
        with self._lock:
            return {
                "event": "state", "seq": self._seq, "at_utc_ms": NOW_MS, "lines": list(self.lines.values()),
                "alarms": self.alarms, "today": self.today, "config_version": 1,
            }  # fmt: skip

    def say_line(self, line: dict[str, Any]) -> None:
        with self._lock:
            self.lines[line["id"]] = line
            self._seq += 1
        self.server.publish({"event": "line", "seq": self._seq, "line": line})

    def say(self, event: str, **fields: Any) -> None:
        self._seq += 1
        self.server.publish({"event": event, "seq": self._seq, **fields})

    def say_levels(self, **levels: list[float]) -> None:
        body = {line.replace("_", "-"): {"rms_dbfs": rms, "peak_dbfs": rms} for line, rms in levels.items()}
        self.server.publish({"event": "levels", "levels": body})

    def mark_alive(self, ago_s: float = 0.0) -> None:
        watched_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - round(ago_s * 1e9)
        (self.run_dir / "alive").write_text(json.dumps({"boot_ns": watched_ns, "utc_ns": 0, "boot_id": "b"}))

    def _hang_up(self, *, line: str) -> dict[str, Any]:
        self.hung_up.append(line)
        return {}

    def answer(self, cmd: str, handler: Callable[..., Any], required: Mapping[str, type] | None = None) -> None:
        """Answers one more command, as the recorder would."""
        self.dispatcher.add(cmd, handler, required)

    def _acknowledge(self, *, alarm: int, by: str) -> dict[str, Any]:
        self.acknowledged.append((alarm, by))
        return {}


def csrf(client: FlaskClient, path: str = "/login") -> str:
    """The token that a form on ``path`` carries."""
    found = re.search(
        r'name="csrf_token" value="([^"]+)"', client.get(path, headers=BROWSER, follow_redirects=True).text
    )
    assert found is not None
    return found[1]


def make_admin(client: FlaskClient, run_dir: Path, name: str = "owner") -> None:
    """Does what the owner does at the first run; the client is logged in afterwards."""
    code = (run_dir / "first-run-code").read_text().strip()
    form = {"csrf_token": csrf(client), "code": code, "name": name, "password": PASSWORD, "password_again": PASSWORD}
    assert client.post("/first-run", data=form).status_code == 302
