"""The console: closed without a login, complete with one, in two languages, and nothing on it can be changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from firmware.model import CallStatus, Direction, Outcome, Presentation
from sync.receiver.console.accounts import Accounts
from sync.receiver.console.app import create_app
from sync.receiver.console.words import word
from sync.receiver.opening import open_folder
from tests.sync.receiver import box
from tests.sync.receiver.cloud import Cloud

SOUND = b"fLaC" + bytes(range(256)) * 8
FID = box.fid_of(SOUND)


@pytest.fixture
def accounts(cloud: Cloud) -> Iterator[Accounts]:
    accounts = Accounts(cloud.folder)
    yield accounts
    accounts.close()


@pytest.fixture
def app(cloud: Cloud, accounts: Accounts) -> Flask:
    call = {"id": "call-1", "line": "fxo-1", "direction": "incoming", "status": "ended", "number": "13800138089",
            "outcome": "answered", "presentation": "valid", "started_utc_ms": 1_795_321_796_123, "boot_no": 1,
            "started_boot_ns": 5_000_000_000}  # fmt: skip
    sealed = {"id": "rec-1", "call_id": "call-1", "part": 1, "status": "sealed",
              "files": [{"fid": FID, "codec": "flac", "size": len(SOUND)}]}  # fmt: skip
    alarm = {"id": 1, "key": "disk_full", "severity": "critical", "since_utc_ms": 1, "resolved_utc_ms": None,
             "text": {"en": "The card is full.", "zh": "存储卡已满。"}, "todo": {}}  # fmt: skip
    cloud.say(
        box.hello(max_seq=4),
        ("offhook1/oh-1/status", box.as_json({"state": "ready"})),
        box.records_message(box.record(1, data=call)),
        box.records_message(box.record(2, type="recording.sealed", data=sealed)),
        box.records_message(box.record(3, type="alarm.raised", data=alarm)),
        box.init(SOUND),
        *box.chunks(SOUND, 1000),
        box.fin(SOUND),
    )
    return create_app(lambda: open_folder(cloud.folder), accounts)


def token_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def enter(client: FlaskClient, code: str, **changes: str) -> int:
    page = client.get("/first-run").text
    form = {"name": "op", "password": "long enough 1", "password_again": "long enough 1", "code": code}
    return client.post("/first-run", data={**form, "csrf": token_of(page), **changes}).status_code


@pytest.fixture
def inside(app: Flask, accounts: Accounts) -> FlaskClient:
    client = app.test_client()
    assert enter(client, accounts.first_run_code() or "") == 302
    return client


PATHS = ["/", "/calls", "/calls/oh-1/call-1", "/boxes", "/boxes/oh-1", "/alarms", "/alarms?all=1", "/aside"]
API = ["/api/summary", "/api/boxes", "/api/calls", "/api/calls/oh-1/call-1", "/api/alarms", "/api/aside"]


@pytest.mark.parametrize("path", [*PATHS, *API, f"/media/oh-1/{FID}"])
def test_nothing_is_shown_without_a_login(app: Flask, path: str) -> None:
    response = app.test_client().get(path)
    assert response.status_code in (302, 401)
    assert "13800138089" not in response.text


def test_there_is_no_default_password_and_a_wrong_code_makes_no_account(app: Flask, accounts: Accounts) -> None:
    client = app.test_client()
    assert enter(client, "AAAA-AAAA-AAAA") == 422
    assert not accounts.has_user()
    assert enter(client, accounts.first_run_code() or "", password="short", password_again="short") == 422
    assert not accounts.has_user()


def test_page_shows_boxes_calls_alarms_and_a_player_in_two_languages(inside: FlaskClient) -> None:
    page = inside.get("/").text
    for text in ("oh-1", "13800138089", "fxo-1", "The card is full.", f"/media/oh-1/{FID}", "2026-"):
        assert text in page, text
    assert "1 on their way" in inside.get("/boxes").text
    inside.post("/language", data={"language": "zh", "csrf": token_of(page)})
    chinese = inside.get("/").text
    for text in ("存储卡已满。", "通话", "来电", "已接听"):
        assert text in chinese, text
    for text in ("The card is full.", "Calls", ">incoming"):
        assert text not in chinese, text


@pytest.mark.parametrize("path", PATHS)
def test_every_page_stands_in_both_languages(inside: FlaskClient, path: str) -> None:
    page = inside.get(path)
    assert page.status_code == 200
    inside.post("/language", data={"language": "zh", "csrf": token_of(page.text)})
    assert 'lang="zh-CN"' in inside.get(path).text


def test_whatever_a_box_says_of_a_call_has_a_word_in_both_languages() -> None:
    for kind in (Direction, CallStatus, Outcome, Presentation):
        for value in kind:
            english, chinese = word(value.value, "en"), word(value.value, "zh")
            assert re.search(r"[\u4e00-\u9fff]", chinese), value
            assert not re.search(r"[_\u4e00-\u9fff]", english), value


def test_the_language_leads_back_to_where_one_was_and_nowhere_else(inside: FlaskClient) -> None:
    csrf = token_of(inside.get("/").text)
    for back, leads in (("/boxes?q=x", "/boxes?q=x"), ("//evil.example/", "/"), ("/\\evil", "/"), ("http://e", "/")):
        response = inside.post("/language", data={"language": "en", "csrf": csrf, "back": back})
        assert response.headers["Location"] == leads


def test_what_is_not_there_is_404_and_no_error(inside: FlaskClient) -> None:
    for path in ("/boxes/nobody", "/calls/oh-1/none", "/api/calls/oh-1/none", "/media/oh-1/none"):
        assert inside.get(path).status_code == 404, path
    assert "No box has such a name." in inside.get("/boxes?q=%25").text
    assert "No calls." in inside.get("/calls?q=nothing").text


def test_media_is_the_stored_file_and_seeks(inside: FlaskClient) -> None:
    whole = inside.get(f"/media/oh-1/{FID}")
    assert (whole.data, whole.mimetype) == (SOUND, "audio/flac")
    part = inside.get(f"/media/oh-1/{FID}", headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.data) == (206, SOUND[4:10])
    assert inside.get("/media/oh-1/..%2f..%2freceiver.db").status_code == 404
    assert inside.get(f"/media/oh-2/{FID}").status_code == 404


def test_api_with_a_token_lists_searches_and_pages(app: Flask, accounts: Accounts, cloud: Cloud) -> None:
    for n in range(10, 130):
        data = {"id": f"call-{n}", "started_utc_ms": 1_795_000_000_000 + n // 2, "number": f"100{n}", "line": "sim-1"}
        cloud.say(box.records_message(box.record(n, data=data)))
    client, headers = app.test_client(), {"Authorization": f"Bearer {accounts.make_token('script')}"}
    assert client.get("/api/boxes", headers={"Authorization": "Bearer wrong"}).status_code == 401

    listed, before = [], None
    for _ in range(10):
        page = client.get("/api/calls", query_string={"limit": 50, "before": before}, headers=headers).json
        assert page is not None
        listed += [call["id"] for call in page["calls"]]
        before = page["before"]
        if before is None:
            break
    assert len(listed) == len(set(listed)) == 121
    found = client.get("/api/calls?q=10077", headers=headers).json
    assert found is not None
    assert [call["id"] for call in found["calls"]] == ["call-77"]
    assert client.get("/api/calls?q=%25", headers=headers).json == {"calls": [], "before": None}
    (listed_box,) = (client.get("/api/boxes", headers=headers).json or {})["boxes"]
    assert listed_box["missing"] == 6
    assert listed_box["sequences"][0]["gaps"] == [[4, 9]]
    assert client.post("/logout", headers=headers).status_code == 400


def test_a_clock_set_right_later_moves_the_calls_of_its_boot(inside: FlaskClient, cloud: Cloud) -> None:
    fixed = {"boot_no": 1, "first_utc_ms": 1_795_321_791_123, "first_boot_ns": 0, "offset_ms": 3_600_000}
    cloud.say(box.records_message(box.record(9, type="clock.fixed", data=fixed)))
    (call,) = (inside.get("/api/calls").json or {})["calls"]
    assert call["started_utc_ms"] == 1_795_321_796_123 + 3_600_000


def test_guessing_costs_time_and_forms_from_elsewhere_are_refused(app: Flask, inside: FlaskClient) -> None:
    client = app.test_client()
    page = client.get("/login").text
    for _ in range(6):
        answer = client.post("/login", data={"name": "op", "password": "wrong", "csrf": token_of(page)})
    assert "Too many" in answer.text
    right = client.post("/login", data={"name": "op", "password": "long enough 1", "csrf": token_of(page)})
    assert right.status_code == 422
    assert inside.post("/logout").status_code == 400
    assert inside.get("/").status_code == 200
