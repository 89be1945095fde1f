"""The page about the cloud: what the sync process shows, in words, and what a person may ask of it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from sync.desk import Desk
from tests.webui.box import BROWSER, csrf, eventually

PAGE = "/settings/cloud/"
READY: dict[str, Any] = {
    "enabled": True, "phase": "ready", "box_id": "oh-1", "broker": "mqtt.example:8883", "mqtt": "5", "records": 3,
    "files": 2, "bytes": 2_500_000, "set_aside": 0, "oldest_s": 7200.0, "last_answer_utc_ms": 1_795_321_796_000,
    "last_error": None, "last_error_key": None, "paused": False, "test": None, "files_by": "mqtt",
    "confirmed_by": "receiver", "interface": "eth0", "today_bytes": 5_000_000, "month_bytes": 90_000_000,
    "audio_waits_for": "metered", "bytes_per_s": 1000,
}  # fmt: skip


@pytest.fixture
def desk(run_dir: Path) -> Desk:
    return Desk(run_dir)


def shown(client: FlaskClient, **headers: str) -> str:
    answer = client.get(PAGE, headers={**BROWSER, **headers})
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_a_process_that_does_not_run_is_said(owner: FlaskClient) -> None:
    assert "The sync service does not run" in shown(owner)


def test_backlog_age_and_reasons_are_words(owner: FlaskClient, desk: Desk) -> None:
    desk.show(READY)
    page = shown(owner)
    for words in ("2 hours", "2 (2.5 MB)", "costs nothing by volume", "mqtt.example:8883", "once it is safe there"):
        assert words in page


def test_the_last_error_is_a_sentence_in_both_languages(owner: FlaskClient, desk: Desk) -> None:
    desk.show(READY | {"phase": "offline", "last_error": "cannot reach <b>x</b>: refused", "last_error_key": "link"})
    page = shown(owner)
    assert "The server cannot be reached" in page
    assert "<b>x</b>" not in page, "what a server says is never markup"
    owner.post("/language", data={"csrf_token": csrf(owner, PAGE), "lang": "zh-CN"})
    assert "无法连接服务器" in shown(owner, **{"Accept-Language": "zh-CN"})


def test_broker_only_is_said(owner: FlaskClient, desk: Desk) -> None:
    desk.show(READY | {"confirmed_by": "broker", "files_by": "s3"})
    page = shown(owner)
    assert "what it loses is lost in the cloud" in page
    assert "bucket (S3)" in page


def test_without_a_cloud_it_says_what_is_kept(owner: FlaskClient, desk: Desk) -> None:
    desk.show(
        {"enabled": False, "phase": "off", "records": 9, "files": 4, "bytes": 1, "set_aside": 0, "last_error": "-"}
    )
    page = shown(owner)
    assert "9 messages and 4 recordings are kept" in page
    assert "Test the whole way" not in page


class Process:
    """Takes wishes as the sync process does."""

    def __init__(self, desk: Desk) -> None:
        self.wished: list[str] = []
        self._desk = desk
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for wish in self._desk.wishes():
                self.wished.append(wish.what)
                if wish.what == "test":
                    self._desk.show(READY | {"test": {"running": True}})
                else:
                    self._desk.answer(wish, {"ok": True})


def test_buttons_ask_the_process_and_a_test_is_followed(owner: FlaskClient, desk: Desk) -> None:
    desk.show(READY)
    process = Process(desk)
    try:
        for what in ("now", "pause", "resume", "format"):
            answer = owner.post(PAGE, data={"csrf_token": csrf(owner, PAGE), "what": what}, headers=BROWSER)
            assert answer.status_code == 302
        assert owner.post(PAGE, data={"what": "now"}, headers=BROWSER).status_code == 400, "without the token"
        owner.post(PAGE, data={"csrf_token": csrf(owner, PAGE), "what": "test"}, headers=BROWSER)
        eventually(lambda: process.wished == ["now", "pause", "resume", "test"], "the wishes")
    finally:
        process.close()
    running = owner.get(PAGE, headers=BROWSER)
    assert running.headers["Refresh"] == "2"
    assert "takes up to a minute" in running.get_data(as_text=True)
    done = {"running": False, "ok": False, "hello_s": 0.1, "records": 1, "records_s": 0.2, "file_s": None}
    desk.show(READY | {"test": done | {"read_back": False, "error": "no room", "at_ms": time.time_ns() // 10**6}})
    over = owner.get(PAGE, headers=BROWSER)
    assert "Refresh" not in over.headers
    assert "It does not work yet" in over.get_data(as_text=True)
    assert "no room" in over.get_data(as_text=True)


def test_a_broken_status_file_is_no_error(owner: FlaskClient, run_dir: Path) -> None:
    (run_dir / "sync").mkdir(exist_ok=True)
    (run_dir / "sync" / "status.json").write_text(json.dumps([1]))
    assert "does not run" in shown(owner)
