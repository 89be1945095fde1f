"""How long a change on a line takes to stand on the Live page in headless Chromium, with other pages open meanwhile.

The recorder is played by the real socket server; each change carries its moment in the caller's number, and the page's
own text is watched from outside with a MutationObserver and a frame, so that painting counts too.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import os
import re
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table

from firmware.ipc.dispatcher import Dispatcher
from firmware.ipc.server import IpcServer
from firmware.store.migrate import migrate
from firmware.worker import Worker

GOAL_P99_MS = 300.0
LINES = 4
PASSWORD = "a long bench password"
WATCH = """
() => {
  window.seen = [];
  const look = () => {
    for (const place of document.querySelectorAll("[data-number]")) {
      const sent = Number(place.textContent);
      if (sent && sent !== place.lastSent) {
        place.lastSent = sent;
        requestAnimationFrame(() => window.seen.push([sent, performance.timeOrigin + performance.now() - sent]));
      }
    }
  };
  const board = document.querySelector("live-board");
  new MutationObserver(look).observe(board, {subtree: true, childList: true, characterData: true});
}
"""


class Recorder:
    """Lines that change when they are told to, and levels five times a second."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._seq = 0
        self._lines = {f"fxo-{n}": self._line(n, 0.0) for n in range(1, LINES + 1)}
        commands = Dispatcher()
        commands.add("state", self._state)
        self._server = IpcServer(run_dir / "recorder.sock", commands, self._state)
        self._levels = Worker("bench-levels", self._send_levels)

    def start(self) -> None:
        self._server.start()
        self._levels.start()

    def stop(self) -> None:
        self._levels.stop()
        self._server.stop()

    def change(self, n: int) -> None:
        self._seq += 1
        line = self._line(n, time.time() * 1000)
        self._lines[line["id"]] = line
        self._server.publish({"event": "line", "seq": self._seq, "line": line})

    def _send_levels(self, stop: threading.Event) -> None:
        while not stop.wait(0.2):
            mark = {"boot_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME)}
            (self._run_dir / "alive").write_text(json.dumps(mark))
            levels = {line: {"rms_dbfs": [-24.0], "peak_dbfs": [-12.0]} for line in self._lines}
            self._server.publish({"event": "levels", "levels": levels})

    def _state(self) -> dict[str, Any]:
        return {
            "event": "state", "seq": self._seq, "at_utc_ms": 0, "lines": list(self._lines.values()), "alarms": [],
            "today": {"calls": 0, "missed": 0}, "config_version": 1,
        }  # fmt: skip

    @staticmethod
    def _line(n: int, sent_ms: float) -> dict[str, Any]:
        now_ms = round(time.time() * 1000)
        call = {
            "id": f"c{n}", "line": f"fxo-{n}", "direction": "incoming", "status": "talking", "started_utc_ms": now_ms,
            "number": f"{sent_ms:.3f}", "name": "Bench", "presentation": "valid", "answered_utc_ms": now_ms,
            "ended_utc_ms": None, "outcome": None, "end_reason": None, "parts": 1, "flags": [],
        }  # fmt: skip
        return {
            "id": f"fxo-{n}", "label": f"Line {n}", "kind": "analog", "driver": "fxo-gpio", "present": True,
            "phase": "talking", "sound": "ok", "recording": True, "call": call, "fault": None,
        }  # fmt: skip


class Reader:
    """One more open page: an event stream that reads and counts, with a session of its own user's browser."""

    def __init__(self, address: str, cookie: str) -> None:
        self.events = 0
        self._request = urllib.request.Request(f"{address}/live/events", headers={"Cookie": cookie})
        self._worker = Worker("bench-reader", self._run)
        self._worker.start()

    def _run(self, stop: threading.Event) -> None:
        with urllib.request.urlopen(self._request, timeout=60) as answer:
            for line in answer:
                self.events += line.startswith(b"event:")
                if stop.is_set():
                    return

    def stop(self) -> None:
        self._worker.stop()


def start_page(data_dir: Path, run_dir: Path) -> tuple[subprocess.Popen[str], str, str]:
    start = "import sys; from pathlib import Path; from webui.serve import main; main(*map(Path, sys.argv[1:]), port=0)"
    process = subprocess.Popen(
        [sys.executable, "-c", start, str(data_dir), str(run_dir)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said, end = "", time.monotonic() + 30
    while "The page: " not in said:
        if time.monotonic() > end or process.poll() is not None:
            raise SystemExit(f"the page did not start: {said!r}")
        if select.select([process.stdout], [], [], 1.0)[0]:
            said += os.read(process.stdout.fileno(), 4096).decode()
    found = re.search(r"First-run code: (\S+)[\s\S]*The page: (\S+)", said)
    assert found is not None
    return process, found[2].rstrip("/"), found[1]


def make_admin(address: str, code: str) -> str:
    """The cookie of a logged-in owner."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    html = opener.open(f"{address}/first-run", timeout=30).read().decode()
    token = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert token is not None
    form = {"csrf_token": token[1], "code": code, "name": "owner", "password": PASSWORD, "password_again": PASSWORD}
    opener.open(f"{address}/first-run", data=urllib.parse.urlencode(form).encode(), timeout=30).read()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and its children that live."""
    total = 0.0
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = task.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(task.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def measure(events: int, pause_s: float, streams: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        data_dir, run_dir = Path(folder) / "data", Path(folder) / "run"
        data_dir.mkdir()
        run_dir.mkdir()
        migrate(data_dir / "offhook.db")
        recorder = Recorder(run_dir)
        recorder.start()
        process, address, code = start_page(data_dir, run_dir)
        readers: list[Reader] = []
        try:
            cookie = make_admin(address, code)
            readers = [Reader(address, cookie) for _ in range(streams)]
            load_before = os.getloadavg()
            seen, used_s, took_s = in_chromium(address, cookie, recorder, events, pause_s, process.pid)
            load_after = os.getloadavg()
        finally:
            process.terminate()
            process.wait(15)
            recorder.stop()
            for reader in readers:
                reader.stop()
    if len(seen) < 2:
        print("no change reached the page", file=sys.stderr)
        return 1
    report(seen, events, used_s / took_s, len(readers) + 1, load_before, load_after)
    return 0


def in_chromium(
    address: str, cookie: str, recorder: Recorder, events: int, pause_s: float, server: int
) -> tuple[list[float], float, float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        context = browser.new_context()
        name, value = cookie.split("=", 1)
        context.add_cookies([{"name": name, "value": value, "url": address}])
        page = context.new_page()
        page.goto(f"{address}/live/")
        page.wait_for_selector(f".line-card:nth-of-type({LINES})")
        page.evaluate(WATCH)
        page.wait_for_timeout(1500)
        started_s, cpu_before_s = time.monotonic(), cpu_s(server)
        for n in range(events):
            recorder.change(n % LINES + 1)
            time.sleep(pause_s)
        took_s, used_s = time.monotonic() - started_s, cpu_s(server) - cpu_before_s
        page.wait_for_timeout(1500)
        seen = [row[1] for row in page.evaluate("window.seen")]
        browser.close()
    return seen, used_s, took_s


def report(
    seen: list[float], events: int, cpu: float, streams: int, before: tuple[float, ...], after: tuple[float, ...]
) -> None:
    cuts = statistics.quantiles(seen, n=100, method="inclusive")
    table = Table(title="A change on a line until it stands on the Live page")
    for column in ("", "measured", "goal"):
        table.add_column(column)
    verdict = "met" if cuts[98] <= GOAL_P99_MS else "NOT met"
    table.add_row("changes sent / seen", f"{events} / {len(seen)}", "all")
    table.add_row("p50", f"{cuts[49]:.1f} ms", "")
    table.add_row("p95", f"{cuts[94]:.1f} ms", "")
    table.add_row("p99", f"{cuts[98]:.1f} ms", f"<= {GOAL_P99_MS:.0f} ms ({verdict})")
    table.add_row("longest", f"{max(seen):.1f} ms", "")
    table.add_row("event streams open", str(streams), "")
    table.add_row("page's processor time", f"{cpu * 100:.1f} % of a core", "")
    table.add_row("load before / after", f"{before[0]:.2f} / {after[0]:.2f}", f"{os.cpu_count()} cores")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two changes")
    parser.add_argument("--streams", type=int, default=5, help="more event streams of the same user (6 at most in all)")
    options = parser.parse_args()
    sys.exit(measure(options.events, options.pause, options.streams))


if __name__ == "__main__":
    main()
