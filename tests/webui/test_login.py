"""Who gets in, who does not, and what guessing costs."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from firmware.errors import ConflictError
from tests.webui.box import BROWSER, PASSWORD, csrf, make_admin
from webui.app import create_app
from webui.users import first_run
from webui.users.store import SESSION_IDLE_S, UserStore
from webui.users.throttle import Throttle


def log_in(client: FlaskClient, name: str, password: str, **more: str):
    return client.post("/login", data={"csrf_token": csrf(client), "name": name, "password": password, **more})


def test_the_first_run_code_is_readable_secret_and_kept_as_a_hash(app: Flask, data_dir: Path, run_dir: Path) -> None:
    path = run_dir / "first-run-code"
    code = path.read_text().strip()
    assert re.fullmatch(r"[A-HJ-NP-TV-Z2-9]{4}(-[A-HJ-NP-TV-Z2-9]{4}){2}", code)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((data_dir / "web.db").stat().st_mode) == 0o600
    users = app.extensions["offhook"].users
    assert users.secret("first_run_code").startswith("$argon2id$")
    assert first_run.prepare(users, run_dir) == code  # a restart before its use keeps it


def test_a_lost_code_file_gives_a_new_code_and_the_old_one_is_worth_nothing(app: Flask, run_dir: Path) -> None:
    users = app.extensions["offhook"].users
    old = (run_dir / "first-run-code").read_text()
    (run_dir / "first-run-code").unlink()
    new = first_run.prepare(users, run_dir)
    assert new is not None
    assert new != old.strip()
    assert not first_run.check(users, old)
    assert first_run.check(users, new.lower().replace("-", " "))


def test_the_code_makes_the_admin_once_and_then_vanishes(stranger: FlaskClient, app: Flask, run_dir: Path) -> None:
    code = (run_dir / "first-run-code").read_text().strip()
    make_admin(stranger, run_dir)
    assert stranger.get("/live/", headers=BROWSER).status_code == 200
    assert not (run_dir / "first-run-code").exists()
    again = app.test_client()
    form = {"csrf_token": csrf(again), "code": code, "name": "second", "password": PASSWORD, "password_again": PASSWORD}
    assert again.post("/first-run", data=form).headers["Location"].endswith("/login")
    assert app.extensions["offhook"].users.check_password("second", PASSWORD) is None
    with pytest.raises(ConflictError):
        app.extensions["offhook"].users.add_first_admin("second", PASSWORD)
    assert first_run.prepare(app.extensions["offhook"].users, run_dir) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"code": "AAAA-AAAA-AAAA"}, "not the first-run code"),
        ({"password": "short", "password_again": "short"}, "at least 10"),
        ({"password_again": PASSWORD + "x"}, "not the same"),
        ({"name": ""}, "user name"),
        ({"name": "a\x00b"}, "user name"),
        ({"password": "x" * 2000, "password_again": "x" * 2000}, "too long"),
    ],
)
def test_a_bad_first_run_form_makes_no_account(
    stranger: FlaskClient, app: Flask, run_dir: Path, change: dict[str, str], said: str
) -> None:
    good = {
        "csrf_token": csrf(stranger),
        "code": (run_dir / "first-run-code").read_text().strip(),
        "name": "owner",
        "password": PASSWORD,
        "password_again": PASSWORD,
    }
    answer = stranger.post("/first-run", data=good | change)
    assert answer.status_code == 422
    assert said in answer.text
    assert not app.extensions["offhook"].users.has_users()


def test_passwords_are_argon2id_and_never_in_the_database(owner: FlaskClient, data_dir: Path) -> None:
    raw = b"".join(path.read_bytes() for path in data_dir.glob("web.db*"))
    assert b"$argon2id$v=19$m=19456,t=2,p=1$" in raw
    assert PASSWORD.encode() not in raw


def test_nothing_but_the_login_answers_a_stranger(app: Flask, run_dir: Path) -> None:
    make_admin(app.test_client(), run_dir)
    stranger = app.test_client()
    is_open = {"static", "auth.login", "auth.second_factor", "auth.first_run", "auth.language", "auth.theme"}
    # The box's own authority and the API's contract tell nothing of a call.
    is_open |= {"system.trust", "system.certificate", "system.trust_picture", "api.openapi"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint in is_open:
            continue
        if rule.endpoint == "setup.restore":  # before the first admin only
            assert stranger.get(rule.rule, headers=BROWSER).headers["Location"].startswith("/login")
            continue
        path = re.sub(r"<(int:)?\w+>", "1", rule.rule)
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            page = stranger.open(path, method=method, headers=BROWSER)
            assert page.status_code in (302, 400, 401, 429), (method, path)
            if page.status_code == 302:
                assert page.headers["Location"].startswith("/login"), path
            script = stranger.open(path, method=method, headers={"Accept": "application/json"})
            assert script.status_code in (400, 401, 429), (method, path)  # who guesses tokens waits
    assert stranger.get("/no/such/address", headers=BROWSER).status_code == 302


def test_login_then_logout_ends_the_session_on_the_box(owner: FlaskClient, app: Flask) -> None:
    client = app.test_client()
    assert log_in(client, "OWNER", PASSWORD, next="/calls/").headers["Location"] == "/calls/"
    stolen = client.get_cookie("offhook").value
    assert client.get("/live/", headers=BROWSER).status_code == 200
    assert client.post("/logout", data={"csrf_token": csrf(client, "/live/")}).status_code == 302
    thief = app.test_client()
    thief.set_cookie("offhook", stolen)
    assert thief.get("/live/", headers=BROWSER).status_code == 302


def test_the_cookie_is_for_this_site_alone(app: Flask, owner: FlaskClient) -> None:
    client = app.test_client()
    cookie = log_in(client, "owner", PASSWORD).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_behind_nginx_the_cookie_is_for_https_alone(tmp_path: Path) -> None:
    app = create_app(tmp_path, tmp_path, behind_proxy=True)
    answer = app.test_client().get("/first-run", headers={**BROWSER, "X-Forwarded-Proto": "https"})
    assert re.search(r"__Host-offhook=.*Secure;.*Path=/", answer.headers["Set-Cookie"])
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    app.extensions["offhook"].users.close()


def test_the_session_before_the_login_does_not_live_on(owner: FlaskClient, app: Flask) -> None:
    client = app.test_client()
    planted = csrf(client)
    log_in(client, "owner", PASSWORD)
    assert csrf(client, "/live/") != planted


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: 1"]
)
def test_a_login_leads_nowhere_else(owner: FlaskClient, app: Flask, target: str) -> None:
    assert log_in(app.test_client(), "owner", PASSWORD, next=target).headers["Location"] == "/live/"


def test_guessing_is_slowed_down_even_with_the_right_password(owner: FlaskClient, app: Flask) -> None:
    client = app.test_client()
    answers = [log_in(client, "owner", f"wrong {n}") for n in range(5)]
    assert [answer.status_code for answer in answers] == [422] * 5
    assert "wrong" in answers[0].text
    blocked = log_in(client, "owner", PASSWORD)
    assert blocked.status_code == 429
    assert "Too many wrong answers" in blocked.text


def test_guessing_the_first_run_code_is_slowed_down(stranger: FlaskClient, run_dir: Path) -> None:
    form = {"csrf_token": csrf(stranger), "name": "x", "password": PASSWORD, "password_again": PASSWORD}
    codes = [stranger.post("/first-run", data={**form, "code": f"AAAA-AAAA-AA{n}"}).status_code for n in range(6)]
    assert codes == [422] * 5 + [429]


def test_waits_grow_and_end_and_nobody_is_shut_out_for_ever() -> None:
    now_s = [0.0]
    throttle = Throttle(free_failures=2, first_wait_s=10, longest_wait_s=35, now_s=lambda: now_s[0])
    waits = []
    for _ in range(5):
        throttle.failed("a")
        waits.append(throttle.wait_s("a"))
    assert waits == [0, 10, 20, 35, 35]
    assert throttle.wait_s("b") == 0
    now_s[0] = 36
    assert throttle.wait_s("a") == 0
    now_s[0] = 36 + 3601
    throttle.failed("a")
    assert throttle.wait_s("a") == 0  # long ago is forgotten


def test_an_idle_session_ends(tmp_path: Path) -> None:
    users = UserStore(tmp_path / "web.db")
    user = users.add_first_admin("owner", PASSWORD)
    token = users.open_session(user, address="", agent="")
    assert users.session_user(token) == user
    users._conn.execute("UPDATE session SET seen_utc_ms = seen_utc_ms - ?", ((SESSION_IDLE_S + 60) * 1000,))
    assert users.session_user(token) is None
    assert users.session_user("made up") is None
    users.close()


def test_a_run_folder_that_cannot_be_written_still_gives_a_code(tmp_path: Path) -> None:
    users = UserStore(tmp_path / "web.db")
    (tmp_path / "run").write_text("a file where the folder should be")
    code = first_run.prepare(users, tmp_path / "run")
    assert code is not None
    assert first_run.check(users, code)
    users.close()
