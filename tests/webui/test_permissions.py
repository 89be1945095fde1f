"""Each route names who may use it, and a role that lacks the permission is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.box import BROWSER, PASSWORD, Database, csrf
from webui.permissions import Permission, check_every_route, require, required_by
from webui.users.passwords import hash_password
from webui.users.roles import PRESETS, permissions_of


@pytest.fixture
def as_role(app: Flask, owner: FlaskClient) -> Callable[[str], FlaskClient]:
    """A client that is logged in with a role of one's choice."""

    def log_in(role: str) -> FlaskClient:
        users = app.extensions["offhook"].users
        with users._lock, users._conn:
            users._conn.execute(
                "INSERT INTO user (name, password_hash, role, created_utc_ms) VALUES (?, ?, ?, 0)",
                (f"{role}-1", hash_password(PASSWORD), role),
            )
        client = app.test_client()
        form = {"csrf_token": csrf(client), "name": f"{role}-1", "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 302
        return client

    return log_in


def test_a_route_that_names_nobody_keeps_the_page_from_starting(app: Flask) -> None:
    app.view_functions["calls.forgotten"] = lambda: "anybody"
    with pytest.raises(TypeError, match=r"calls\.forgotten"):
        check_every_route(app)


def test_require_needs_a_permission() -> None:
    with pytest.raises(TypeError):
        require()


def test_an_unknown_role_may_do_nothing() -> None:
    assert permissions_of("emperor") == frozenset()


def test_the_admin_may_do_everything() -> None:
    assert PRESETS["admin"] == frozenset(Permission)


def test_a_technician_hears_nothing(as_role: Callable[[str], FlaskClient], database: Database) -> None:
    recording = database.recording(database.call(1), **database.sound("a"))
    technician = as_role("technician")
    for kind in ("mp4", "ogg", "flac", "wav"):
        answer = technician.get(f"/media/{recording}.{kind}", headers=BROWSER)
        assert answer.status_code == 403
    assert "listen to recordings" in technician.get(f"/media/{recording}.mp4", headers=BROWSER).text
    assert "<call-player" not in technician.get("/calls/", headers=BROWSER).text


@pytest.mark.parametrize("role", sorted(PRESETS))
def test_each_role_is_let_in_or_refused_as_its_permissions_say(
    role: str, app: Flask, as_role: Callable[[str], FlaskClient], database: Database
) -> None:
    client = as_role(role)
    for rule in app.url_map.iter_rules():
        if rule.endpoint in {"static", "live.events"} or rule.endpoint.startswith("auth."):
            continue
        path = rule.rule.replace("<int:", "<").replace("<path:", "<")
        while "<" in path:
            path = path[: path.index("<")] + "1" + path[path.index(">") + 1 :]
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "DELETE"}):
            form = {"csrf_token": csrf(client, "/live/")} if method != "GET" else None
            answer = client.open(path, method=method, data=form, headers=BROWSER)
            allowed = required_by(app, rule.endpoint) <= PRESETS[role]
            assert (answer.status_code == 403) is not allowed, (role, method, path, answer.status_code)
