"""The page's SIM cards: what it shows, whom it lets do what, and what reaches the recorder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from firmware.errors import RequestError
from firmware.ipc.dispatcher import Dispatcher
from firmware.ipc.server import IpcServer
from tests.webui.box import BROWSER, NOW_MS, SIM_READY, Database, csrf

Json = dict[str, Any]


class StubDesk:
    """A recorder that answers only ``sim.*``, with what the test laid ready."""

    def __init__(self, run_dir: Path, **status: Any) -> None:
        self.status = SIM_READY | status
        self.orders: list[tuple[str, Json]] = []
        self.refusal: RequestError | None = None
        commands = Dispatcher()
        commands.add("sim.status", lambda: {"sims": [self.status]})
        line = {"line": str}
        for cmd, args in {
            "sim.pin": line | {"pin": str},
            "sim.pin.forget": line,
            "sim.unblock": line | {"puk": str, "pin": str},
            "sim.ussd": line | {"code": str},
            "sim.sms.send": line | {"number": str, "text": str},
        }.items():
            commands.add(cmd, self._taker(cmd), args)
        self.server = IpcServer(run_dir / "recorder.sock", commands, self._state)

    def __enter__(self) -> StubDesk:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def _state(self) -> Json:
        return {"event": "state", "seq": 0, "lines": [], "alarms": [], "today": {"calls": 0, "missed": 0}}

    def _taker(self, cmd: str) -> Any:
        def take(**args: Any) -> Json:
            self.orders.append((cmd, args))
            if self.refusal is not None:
                raise self.refusal
            return {"code": args.get("code"), "text": "Balance: 42.00 <b>yuan</b>"}

        return take


@pytest.fixture
def desk(run_dir: Path, database: Database) -> Iterator[StubDesk]:
    with StubDesk(run_dir) as made:
        yield made


def get(client: FlaskClient, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={**BROWSER, "Accept-Language": language})
    assert answer.status_code == 200, path
    return answer.text


def post(client: FlaskClient, path: str, **fields: str) -> str:
    form = {"csrf_token": csrf(client, "/live/"), **fields}
    answer = client.post(path, data=form, headers=BROWSER, follow_redirects=True)
    assert answer.status_code == 200, path
    return answer.text


def test_a_card_is_shown_with_its_network_and_minutes(owner: FlaskClient, desk: StubDesk) -> None:
    listed = get(owner, "/settings/sims/")
    assert "Mobile" in listed
    assert "Contoso Mobile" in listed
    assert "Ready" in listed
    assert "3 of 4 bars" in listed or "4 of 4 bars" in listed
    page = get(owner, "/settings/sims/sim-1/")
    for words in ("+14255550188", "862636056482735", "over LTE (VoLTE)", "-73 dBm", "60 min", "10 min", "will run out"):
        assert words in page


@pytest.mark.parametrize(
    ("status", "english", "chinese"),
    [
        ({"sim": "SIM PIN"}, "Wants its PIN", "需要 PIN 码"),
        ({"sim": "SIM PIN", "pin_tries": 1}, "One try is left", "只剩"),
        ({"sim": "SIM PUK", "puk_tries": 9}, "Blocked: wants its PUK", "PUK"),
        ({"sim": "MISSING"}, "No card in the module", "没有"),
        ({"sim": "BROKEN"}, "The card does not work", "卡"),
        ({"sim": "PH-NET PIN"}, "locked to another operator", "运营商"),
        ({"voice": "none"}, "Registered, but nobody can call it", "VoLTE"),
        ({"sim": None, "minutes": None, "signal_dbm": None}, "Nothing known yet", "尚"),
    ],
)
def test_what_is_wrong_and_what_to_do_stands_there_in_both_languages(
    owner: FlaskClient, run_dir: Path, database: Database, status: Json, english: str, chinese: str
) -> None:
    with StubDesk(run_dir, **status):
        assert english in get(owner, "/settings/sims/sim-1/")
        assert english in get(owner, "/settings/sims/")
        page = get(owner, "/settings/sims/sim-1/", "zh-CN")
        assert chinese in page
        assert english not in page


def test_a_pin_goes_to_the_recorder_and_nowhere_else(app: Flask, owner: FlaskClient, desk: StubDesk) -> None:
    assert "The PIN is kept" in post(owner, "/settings/sims/sim-1/pin", pin="4711")
    assert "A PIN has 4 to 8 digits." in post(owner, "/settings/sims/sim-1/pin", pin="47x1")
    assert "The PIN was forgotten." in post(owner, "/settings/sims/sim-1/pin", pin="", forget="yes")
    assert desk.orders == [("sim.pin", {"line": "sim-1", "pin": "4711"}), ("sim.pin.forget", {"line": "sim-1"})]
    noted = [entry for entry in app.extensions["offhook"].audit.entries() if entry.object == "sim-1"]
    assert [(entry.action, entry.actor) for entry in noted] == [("settings_changed", "owner")] * 2
    assert "4711" not in json.dumps([dict(entry.detail) for entry in noted])


def test_a_blocked_card_takes_its_puk_and_a_new_pin(owner: FlaskClient, run_dir: Path, database: Database) -> None:
    with StubDesk(run_dir, sim="SIM PUK", puk_tries=10) as desk:
        path = "/settings/sims/sim-1/unblock"
        assert 'name="puk"' in get(owner, "/settings/sims/sim-1/")
        assert "8 digits" in post(owner, path, puk="1234567", pin="4711", pin_again="4711")
        assert "The two PINs differ" in post(owner, path, puk="12345678", pin="4711", pin_again="4712")
        assert desk.orders == []
        assert "has its new PIN" in post(owner, path, puk="12345678", pin="4711", pin_again="4711")
        desk.refusal = RequestError("invalid", "the card refused the PUK")
        assert "Each wrong PUK uses up one of ten tries" in post(
            owner, path, puk="87654321", pin="4711", pin_again="4711"
        )
        assert [args["puk"] for _, args in desk.orders] == ["12345678", "87654321"]


def test_the_network_tells_the_balance(app: Flask, owner: FlaskClient, desk: StubDesk) -> None:
    page = post(owner, "/settings/sims/sim-1/balance", code="*100#")
    assert "Balance: 42.00 &lt;b&gt;yuan&lt;/b&gt;" in page
    assert "A code looks like" in post(owner, "/settings/sims/sim-1/balance", code="ATD123;")
    desk.refusal = RequestError("busy", "no answer within 60 s")
    assert "busy or did not answer" in post(owner, "/settings/sims/sim-1/balance", code="*100#")
    assert [args["code"] for _, args in desk.orders] == ["*100#", "*100#"]
    assert [entry.action for entry in app.extensions["offhook"].audit.entries()][:2] == ["dialled", "dialled"]


def test_messages_are_read_and_written(owner: FlaskClient, desk: StubDesk, database: Database) -> None:
    assert "No messages yet" in get(owner, "/settings/sims/sim-1/messages")
    row = {
        "id": "m1", "line": "sim-1", "state": "received", "number": "+14255550123", "text": "<script>喂</script>",
        "boot_no": 1, "at_utc_ms": NOW_MS, "at_boot_ns": 0, "network_utc_ms": NOW_MS,
    }  # fmt: skip
    database._insert("sim_message", row)
    database._insert("sim_message", row | {"id": "m2", "state": "failed", "detail": "+CMS ERROR: 38"})
    page = get(owner, "/settings/sims/sim-1/messages")
    assert "&lt;script&gt;喂&lt;/script&gt;" in page
    assert "+CMS ERROR: 38" in page
    assert "The message was sent." in post(owner, "/settings/sims/sim-1/messages", number="+1 425", text="Hello")
    assert "needs a number" in post(owner, "/settings/sims/sim-1/messages", number="mei", text="Hello")
    assert desk.orders == [("sim.sms.send", {"line": "sim-1", "number": "+1 425", "text": "Hello"})]


def test_the_signal_is_drawn_and_each_change_of_the_network_listed(
    owner: FlaskClient, desk: StubDesk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.sim_cards.time.time_ns", lambda: (NOW_MS + 3_600_000) * 1_000_000)
    sample = {
        "line": "sim-1", "boot_no": 1, "at_boot_ns": 0, "circuit": "home", "packet": "home", "radio": "lte",
        "operator": "Contoso Mobile", "voice": "volte",
    }  # fmt: skip
    for minute, dbm, radio in [(0, -73, "lte"), (5, -80, "lte"), (10, None, "lte"), (15, -101, "gsm")]:
        database._insert("sim_signal", sample | {"at_utc_ms": NOW_MS + minute * 60_000, "dbm": dbm, "radio": radio})
    page = get(owner, "/settings/sims/sim-1/?days=7")
    assert "Weakest -101, strongest -73 dBm." in page
    points = page.split('<polyline points="')[1].split('"')[0].split()
    assert len(points) == 3
    assert page.count('data-label="Since"') == 2
    assert "<polyline" in get(owner, "/settings/sims/sim-1/?days=nonsense")


def test_what_was_known_last_is_shown_without_the_recorder(owner: FlaskClient, database: Database) -> None:
    database._insert(
        "sim_status", {"line": "sim-1", "at_utc_ms": NOW_MS, "status": json.dumps(SIM_READY, ensure_ascii=False)}
    )
    for path in ("/settings/sims/", "/settings/sims/sim-1/"):
        page = get(owner, path)
        assert "The recorder does not answer." in page
        assert "Contoso Mobile" in page
    assert "The recorder does not answer. Try again" in post(owner, "/settings/sims/sim-1/balance", code="*100#")


def test_a_line_that_has_no_card_is_not_found(owner: FlaskClient, desk: StubDesk) -> None:
    for path in ("/settings/sims/fxo-1/", "/settings/sims/fxo-1/messages", "/settings/sims/sim-9/"):
        assert owner.get(path, headers=BROWSER).status_code == 404


def test_who_sees_only_her_lines_sees_only_their_cards(
    owner: FlaskClient, desk: StubDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.users.store.User.sees_line", lambda _, line: line == "fxo-1")
    assert "Contoso Mobile" not in get(owner, "/settings/sims/")
    assert owner.get("/settings/sims/sim-1/", headers=BROWSER).status_code == 404


def test_a_box_without_sim_says_how_to_get_one(owner: FlaskClient) -> None:
    assert "There is no SIM module yet" in get(owner, "/settings/sims/")
