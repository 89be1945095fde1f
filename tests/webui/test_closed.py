"""What a hostile site, caller or address line can do to the page: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.box import BROWSER, PASSWORD, Database, csrf
from webui.app import create_app

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE call; --",
    "{{ 7 * 7 }}",
    "</title></script><svg onload=alert(1)>",
    "a\u202eb\x00c\r\nd",
]


def test_a_form_without_the_token_changes_nothing(owner: FlaskClient) -> None:
    for path in ("/logout", "/language", "/theme", "/live/alarms/1/acknowledge"):
        assert owner.post(path, data={"csrf_token": "made up"}).status_code == 400
        assert owner.post(path).status_code == 400
    assert owner.get("/live/", headers=BROWSER).status_code == 200


def test_another_sites_form_is_refused_even_with_a_token(owner: FlaskClient) -> None:
    token = csrf(owner, "/live/")
    for site in ("cross-site", "same-site"):
        answer = owner.post("/logout", data={"csrf_token": token}, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
    assert owner.get("/live/", headers=BROWSER).status_code == 200


def test_one_visitors_token_does_not_serve_another(app: Flask, owner: FlaskClient) -> None:
    other = app.test_client()
    csrf(other)
    answer = other.post("/login", data={"csrf_token": csrf(owner, "/live/"), "name": "owner", "password": PASSWORD})
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/live/", "/calls/", "/login", "/no/such/page", "/static/app/app.css"])
def test_every_answer_is_closed_by_its_headers(owner: FlaskClient, path: str) -> None:
    headers = owner.get(path, headers=BROWSER).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_no_page_has_inline_script_style_or_foreign_things(owner: FlaskClient, database: Database) -> None:
    call = database.call(1, name="Contoso")
    database.recording(call, **database.sound("one"))
    for path in ("/live/", "/calls/", "/no/such/page"):
        html = owner.get(path, headers=BROWSER).text
        assert " style=" not in html
        assert "<style" not in html
        assert " onclick" not in html
        assert "http://" not in html
        assert "https://" not in html
        assert html.count("<script>") == 0


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_caller_name_is_only_text(owner: FlaskClient, database: Database, hostile: str) -> None:
    database.line("fxo-9", hostile)
    call = database.call(1, name=hostile, number=hostile, line="fxo-9")
    database.recording(call, status="failed", error=hostile)
    for path in ("/calls/", f"/calls/{call}/row"):
        html = owner.get(path, headers=BROWSER).text
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "<svg onload" not in html
        assert ">49<" not in html
    assert database.conn.execute("SELECT count(*) FROM call").fetchone()[0] == 1


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_addresses_are_only_text(owner: FlaskClient, database: Database, hostile: str) -> None:
    database.call(1)
    for path in ("/calls/", "/live/"):
        answer = owner.get(path, query_string={"before": hostile, "after": hostile, "next": hostile}, headers=BROWSER)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text


def test_a_form_that_is_too_big_is_refused(owner: FlaskClient) -> None:
    assert owner.post("/language", data={"csrf_token": "x" * 200_000}).status_code == 413


def test_the_demo_answers_only_to_its_own_names(tmp_path: Path) -> None:
    app = create_app(tmp_path, tmp_path, trusted_hosts=["127.0.0.1", "localhost"])
    client = app.test_client()
    assert client.get("/first-run", headers={**BROWSER, "Host": "127.0.0.1:8080"}).status_code == 200
    assert client.get("/first-run", headers={**BROWSER, "Host": "evil.example"}).status_code == 400
    app.extensions["offhook"].users.close()


def test_a_number_that_no_row_can_have_is_no_fault(owner: FlaskClient) -> None:
    far, form = "9" * 40, {"csrf_token": csrf(owner, "/live/")}
    assert owner.get(f"/settings/people/users/{far}", headers=BROWSER).status_code == 404
    for path in (
        f"/settings/tokens/{far}/revoke",
        f"/calls/views/{far}/remove",
        f"/settings/people/users/{far}/remove",
    ):
        assert owner.post(path, data=form, headers=BROWSER).status_code == 404
