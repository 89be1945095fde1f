"""The call list: order, pages, words, parts, and a box that has nothing to show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.webui.box import BROWSER, Database
from webui.search.find import PAGE_SIZE

ZH = {**BROWSER, "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


def ids(html: str) -> list[str]:
    return re.findall(r'data-call="([^"]+)"', html)


def test_an_empty_box_says_so(owner: FlaskClient) -> None:
    assert "No calls yet" in owner.get("/calls/", headers=BROWSER).text


def test_an_empty_database_says_so(owner: FlaskClient, database: Database) -> None:
    assert "No calls yet" in owner.get("/calls/", headers=BROWSER).text


def test_a_damaged_database_is_a_sentence_and_not_a_crash(owner: FlaskClient, data_dir: Path) -> None:
    (data_dir / "offhook.db").write_bytes(b"not a database at all" * 1000)
    page = owner.get("/calls/", headers=BROWSER)
    assert page.status_code == 200
    assert "cannot be read" in page.text
    assert owner.get("/media/x.mp4").status_code == 503
    assert owner.get("/live/", headers=BROWSER).status_code == 200


def test_calls_come_newest_first_and_pages_follow_without_loss(owner: FlaskClient, database: Database) -> None:
    made = [database.call(n) for n in range(PAGE_SIZE * 2 + 7)]
    made.append(database.call(3, id="same-moment"))
    seen, path = [], "/calls/"
    for n in range(3):
        html = owner.get(path, headers=BROWSER).text
        seen += ids(html)
        if n == 0:
            # What comes while somebody reads pushes no row to another page.
            database.call(9000)
        older = re.search(r'rel="next" href="([^"]+)"', html)
        newer = re.search(r'rel="prev" href="([^"]+)"', html)
        path = older[1].replace("&amp;", "&") if older else ""
    assert path == ""
    assert len(seen) == len(made)
    assert set(seen) == set(made)
    assert seen[0] == made[-2]
    assert newer is not None
    back = owner.get(newer[1].replace("&amp;", "&"), headers=BROWSER).text
    assert ids(back) == seen[PAGE_SIZE : 2 * PAGE_SIZE]
    assert "Show new calls" in back


def test_a_clock_that_was_set_moves_no_call(owner: FlaskClient, database: Database) -> None:
    first = database.call(10, started_utc_ms=1000)  # before the clock was set: 1970
    second = database.call(20)
    assert ids(owner.get("/calls/", headers=BROWSER).text) == [second, first]


@pytest.mark.parametrize("text", ["", "x", "-1", "9" * 40, "1e9", "0x10", "１"])
def test_a_made_up_place_or_page_is_no_crash(owner: FlaskClient, database: Database, text: str) -> None:
    call = database.call(1)
    html = owner.get("/calls/", query_string={"at": text, "page": text}, headers=BROWSER)
    assert html.status_code == 200
    assert ids(owner.get("/calls/", query_string={"page": text}, headers=BROWSER).text) in ([call], [])


@pytest.mark.parametrize(
    ("columns", "english", "chinese"),
    [
        ({}, "Answered", "已接听"),
        ({"outcome": "missed"}, "Missed", "未接"),
        ({"outcome": "busy", "direction": "outgoing"}, "Busy", "忙线"),
        ({"outcome": "abandoned"}, "Handset lifted", "已摘机"),
        ({"outcome": "unsupervised", "direction": "outgoing"}, "Dialled", "已拨出"),
        ({"status": "talking", "ended_utc_ms": None, "outcome": None}, "In progress", "正在通话"),
        ({"status": "suspended", "ended_utc_ms": None, "outcome": None}, "Line out of sight", "线路失去连接"),
        ({"number": None, "presentation": "withheld"}, "Number withheld", "号码已隐藏"),
        ({"number": None, "presentation": "unavailable"}, "Number not available", "无法获得号码"),
        ({"flags": '["joined_late"]'}, "its beginning is missing", "缺少开头"),
    ],
)
def test_a_call_is_told_in_words(
    owner: FlaskClient, database: Database, columns: dict, english: str, chinese: str
) -> None:
    database.call(1, **columns)
    assert english in owner.get("/calls/", headers=BROWSER).text
    assert chinese in owner.get("/calls/", headers=ZH).text


@pytest.mark.parametrize(
    ("columns", "english", "chinese"),
    [
        ({"cut_short": 1, "duration_ms": 192_400}, "Cut short at 00:03:12", "在 00:03:12 处中断"),
        ({"one_way": 1}, "Only one side is heard", "只有一方有声音"),
        ({"silent": 1}, "Nothing but silence", "只有静音"),
        ({"status": "failed", "error": "No space left"}, "The recording failed", "录音失败"),
        ({"status": "deleted"}, "The sound was deleted", "声音已删除"),
        ({"status": "recording"}, "Recording now", "正在录音"),
        ({"status": "closed"}, "Being prepared", "正在准备播放"),
    ],
)
def test_a_recording_is_told_in_words(
    owner: FlaskClient, database: Database, columns: dict, english: str, chinese: str
) -> None:
    database.recording(database.call(1), **columns)
    assert english in owner.get("/calls/", headers=BROWSER).text
    assert chinese in owner.get("/calls/", headers=ZH).text


def test_each_part_has_its_player_with_mp4_first(owner: FlaskClient, database: Database) -> None:
    call = database.call(1)
    paths = database.sound("one", seconds=1)
    database.recording(call, 1, **paths)
    second = database.recording(call, 2, **paths)
    for gap in ((second, 8000, 1500, "restart"), (second, 9000, 500, "overrun")):
        database.conn.execute("INSERT INTO gap VALUES (?, ?, ?, ?)", gap)
    html = owner.get("/calls/", headers=BROWSER).text
    assert html.count("<audio") == 2
    assert "Part 1" in html
    assert "2 gaps, 2.0 s of sound missing" in html
    assert re.findall(r"type=\'audio/(\w+)", html) == ["mp4", "ogg"] * 2


def test_times_are_times_at_the_box(owner: FlaskClient, database: Database) -> None:
    database.settings('[box]\ntime_zone = "Asia/Shanghai"\n')
    database.call(0, started_utc_ms=1_794_960_000_000)
    html = owner.get("/calls/", headers=BROWSER).text
    assert re.search(r"<time[^>]*>\s*(\d\d:\d\d:\d\d)", html)[1] == "08:00:00"
    assert 'datetime="2026-11-18T08:00:00+08:00"' in html
    assert "2026年11月18日" in owner.get("/calls/", headers=ZH).text


def test_one_row_can_be_asked_for(owner: FlaskClient, database: Database) -> None:
    call = database.call(1)
    assert ids(owner.get(f"/calls/{call}/row").text) == [call]
    assert owner.get("/calls/none/row").status_code == 404
