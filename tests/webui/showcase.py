"""An office on one day, as a person sees it: what axe, the journeys and the screenshots look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page

from fieldtest.catalogue import Group
from fieldtest.findings import findings
from fieldtest.results import Results
from fieldtest.run import GroupRun, Run, RunStore
from firmware.audio.peaks import peaks_document
from tests.webui.box import NOW_MS, PASSWORD, SIM_READY, Database, StubRecorder, alarm, live_call, live_line
from tests.webui.browser import Served, first_run, serving

CALL = "call-wang"
"""The call with everything: two sides, note, tags, markers, a gap, a whole timeline."""
_PEOPLE = [
    ("王小明", "+8613800138000"), ("Contoso Ltd", "+14255550100"), (None, "+493012345678"),
    ("Fabrikam", "+14255550155"),
    ("李雷", "+8675512345678"), (None, "10010"), ("Northwind Traders", "+442071234567"), (None, "+8613912345678"),
]  # fmt: skip


def fill(database: Database, start_ms: int = NOW_MS) -> None:
    """Forty calls of two lines from ``start_ms`` on, and one of which everything is known."""
    first_s = (start_ms - NOW_MS) / 1000
    paths = database.sound("short", 20.0)
    for n in range(40):
        name, number = _PEOPLE[n % len(_PEOPLE)]
        missed = n % 5 == 2
        began_ms = start_ms + n * 1_500_000
        call = database.call(
            first_s + n * 1500,
            id=f"call-{n}",
            line="sim-1" if n % 3 == 1 else "fxo-1",
            name=name,
            number=number,
            direction="outgoing" if n % 4 == 3 else "incoming",
            outcome="missed" if missed else "answered",
            answered_utc_ms=None if missed else began_ms + 6_000,
            ended_utc_ms=began_ms + 30_000 + n * 7_000,
        )
        if not missed:
            database.recording(call, started_utc_ms=began_ms, duration_ms=20_000, **_own_copy(database, n, paths))
        if n % 6 == 0:
            database.tag(call, "offer" if n % 4 else "回访")
    _whole_call(database, first_s + 61_000.0)


def _own_copy(database: Database, n: int, paths: dict[str, str]) -> dict[str, str]:
    """The same sound under a name of its own: what deletes one call's must not take another's."""
    own = {column: path.replace("short", f"short-{n}") for column, path in paths.items()}
    for column, path in paths.items():
        (database.data_dir / own[column]).hardlink_to(database.data_dir / path)
    return own


def _whole_call(database: Database, at_s: float) -> None:
    call = database.call(
        at_s, id=CALL, name="王小明", number="+8613800138000", ended_utc_ms=NOW_MS + round((at_s + 65) * 1000)
    )
    folder = database.data_dir / "recordings" / "2026" / "11" / "18"
    time_s = np.arange(60 * 8000) / 8000
    loud = np.random.default_rng(7)
    sides = []
    for turn in (0, 1):
        speech = np.repeat(np.clip(loud.normal(0.15, 0.25, 600), 0, 0.9), 800)
        talks = ((time_s // 4) % 2 == turn) * 1.0
        sides.append((speech * talks * np.sin(2 * np.pi * (300 + 200 * turn) * time_s)).astype(np.float32))
    for ending, options in (("flac", {"subtype": "PCM_16"}), ("opus", {"format": "OGG", "subtype": "OPUS"})):
        soundfile.write(folder / f"whole.{ending}", np.stack(sides, 1), 8000, **options)
    points = [bytes((np.abs(side).reshape(-1, 160).max(1) * 255).astype(np.uint8)) for side in sides]
    (folder / "whole.peaks.json").write_bytes(peaks_document(points, 50.0))
    base = "recordings/2026/11/18/whole"
    recording = database.recording(
        call, duration_ms=60_000, roles='["remote", "local"]', started_utc_ms=NOW_MS + round(at_s * 1000),
        started_boot_ns=round(at_s * 1e9), flac_path=f"{base}.flac", opus_path=f"{base}.opus",
        peaks_path=f"{base}.peaks.json", flac_sha256="3f7a" * 16, flac_size=481_220,
        opus_sha256="91be" * 16, opus_size=88_410,
    )  # fmt: skip
    database.note(call, "Wants an offer for 40 chairs, delivery in March.\n明天回访客户。")
    for tag in ("offer", "回访"):
        database.tag(call, tag)
    for at_ms, until_ms, text in ((21_000, None, "price named"), (33_000, 41_000, "delivery date")):
        database.annotate(
            "INSERT INTO call_marker (recording_id, at_ms, until_ms, text, by, at_utc_ms) "
            "VALUES (?, ?, ?, ?, 'anna', 1)",
            call, recording, at_ms, until_ms, text, what="marker", value=text,
        )  # fmt: skip
    for kind, after_s in (
        ("ring", 0.1),
        ("caller_id", 1.8),
        ("off_hook", 5.0),
        ("digit_received", 30.0),
        ("on_hook", 64.9),
    ):
        moment_s = at_s + after_s
        database.conn.execute(
            "INSERT INTO ledger (id, line, kind, boot_no, at_utc_ms, at_boot_ns, call_id) "
            "VALUES (?, 'fxo-1', ?, 1, ?, ?, ?)",
            (f"{call}.{kind}", kind, NOW_MS + round(moment_s * 1000), round(moment_s * 1e9), call),
        )
    database.conn.execute("INSERT INTO gap VALUES (?, ?, 320, 'overrun')", (recording, 48 * 8000))


SETTINGS = """[box]
name = "Contoso"
country = "CN"
time_zone = "Asia/Shanghai"

[[lines]]
id = "fxo-1"
driver = "fxo-gpio"
label = "Front desk"
[lines.options]
profile = "demo"

[[lines]]
id = "sim-1"
driver = "at-modem"
label = "Mobile"

[[webhooks]]
id = "crm"
url = "https://crm.example/hooks"
label = "CRM"
events = ["call.ended"]
"""
FIELD_TEST = "ft-20261130T010203Z"


def _furnish(database: Database, recorder: StubRecorder) -> None:
    """What pages about the box itself have to show: its lines, a SIM card, a sensor that is watched, a field test."""
    database.settings(SETTINGS)
    recorder.answer("hello", lambda: {"device_id": "oh-abcdefghij"})
    recorder.answer("config.get", lambda: {"document": SETTINGS, "version": 1})
    recorder.answer("sim.status", lambda: {"sims": [SIM_READY]})
    found = {"path": "/dev/ttyUSB4", "driver": "at-modem", "options": {}, "description": "SIM module", "proposal": True}
    recorder.answer("lines.found", lambda: {"devices": [found]})
    edges = {"now_boot_ns": 1, "edges": [], "levels": {"ring": False, "off_hook": False}, "debounce": {}, "volts": []}
    recorder.answer("line.edges", lambda **_: edges, {"line": str, "since_boot_ns": int})
    results = Results(Group.ANALOG)
    results.measured("hum", -30.0)
    results.measured("ring_hz", 25.0)
    results.rest_not_tested("the line is in use", "线路正在使用")
    faults = findings(Group.ANALOG, "fxo-1", {one.step: one for one in results.all()})
    line = GroupRun(
        subject="fxo-1", group=Group.ANALOG, label="Front desk", results=results.all(), findings=tuple(faults)
    )
    RunStore(database.data_dir).keep(
        Run(
            id=FIELD_TEST, state="finished", begun_utc_ms=NOW_MS, ended_utc_ms=NOW_MS + 600_000,
            device_id="oh-abcdefghij", version="0.1.0", place="Front office", subjects=("fxo-1",), technician="李伟",
            serials={"board": "100000001234"}, groups=(line,),
        )
    )  # fmt: skip


@contextmanager
def office(folder: Path) -> Iterator[tuple[Served, StubRecorder]]:
    """The page served over a full box, with a recorder that has calls on its lines."""
    data, run = folder / "data", folder / "run"
    data.mkdir()
    run.mkdir()
    database = Database(data)
    fill(database)
    caller = live_call(name="王小明", number="+8613800138000")
    lines = [
        live_line(phase="talking", call=caller, recording=True),
        live_line(
            "sim-1", label="Mobile", kind="sim", phase="ringing",
            call=live_call("sim-1", status="ringing", answered_utc_ms=None, name="Contoso Ltd", number="+14255550100"),
        ),
        live_line("fxo-2", label="Sales"),
        live_line("fxo-3", label="Back office"),
    ]  # fmt: skip
    recorder = StubRecorder(run, lines, [alarm()])
    _furnish(database, recorder)
    database.close()
    with recorder, serving(data, run) as served:
        recorder.today = {"calls": 42, "missed": 3}
        yield served, recorder


def signed_in(
    browser: Browser, served: Served, *, first: bool, width: int = 1280, height: int = 860
) -> tuple[BrowserContext, Page]:
    """A browser of its own with the owner logged in; ``first``: nobody has made the account yet."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en")
    page = context.new_page()
    if first:
        first_run(page, served)
    else:
        page.goto(f"{served.address}/login")
        page.fill("[name=name]", "owner")
        page.fill("[name=password]", PASSWORD)
        page.click("button.btn-primary")
        page.wait_for_url("**/live/")
    return context, page


def dress(context: BrowserContext, served: Served, theme: str, language: str) -> None:
    context.add_cookies(
        [
            {"name": "theme", "value": theme, "url": served.address},
            {"name": "language", "value": language, "url": served.address},
        ]
    )
