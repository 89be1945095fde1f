"""From the recorder's socket to the event stream of a browser, also when the recorder is gone, stuck or too fast."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.box import BROWSER, StubRecorder, alarm, csrf, eventually, live_call, live_line
from webui.feed.hub import STREAMS_AT_MOST, STREAMS_PER_USER, Hub, TooManyStreamsError
from webui.words_of_storage import room_time


@pytest.fixture
def hub(app: Flask) -> Iterator[Hub]:
    """The page's hub, fed for as long as the test runs."""
    services = app.extensions["offhook"]
    services.subscription.start()
    yield services.hub
    services.subscription.stop()


def take(chunks: Iterator[bytes], name: str) -> dict:
    """The next event called ``name`` of a stream."""
    for chunk in chunks:
        for message in chunk.decode().split("\n\n"):
            head, _, data = message.partition("\ndata: ")
            if head == f"event: {name}":
                return json.loads(data)
    raise AssertionError(f"the stream ended before {name}")


def test_a_change_on_a_line_reaches_the_browser(owner: FlaskClient, hub: Hub, run_dir: Path) -> None:
    with StubRecorder(run_dir, [live_line()], [alarm()]) as recorder:
        eventually(lambda: hub.snapshot()["link"] == "up", "the page finds the recorder")
        answer = owner.get("/live/events?levels=1")
        assert answer.mimetype == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        chunks = iter(answer.response)
        state = take(chunks, "state")
        assert [line["id"] for line in state["lines"]] == ["fxo-1"]
        assert state["alarms"][0]["text"]["zh"] == "前台没有声音"
        recorder.say_line(live_line(phase="ringing", call=live_call(name="</script>\n\ndata: x")))
        told = take(chunks, "line")
        assert told["line"]["phase"] == "ringing"
        assert told["line"]["call"]["name"] == "</script>\n\ndata: x"
        recorder.say_levels(fxo_1=[-20.0])
        assert take(chunks, "levels")["levels"]["fxo-1"]["rms_dbfs"] == [-20.0]
        recorder.say("alarm", alarm=alarm(resolved_utc_ms=5))
        take(chunks, "alarm")
        assert hub.snapshot()["alarms"] == []
        recorder.today = {"calls": 7, "missed": 2}
        recorder.say("call", call=live_call())
        assert take(chunks, "today")["today"] == {"calls": 7, "missed": 2}
        answer.close()
    assert hub.stream_count == 0


def test_a_recorder_that_goes_is_noticed_and_one_that_comes_back_is_found(
    owner: FlaskClient, hub: Hub, run_dir: Path
) -> None:
    assert owner.get("/live/state").json["link"] == "down"
    assert owner.get("/live/state").json["age_s"] is None
    assert owner.get("/live/", headers=BROWSER).status_code == 200
    with StubRecorder(run_dir, [live_line()]):
        eventually(lambda: hub.snapshot()["link"] == "up", "the page finds the recorder")
    eventually(lambda: hub.snapshot()["link"] == "down", "the page notices that it went")
    state = owner.get("/live/state").json
    assert state["lines"][0]["id"] == "fxo-1"  # the last that was known stays on the page, with its age
    assert state["age_s"] >= 0
    with StubRecorder(run_dir, [live_line("sim-1")]):
        eventually(lambda: hub.snapshot()["lines"][0]["id"] == "sim-1", "the page finds the new recorder")


def test_a_recorder_that_answers_but_does_not_watch_is_called_stalled(hub: Hub, run_dir: Path) -> None:
    with StubRecorder(run_dir, [live_line()]) as recorder:
        eventually(lambda: hub.snapshot()["link"] == "up", "the page finds the recorder")
        recorder.watching.stop()
        recorder.mark_alive(ago_s=30)
        state = eventually(lambda: hub.snapshot() if hub.snapshot()["link"] == "stalled" else None, "stalled")
        assert state["age_s"] == pytest.approx(30, abs=5)


def test_seeing_an_alarm_is_told_to_the_recorder(owner: FlaskClient, run_dir: Path) -> None:
    token = {"X-CSRF-Token": csrf(owner, "/live/")}
    assert owner.post("/live/alarms/3/acknowledge", headers=token).status_code == 503
    with StubRecorder(run_dir) as recorder:
        assert owner.post("/live/alarms/3/acknowledge", headers=token).status_code == 204
        assert recorder.acknowledged == [(3, "owner")]


def test_streams_are_capped_and_the_page_can_poll(owner: FlaskClient, app: Flask) -> None:
    hub = app.extensions["offhook"].hub
    answers = [owner.get("/live/events?levels=1") for _ in range(STREAMS_PER_USER)]
    refused = owner.get("/live/events?levels=1")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "10"
    assert owner.get("/live/state").status_code == 200
    for answer in answers:
        answer.close()
    assert hub.stream_count == 0
    for n in range(STREAMS_AT_MOST):
        hub.open_stream(str(n))
    with pytest.raises(TooManyStreamsError):
        hub.open_stream("one more")


def test_a_browser_that_does_not_read_is_cut_off_and_others_hear_all() -> None:
    hub = Hub()
    slow, quick = hub.open_stream("slow"), hub.open_stream("quick")
    heard = 0
    for n in range(200):
        hub.recorder_said({"event": "line", "line": live_line(f"line-{n}")})
        while quick.next_message(0.0):
            heard += 1
    assert heard == 201  # the state, and each change
    assert hub.stream_count == 1
    left = []
    while (message := slow.next_message(0.1)) is not None:
        left.append(message)
    assert len(left) <= 64  # nothing piled up, and the stream ended, so the browser starts anew


def test_levels_are_left_out_for_a_slow_browser_before_anything_else() -> None:
    hub = Hub()
    stream = hub.open_stream("slow")
    for _ in range(500):
        hub.recorder_said({"event": "levels", "levels": {"fxo-1": {"rms_dbfs": [-20.0]}}})
    hub.recorder_said({"event": "line", "line": live_line(phase="ringing")})
    messages = []
    while message := stream.next_message(0.0):
        messages.append(message)
    assert len(messages) < 20
    assert b'"ringing"' in messages[-1]


def test_a_stream_ends_when_its_session_does(owner: FlaskClient, app: Flask, data_dir: Path, monkeypatch) -> None:
    monkeypatch.setattr("webui.pages.live.PING_EVERY_S", 0.05)
    chunks = iter(owner.get("/live/events?levels=1").response)
    assert next(chunks).startswith(b"retry:")
    take(chunks, "state")
    assert next(chunks) == b": still here\n\n"
    with sqlite3.connect(data_dir / "web.db") as conn:
        conn.execute("DELETE FROM session")
    conn.close()
    assert list(chunks) == []


def test_an_event_of_a_newer_recorder_does_no_harm() -> None:
    hub = Hub()
    hub.recorder_said({"event": "hologram", "seq": 1})
    assert hub.snapshot()["lines"] == []


@pytest.mark.parametrize(
    ("days", "english", "chinese"),
    [(0, "0 days", "0 天"), (1, "1 day", "1 天"), (364, "364 days", "364 天"), (400, "more than 1 year", "1 年以上"),
     (900, "more than 2 years", "2 年以上"), (51873, "more than ten years", "十年以上")],
)  # fmt: skip
def test_room_is_told_as_people_say_it(app: Flask, days: int, english: str, chinese: str) -> None:
    for language, said in (("en", english), ("zh_Hans_CN", chinese)):
        with app.test_request_context(headers={"Cookie": f"language={language}"}):
            assert room_time(days) == said
