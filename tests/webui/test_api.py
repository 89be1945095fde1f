"""The API answers as its contract says, to tokens alone, and gives no more than token and user allow."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.box import NOW_MS, PASSWORD, Database, StubRecorder
from webui.api.access import NEEDS
from webui.services import Services
from webui.users.tokens import Scope

SPEC: dict[str, Any] = json.loads(files("webui.api").joinpath("openapi.json").read_text())
Ask = Callable[..., Any]


@pytest.fixture
def made(app: Flask) -> Services:
    return app.extensions["offhook"]


@pytest.fixture
def token(owner: FlaskClient, made: Services) -> Callable[..., str]:
    def make(*scopes: Scope, user: str = "owner", days: int | None = None) -> str:
        number = next(each.id for each in made.people.listed() if each.name == user)
        return made.tokens.make(number, "test", scopes or tuple(Scope), days=days)

    return make


@pytest.fixture
def ask(app: Flask, token: Callable[..., str]) -> Ask:
    """A request of a program, whose answer is held against the contract."""

    def request(method: str, path: str, *, bearer: str | None = None, **more: Any):
        client = app.test_client(use_cookies=False)
        headers = {"Authorization": f"Bearer {token() if bearer is None else bearer}"}
        answer = client.open(f"/api/v1{path}", method=method, headers=headers, **more)
        _fits(method, path, answer)
        return answer

    return request


def _fits(method: str, path: str, answer: Any) -> None:
    plain = path.partition("?")[0]
    for template, operations in SPEC["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, plain) and method.lower() in operations:
            responses = operations[method.lower()]["responses"]
            assert str(answer.status_code) in responses, (method, path, answer.status_code, answer.text)
            response = responses[str(answer.status_code)]
            if "$ref" in response:
                response = SPEC["components"]["responses"]["Error"]
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema:
                jsonschema.validate(answer.get_json(), {**schema, "components": SPEC["components"]})
            return
    raise AssertionError(f"the contract does not know {method} {path}")


def test_the_contract_names_every_route_and_no_other(app: Flask) -> None:
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1")))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    named = {(method, path) for path, operations in SPEC["paths"].items() for method in operations}
    assert routes == named
    jsonschema.Draft202012Validator.check_schema(SPEC["components"]["schemas"]["Call"])


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_opens_its_own_door_alone(app: Flask, token: Callable[..., str], scope: Scope) -> None:
    bearer = {"Authorization": f"Bearer {token(scope)}"}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        wanted = getattr(view, "_offhook_scope", None)
        if wanted is None:
            continue
        path = re.sub(r"<(?:\w+:)?\w+>", "x", rule.rule)
        method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        client = app.test_client()
        assert (client.open(path, method=method, headers=bearer).status_code == 403) is (wanted is not scope), path
        stranger = app.test_client()
        elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
        assert stranger.open(path, method=method, environ_base=elsewhere).status_code == 401


def test_a_cookie_counts_for_nothing(owner: FlaskClient) -> None:
    assert owner.get("/api/v1/status").status_code == 401
    assert owner.get("/metrics").status_code == 401
    assert owner.put("/api/v1/settings", json={"base_version": 0, "document": ""}).status_code == 401


@pytest.mark.parametrize("bearer", ["", "offhook_x", "' OR 1=1 --", "offhook_" + "x" * 5000])
def test_a_made_up_token_is_refused(ask: Ask, bearer: str) -> None:
    answer = ask("GET", "/status", bearer=bearer)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_guessing_tokens_is_slowed_down(ask: Ask) -> None:
    codes = [ask("GET", "/status", bearer=f"offhook_{n}").status_code for n in range(8)]
    assert codes[-1] == 429


def test_who_sends_no_token_is_told_so_and_slows_nobody_down(ask: Ask, stranger: FlaskClient) -> None:
    for _ in range(8):
        assert stranger.get("/api/v1/status").status_code == 401
    assert ask("GET", "/status").status_code != 429


@pytest.mark.parametrize("moment", ["2938-01-18T05:19:01+20:17", "9999-12-31T23:59:59Z", "0475-07-18T12:51:45Z"])
def test_a_moment_beyond_all_calls_is_no_fault(ask: Ask, database: Database, moment: str) -> None:
    database.call(1)
    for name, found in (("since", moment < "1"), ("until", moment > "1")):
        answer = ask("GET", f"/calls?{urlencode({name: moment})}")
        assert answer.status_code == 200
        assert len(answer.get_json()["calls"]) == found


def test_a_note_too_long_is_refused_before_anything_is_stripped(ask: Ask, database: Database) -> None:
    answer = ask("PUT", f"/calls/{database.call(1)}/note", json={"text": "\u0099" * 4001})
    assert answer.status_code == 422


def test_a_method_that_an_address_does_not_take_is_said(stranger: FlaskClient) -> None:
    for method in ("DELETE", "TRACE"):
        answer = stranger.open("/api/v1/status", method=method)
        assert answer.status_code == 405
        assert "GET" in answer.headers["Allow"]


def test_a_token_gives_what_its_user_may_now_and_no_more(
    ask: Ask, token: Callable[..., str], made: Services, database: Database
) -> None:
    made.people.add("mei", PASSWORD, "agent")
    mei = next(each for each in made.people.listed() if each.name == "mei")
    made.people.change(mei.id, role="agent", department=None, disabled=False, lines=["sim-1"])
    hers, other = database.call(1, line="sim-1"), database.call(2, line="fxo-1")
    bearer = token(user="mei")
    assert [call["id"] for call in ask("GET", "/calls", bearer=bearer).get_json()["calls"]] == [hers]
    assert ask("GET", f"/calls/{other}", bearer=bearer).status_code == 404
    assert ask("GET", "/calls?line=fxo-1", bearer=bearer).get_json() == {"calls": []}
    assert ask("GET", "/settings", bearer=bearer).status_code == 403
    assert ask("POST", "/lines/fxo-1/dial", bearer=bearer, json={"number": "1"}).status_code == 404
    made.people.change(mei.id, role="technician", department=None, disabled=False, lines=[])
    assert ask("PUT", f"/calls/{hers}/note", bearer=bearer, json={"text": "x"}).status_code == 403
    assert set(NEEDS) == set(Scope)


def test_calls_come_newest_first_by_period_line_and_page(ask: Ask, database: Database) -> None:
    calls = [database.call(n * 60, name="王小明 <script>") for n in range(5)]
    database.recording(calls[4])
    found = ask("GET", "/calls?limit=2").get_json()["calls"]
    assert [call["id"] for call in found] == [calls[4], calls[3]]
    assert found[0]["name"] == "王小明 <script>"
    assert not any("path" in name for name in found[0]["recordings"][0])
    assert [call["id"] for call in ask("GET", "/calls?limit=2&offset=4").get_json()["calls"]] == [calls[0]]
    assert ask("GET", "/calls?until=2026-01-01T00:00:00Z").get_json() == {"calls": []}
    assert ask("GET", f"/calls/{calls[2]}").get_json()["id"] == calls[2]
    assert ask("GET", "/calls/none").status_code == 404
    assert NOW_MS


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=-1", "limit=1e2", "offset=x", "since=yesterday", "since=2026-01-01", "lines=x",
     "line=", "limit=1&limit=2", "since=0001-01-01T00:00:00%2B23:59", "line=%00"],
)  # fmt: skip
def test_a_wrong_parameter_is_named(ask: Ask, database: Database, query: str) -> None:
    answer = ask("GET", f"/calls?{query}")
    assert answer.status_code == 400
    assert query.split("=", maxsplit=1)[0] in answer.get_json()["error"]["message"]


def test_sound_is_given_whole_and_in_ranges_and_written_down(ask: Ask, database: Database, made: Services) -> None:
    recording = database.recording(database.call(1), **database.sound("a"))
    whole = ask("GET", f"/recordings/{recording}/flac")
    assert whole.status_code == 200
    assert whole.data.startswith(b"fLaC")
    assert ask("GET", f"/recordings/{recording}/wav").data.startswith(b"RIFF")
    assert ask("GET", f"/recordings/{recording}/ogg").data.startswith(b"OggS")
    assert made.audit.entries()[0].action == "exported"
    for strange in ("mp3", "..", "%2e%2e%2fweb.db"):
        assert ask("GET", f"/recordings/{recording}/{strange}").status_code in (401, 404)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"json": {"base_version": "0", "document": ""}}, 400), ({"json": [1]}, 400), ({"data": "x"}, 415),
     ({"json": {"document": "", "base_version": 0, "x": 1}}, 400),
     ({"json": {"base_version": True, "document": ""}}, 400),
     ({"data": b"\xff", "content_type": "application/json"}, 400)],
)  # fmt: skip
def test_a_wrong_body_is_refused(ask: Ask, body: dict[str, Any], status: int) -> None:
    assert ask("PUT", "/settings", **body).status_code == status


def test_a_recorder_that_is_down_is_said(ask: Ask, database: Database) -> None:
    answer = ask("PUT", "/settings", json={"base_version": 0, "document": ""})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "recorder_down")


def test_notes_and_dialling_go_through_the_recorder(ask: Ask, database: Database, run_dir: Any, made: Services) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    with StubRecorder(run_dir) as recorder:
        recorder.answer(
            "call.note", lambda **args: heard.append(("note", args)) or {}, {"call": str, "text": str, "by": str}
        )
        recorder.answer("line.dial", lambda **args: heard.append(("dial", args)) or {}, {"line": str, "number": str})
        recorder.answer("line.digits", lambda **args: heard.append(("keys", args)) or {}, {"line": str, "digits": str})
        call = database.call(1)
        assert ask("PUT", f"/calls/{call}/note", json={"text": "回访"}).status_code == 204
        assert ask("POST", "/lines/sim-1/dial", json={"number": "10086"}).status_code == 204
        assert ask("POST", "/lines/sim-1/digits", json={"digits": "4711#"}).status_code == 204
    assert heard[0] == ("note", {"call": call, "text": "回访", "by": "owner (token test)"})
    assert heard[1] == ("dial", {"line": "sim-1", "number": "10086"})
    assert heard[2] == ("keys", {"line": "sim-1", "digits": "4711#"})
    entries = made.audit.entries(limit=3)
    assert [entry.action for entry in entries] == ["dialled", "dialled", "annotated"]
    assert "4711" not in str(entries), "keys may be a secret"


def test_metrics_say_what_prometheus_reads_and_name_nobody(
    app: Flask, token: Callable[..., str], database: Database
) -> None:
    call = database.call(1, number="+8613800138000", name="王小明")
    # Of today: the forecast looks at the last week.
    lately = {"started_utc_ms": time.time_ns() // 1_000_000 - 60_000, "flac_size": 4_000, "opus_size": 1_000}
    recording = database.recording(call, **(database.sound("a") | lately))
    database.conn.execute("INSERT INTO gap VALUES (?, 80, 1500, 'overrun')", (recording,))
    headers = {"Authorization": f"Bearer {token(Scope.METRICS)}"}
    text = app.test_client().get("/metrics", headers=headers).text
    assert 'offhook_lost_sound_seconds_total{line="fxo-1",cause="overrun"} 1.5' in text
    assert 'offhook_overruns_total{line="fxo-1"} 1' in text
    assert "offhook_unsynced_recordings 1" in text
    for name in ("offhook_days_until_full", "offhook_oldest_recording_age_seconds", "offhook_disk_free_bytes"):
        assert re.search(rf"^{name} [\d.e+]+$", text, re.M), name
    assert "13800138000" not in text
    assert "王小明" not in text
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) .+|\w+(\{(\w+="[^"]*",?)*\})? [-+\d.e]+(nan|inf)?', line), line
