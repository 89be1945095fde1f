"""Users, roles, departments, second factors, tokens, sessions and the audit log."""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient

from firmware.errors import ConflictError
from tests.webui.box import BROWSER, NOW_MS, PASSWORD, Database, csrf
from webui.permissions import Permission
from webui.services import Services
from webui.users.audit import FIRST_LINK, Action, AuditLog, Wanted
from webui.users.passkeys import host_for
from webui.users.people import LastAdminError, People
from webui.users.second_factor import RECOVERY_CODES, matching_step
from webui.users.store import UserStore
from webui.users.tokens import Scope, Tokens


@pytest.fixture
def made(app: Flask) -> Services:
    return app.extensions["offhook"]


def _log_in(app: Flask, name: str, password: str = PASSWORD) -> FlaskClient:
    client = app.test_client()
    client.post("/login", data={"csrf_token": csrf(client), "name": name, "password": password})
    return client


def _post(client: FlaskClient, path: str, **fields: object):
    return client.post(path, data={"csrf_token": csrf(client, "/live/"), **fields}, headers=BROWSER)


def test_an_admin_adds_a_user_who_sees_only_her_lines(
    owner: FlaskClient, app: Flask, made: Services, database: Database
) -> None:
    answer = _post(owner, "/settings/people/users/new", name="mei", password=PASSWORD, role="agent")
    assert answer.status_code == 302
    person = next(each for each in made.people.listed() if each.name == "mei")
    _post(owner, "/settings/people/departments", name="Sales", lines=["sim-1"])
    (department,) = made.people.departments()
    _post(owner, f"/settings/people/users/{person.id}", role="agent", department=str(department.id), lines=["fxo-1"])
    user = made.users.check_password("mei", PASSWORD)
    assert user is not None
    assert user.lines == {"sim-1", "fxo-1"}
    assert user.permissions == {Permission.LIST, Permission.ANNOTATE, Permission.LISTEN, Permission.DIAL}
    mei = _log_in(app, "mei")
    assert mei.get("/settings/people/", headers=BROWSER).status_code == 403
    assert mei.get("/settings/audit/", headers=BROWSER).status_code == 403
    actions = [(entry.action, entry.actor) for entry in made.audit.entries()]
    assert ("user_added", "owner") in actions
    assert ("signed_in", "mei") in actions


def test_a_role_of_ones_own_gives_exactly_what_it_names(owner: FlaskClient, made: Services) -> None:
    _post(owner, "/settings/people/roles", name="Night watch", permissions=["list", "listen"])
    made.people.add("nora", PASSWORD, "Night watch")
    user = made.users.check_password("nora", PASSWORD)
    assert user is not None
    assert user.permissions == {Permission.LIST, Permission.LISTEN}
    assert user.lines is None
    with pytest.raises(ConflictError):
        made.people.remove_role("Night watch")
    with pytest.raises(ConflictError):
        made.people.save_role("Admin", [], own_lines=False)


def test_the_last_admin_cannot_be_lost(owner: FlaskClient, made: Services) -> None:
    (admin,) = made.people.listed()
    for answer in (
        _post(owner, f"/settings/people/users/{admin.id}", role="agent"),
        _post(owner, f"/settings/people/users/{admin.id}", role="admin", disabled="yes"),
    ):
        assert answer.status_code == 422
        assert "last user who may manage users" in answer.text
    _post(owner, f"/settings/people/users/{admin.id}/remove")
    assert [each.role for each in made.people.listed()] == ["admin"]
    made.people.save_role("boss", [Permission.USERS], own_lines=False)
    boss = made.people.add("bo", PASSWORD, "boss")
    made.people.remove(admin.id)
    with pytest.raises(LastAdminError):
        made.people.save_role("boss", [Permission.LIST], own_lines=False)
    with pytest.raises(LastAdminError):
        made.people.remove(boss)


def test_who_is_shut_out_is_out_at_once(owner: FlaskClient, app: Flask, made: Services) -> None:
    number = made.people.add("mei", PASSWORD, "supervisor")
    mei = _log_in(app, "mei")
    assert mei.get("/calls/", headers=BROWSER).status_code == 200
    made.people.change(number, role="supervisor", department=None, disabled=True, lines=[])
    assert mei.get("/calls/", headers=BROWSER).status_code == 302
    assert made.users.check_password("mei", PASSWORD) is None


def test_a_new_password_ends_the_other_sessions(owner: FlaskClient, app: Flask, made: Services) -> None:
    other = _log_in(app, "owner")
    answer = _post(
        owner, "/account/password", current=PASSWORD, password="another long one", password_again="another long one"
    )
    assert answer.status_code == 302
    assert owner.get("/live/", headers=BROWSER).status_code == 200
    assert other.get("/live/", headers=BROWSER).status_code == 302
    assert _post(owner, "/account/password", current="wrong", password="x").status_code == 422


def test_the_second_factor_is_asked_for_after_the_password(owner: FlaskClient, app: Flask, made: Services) -> None:
    page = owner.get("/account/second-factor", headers=BROWSER).text
    secret = re.search(r'class="mono" translate="no">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    picture = owner.get("/account/second-factor.svg", headers=BROWSER)
    assert picture.mimetype == "image/svg+xml"
    wrong = _post(owner, "/account/second-factor", code="000000")
    assert wrong.status_code == 422
    shown = _post(owner, "/account/second-factor", code=pyotp.TOTP(secret).at(time.time() - 30))
    codes = re.findall(r"<li>([A-Z2-9]{5}-[A-Z2-9]{5})</li>", shown.text)
    assert len(codes) == RECOVERY_CODES
    client = app.test_client()
    form = {"csrf_token": csrf(client), "name": "owner", "password": PASSWORD}
    assert "/login/second" in client.post("/login", data=form).headers["Location"]
    assert client.get("/live/", headers=BROWSER).status_code == 302  # half-way is not in
    token = csrf(client, "/login/second")
    digits = pyotp.TOTP(secret).now()
    assert client.post("/login/second", data={"csrf_token": token, "code": digits}).status_code == 302
    assert client.get("/live/", headers=BROWSER).status_code == 200
    user = made.users.check_password("owner", PASSWORD)
    assert user is not None
    assert not made.second_factor.check(user.id, digits)  # seen over a shoulder, it opens nothing
    assert made.second_factor.check(user.id, codes[0].lower())
    assert not made.second_factor.check(user.id, codes[0])
    assert made.second_factor.codes_left(user.id) == RECOVERY_CODES - 1
    raw = b"".join(path.read_bytes() for path in made.data_dir.glob("web.db*"))
    assert codes[1].replace("-", "").encode() not in raw


def test_the_second_factor_is_not_guessed(owner: FlaskClient, app: Flask, made: Services) -> None:
    user = made.users.check_password("owner", PASSWORD)
    assert user is not None
    secret = pyotp.random_base32()
    assert made.second_factor.switch_on(user.id, secret, pyotp.TOTP(secret).now()) is not None
    client = app.test_client()
    client.post("/login", data={"csrf_token": csrf(client), "name": "owner", "password": PASSWORD})
    token = csrf(client, "/login/second")
    answers = [
        client.post("/login/second", data={"csrf_token": token, "code": f"{n:06}"}).status_code for n in range(7)
    ]
    assert answers[-1] == 429


def test_digits_fit_half_a_minute_early_or_late_and_no_more() -> None:
    secret = pyotp.random_base32()
    digits = pyotp.TOTP(secret).at(1_000_000_000)
    assert matching_step(secret, digits, now_s=1_000_000_000 + 30) is not None
    assert matching_step(secret, digits, now_s=1_000_000_000 - 30) is not None
    assert matching_step(secret, digits, now_s=1_000_000_000 + 90) is None
    assert matching_step(secret, "12345", now_s=0) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [("offhook.local", "offhook.local"), ("offhook.local:8443", "offhook.local"), ("192.168.1.9", None),
     ("192.168.1.9:443", None), ("[fe80::1]", None), ("localhost:8080", "localhost")],
)  # fmt: skip
def test_passkeys_are_bound_to_a_name(host: str, name: str | None) -> None:
    assert host_for(host) == name


def test_a_made_up_passkey_opens_nothing(owner: FlaskClient, app: Flask) -> None:
    client = app.test_client()
    token = {"X-CSRF-Token": csrf(client)}
    options = client.post("/login/passkey/options", json={}, headers=token)
    assert options.get_json()["rpId"] == "localhost"
    answer = client.post(
        "/login/passkey", json={"id": "x", "rawId": "eHg", "type": "public-key", "response": {}}, headers=token
    )
    assert answer.status_code == 422
    assert client.get("/live/", headers=BROWSER).status_code == 302


def test_a_token_is_shown_once_has_an_end_and_can_be_revoked(owner: FlaskClient, made: Services) -> None:
    page = _post(owner, "/settings/tokens/", name="Grafana", scopes=["metrics"], days="30").text
    token = re.search(r"offhook_[\w-]+", page)[0]
    assert token not in owner.get("/settings/tokens/", headers=BROWSER).text
    found = made.tokens.find(token, address="10.0.0.9")
    assert found is not None
    assert found.scopes == {Scope.METRICS}
    assert token.encode() not in b"".join(path.read_bytes() for path in made.data_dir.glob("web.db*"))
    with made.users.transaction() as conn:
        conn.execute("UPDATE api_token SET expires_utc_ms = 1")
    assert made.tokens.find(token, address="") is None
    assert _post(owner, f"/settings/tokens/{found.id}/revoke").status_code == 302
    assert made.tokens.listed() == []


def test_a_token_of_somebody_who_is_shut_out_is_worth_nothing(tmp_path: Path) -> None:
    users = UserStore(tmp_path / "web.db")
    people, tokens = People(users), Tokens(users)
    users.add_first_admin("owner", PASSWORD)
    number = people.add("mei", PASSWORD, "supervisor")
    token = tokens.make(number, "x", [Scope.CALLS], days=None)
    assert tokens.find(token, address="") is not None
    people.change(number, role="supervisor", department=None, disabled=True, lines=[])
    assert tokens.find(token, address="") is None
    users.close()


def test_the_audit_log_is_a_chain_that_shows_every_change(tmp_path: Path) -> None:
    users = UserStore(tmp_path / "web.db")
    audit = AuditLog(users)
    for n in range(5):
        audit.record(Action.LISTENED, f"call-{n}", actor="mei", detail={"n": n})
    whole = audit.verify()
    assert (whole.entries, whole.broken_at, whole.newest_link != FIRST_LINK) == (5, None, True)
    with pytest.raises(sqlite3.IntegrityError, match="never changes"), users.transaction() as conn:
        conn.execute("UPDATE audit SET actor = 'nobody' WHERE n = 3")
    with pytest.raises(sqlite3.IntegrityError, match="never changes"), users.transaction() as conn:
        conn.execute("DELETE FROM audit WHERE n = 3")
    with users.transaction() as conn:
        conn.execute("DROP TRIGGER audit_never_changes")
        conn.execute("UPDATE audit SET actor = 'nobody' WHERE n = 3")
    assert audit.verify().broken_at == 3
    with users.transaction() as conn:
        conn.execute("UPDATE audit SET actor = 'mei' WHERE n = 3")
        conn.execute("DROP TRIGGER audit_stays")
        conn.execute("DELETE FROM audit WHERE n = 2")
    assert audit.verify().broken_at == 2
    users.close()


def test_the_audit_page_filters_and_its_csv_runs_no_formula(owner: FlaskClient, made: Services) -> None:
    made.audit.record(Action.EXPORTED, "=HYPERLINK(1)", actor="mei")
    page = owner.get("/settings/audit/?actor=MEI", headers=BROWSER).text
    assert "=HYPERLINK(1)" in page
    assert "made an API token" not in page.split("<tbody>")[1]
    sheet = owner.get("/settings/audit/audit.csv?actor=mei", headers=BROWSER)
    assert sheet.get_data(as_text=True).startswith("\ufeffn,at_utc")
    assert "'=HYPERLINK(1)" in sheet.get_data(as_text=True)
    assert made.audit.entries(Wanted(action="exported"))[0].object == "audit log"


def test_deletions_by_the_rules_come_into_the_audit_log_once(app: Flask, made: Services, database: Database) -> None:
    database.conn.execute(
        "INSERT INTO deletion (recording_id, call_id, line, rule, by, stored, bytes, at_utc_ms) "
        "VALUES ('r', 'c', 'fxo-1', 'days', 'retention', 1, 9, ?)",
        (NOW_MS,),
    )
    database.conn.execute(
        "INSERT INTO setting (document, applied_utc_ms, applied_by) VALUES ('', ?, 'cloud')", (NOW_MS,)
    )
    assert made.audit_follow.copy() == 2
    assert made.audit_follow.copy() == 0
    found = {(entry.action, entry.object, entry.actor) for entry in made.audit.entries()}
    assert found == {("deleted", "c", "retention"), ("settings_changed", "version 1", "cloud")}
    assert made.audit.verify().broken_at is None


def test_an_admin_ends_the_session_of_somebody_else(owner: FlaskClient, app: Flask, made: Services) -> None:
    made.people.add("mei", PASSWORD, "supervisor")
    mei = _log_in(app, "mei")
    session = next(each for each in made.people.sessions() if each.user == "mei")
    _post(owner, f"/settings/people/sessions/{session.id}/end")
    assert mei.get("/live/", headers=BROWSER).status_code == 302
    assert _post(owner, "/account/sessions/0123456789abcdef/end").status_code == 404


def test_a_reset_password_is_shown_once(owner: FlaskClient, app: Flask, made: Services) -> None:
    number = made.people.add("mei", PASSWORD, "agent")
    page = _post(owner, f"/settings/people/users/{number}/password", second_factor_off="yes").text
    password = re.search(r'class="mono big" translate="no">([a-z0-9-]+)<', page)[1]
    assert made.users.check_password("mei", password) is not None
    assert made.users.check_password("mei", PASSWORD) is None
