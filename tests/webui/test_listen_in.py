"""Listening in on a line: out of the growing file, by permission, written down, and never far behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from tests.webui.box import BROWSER, Database, StubRecorder, csrf, live_line
from webui.live_sound import LISTENERS_AT_MOST
from webui.users.audit import Wanted

BLOCK = b"\x01\x00\x02\x00" * 4000  # half a second of two channels at 8 kHz, as the recorder appends it


def growing(database: Database, data_dir: Path) -> Path:
    call = database.call(1, status="talking", outcome=None, ended_utc_ms=None)
    spool = data_dir / "spool"
    spool.mkdir()
    raw = spool / "r.raw"
    raw.write_bytes(BLOCK * 20)
    database.recording(call, id="r", status="recording", raw_path="spool/r.raw", roles='["remote", "local"]')
    return raw


def test_what_is_said_now_is_heard_within_a_second(
    app: Flask, owner: FlaskClient, database: Database, data_dir: Path
) -> None:
    raw = growing(database, data_dir)
    answer = owner.get("/live/lines/fxo-1/sound")
    assert (answer.status_code, answer.headers["X-Rate-Hz"], answer.headers["X-Channels"]) == (200, "8000", "2")
    chunks = iter(answer.response)
    first = next(chunks)
    assert len(first) == 8000  # a quarter of a second, not the ten seconds before it
    assert first[:4] == BLOCK[:4]
    written_s: list[float] = []

    def speak() -> None:
        with raw.open("ab") as file:
            file.write(b"\x07\x00\x07\x00" * 4000)
        written_s.append(time.monotonic())

    threading.Timer(0.3, speak).start()
    heard = next(chunks)
    assert heard[:4] == b"\x07\x00\x07\x00"
    assert time.monotonic() - written_s[0] < 1.0
    raw.unlink()
    assert list(chunks) == []
    answer.close()
    entries = app.extensions["offhook"].audit.entries(Wanted(action="listened_in"))
    assert [(entry.actor, entry.object) for entry in entries] == [("owner", "call1-fxo-1")]


def test_nothing_to_hear_and_too_many_listeners(owner: FlaskClient, database: Database, data_dir: Path) -> None:
    assert owner.get("/live/lines/fxo-1/sound").status_code == 404
    assert owner.get("/live/lines/..%2f..%2fetc/sound").status_code == 404
    growing(database, data_dir)
    open_ones = [owner.get("/live/lines/fxo-1/sound") for _ in range(LISTENERS_AT_MOST)]
    assert owner.get("/live/lines/fxo-1/sound").status_code == 503
    for answer in open_ones:
        answer.close()
    assert owner.get("/live/lines/fxo-1/sound").status_code == 200


def test_a_path_that_leads_out_of_the_folder_is_not_followed(owner: FlaskClient, database: Database) -> None:
    call = database.call(1, status="talking", outcome=None, ended_utc_ms=None)
    database.recording(call, status="recording", raw_path="../../etc/passwd")
    assert owner.get("/live/lines/fxo-1/sound").status_code == 404


def test_a_person_listens_to_her_lines_alone_and_hangs_up_only_them(
    owner: FlaskClient,
    database: Database,
    data_dir: Path,
    run_dir: Path,
    restrict: Callable[[frozenset[str]], None],
) -> None:
    growing(database, data_dir)
    token = {"X-CSRF-Token": csrf(owner, "/live/")}
    with StubRecorder(run_dir, [live_line()]) as recorder:
        assert owner.post("/live/lines/fxo-1/hang-up", headers=token).status_code == 204
        restrict(frozenset({"sim-1"}))
        assert owner.post("/live/lines/fxo-1/hang-up", headers=token).status_code == 404
        assert owner.get("/live/lines/fxo-1/sound").status_code == 404
        assert recorder.hung_up == ["fxo-1"]


def test_events_tell_a_person_of_her_lines_alone(
    app: Flask, owner: FlaskClient, restrict: Callable[[frozenset[str]], None]
) -> None:
    hub = app.extensions["offhook"].hub
    lines = [live_line("fxo-1"), live_line("sim-1")]
    hub.recorder_said({"event": "state", "lines": lines, "alarms": [], "today": {}})
    restrict(frozenset({"sim-1"}))
    assert [line["id"] for line in owner.get("/live/state").json["lines"]] == ["sim-1"]
    answer = owner.get("/live/events?levels=1", headers=BROWSER)
    chunks = iter(answer.response)
    next(chunks)
    assert b"fxo-1" not in next(chunks)
    hub.recorder_said({"event": "line", "line": live_line("fxo-1")})
    hub.recorder_said({"event": "levels", "levels": {"fxo-1": {}, "sim-1": {}}})
    assert next(chunks) == b'event: levels\ndata: {"levels":{"sim-1":{}}}\n\n'
    answer.close()
