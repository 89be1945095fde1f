"""The wizard: every step can be left, skipped and taken up again, and none is a dead end."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.wifi import take
from tests.webui.box import BROWSER, PASSWORD, Database, csrf
from webui import backup
from webui.pages.setup import STEPS
from webui.services import Services


@pytest.fixture
def made(app: Flask) -> Services:
    return app.extensions["offhook"]


def _post(client: FlaskClient, path: str, **fields: object):
    return client.post(path, data={"csrf_token": csrf(client, "/live/"), **fields}, headers=BROWSER)


def test_the_first_admin_lands_in_the_wizard(stranger: FlaskClient, run_dir: Path) -> None:
    code = (run_dir / "first-run-code").read_text().strip()
    form = {"code": code, "name": "owner", "password": PASSWORD, "password_again": PASSWORD}
    answer = stranger.post("/first-run", data={"csrf_token": csrf(stranger), **form})
    assert answer.headers["Location"] == "/setup/"
    assert stranger.get("/setup/", headers=BROWSER).headers["Location"] == "/setup/box"


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_every_step_opens_without_lines_and_without_a_recorder(owner: FlaskClient, language: str) -> None:
    owner.set_cookie("language", language)
    for step in STEPS:
        page = owner.get(f"/setup/{step.name}", headers=BROWSER)
        assert page.status_code == 200, step.name
        assert 'href="/live/"' in page.text  # nobody is shut in
    for part in ("/setup/lines/now", "/setup/test/now"):
        assert owner.get(part, headers=BROWSER).status_code == 200
    assert owner.get("/setup/nothing", headers=BROWSER).status_code == 404


def test_skipping_all_the_way_ends_on_the_lines_and_resumes_where_it_stopped(owner: FlaskClient) -> None:
    for step, after in itertools.pairwise(STEPS):
        answer = _post(owner, f"/setup/{step.name}", go="skip")
        assert answer.headers["Location"] == f"/setup/{after.name}"
        assert owner.get("/setup/", headers=BROWSER).headers["Location"] == f"/setup/{after.name}"
    assert _post(owner, "/setup/end").headers["Location"] == "/live/"


def test_a_recorder_that_is_down_keeps_nobody_in_a_step(owner: FlaskClient) -> None:
    stuck = _post(owner, "/setup/recording", base_version="0", calls="none")
    assert stuck.status_code == 422
    assert "The recorder does not answer" in stuck.text
    assert 'value="skip"' in stuck.text


def test_a_test_call_shows_ring_caller_levels_and_hang_up(
    owner: FlaskClient, database: Database, made: Services
) -> None:
    owner.get("/setup/test", headers=BROWSER)
    made.users.set_note("setup_test_since", "0")
    call = database.call(1, name="王小明")
    database.recording(call, levels='[{"rms_dbfs": -23.4}, {"rms_dbfs": -61.0}]')
    page = owner.get("/setup/test/now", headers=BROWSER).text
    for sign in ("王小明", "-23 dB", "-61 dB"):
        assert sign in page
    assert page.count("Seen") == 2  # the ring and the hang-up of this line; the other line waits


def test_a_backup_is_restored_instead_of_a_new_admin(
    app: Flask, stranger: FlaskClient, run_dir: Path, tmp_path: Path, made: Services
) -> None:
    from webui.users.store import UserStore  # noqa: PLC0415

    (tmp_path / "other").mkdir()
    other = UserStore(tmp_path / "other" / "web.db")
    other.add_first_admin("anna", PASSWORD)
    content = backup.make(other, settings="", box="Old box", passphrase="a long passphrase")
    other.close()
    code = (run_dir / "first-run-code").read_text().strip()

    def restore(code: str, passphrase: str):
        form = {"csrf_token": csrf(stranger), "code": code, "passphrase": passphrase}
        return stranger.post("/first-run/restore", data={**form, "file": (io.BytesIO(content), "b")}, headers=BROWSER)

    assert restore("AAAA-AAAA-AAAA", "a long passphrase").status_code == 422
    assert restore(code, "wrong").status_code == 422
    assert not made.users.has_users()
    assert restore(code, "a long passphrase").headers["Location"] == "/login"
    assert made.users.check_password("anna", PASSWORD) is not None
    assert stranger.get("/first-run/restore", headers=BROWSER).headers["Location"] == "/login"


def test_agents_have_no_wizard(app: Flask, owner: FlaskClient, made: Services) -> None:
    made.people.add("mei", PASSWORD, "agent")
    mei = app.test_client()
    mei.post("/login", data={"csrf_token": csrf(mei), "name": "mei", "password": PASSWORD})
    assert mei.get("/setup/", headers=BROWSER).status_code == 403


@pytest.fixture
def wireless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of the image with a wireless interface; gives where the wish goes."""
    (tmp_path / "net" / "wlan0" / "wireless").mkdir(parents=True)
    monkeypatch.setattr("webui.wifi.NETWORK", tmp_path / "net")
    monkeypatch.setenv("OFFHOOK_WIFI_WISH", str(tmp_path / "wifi.json"))
    return tmp_path / "wifi.json"


def test_a_wifi_that_is_set_on_the_page_reaches_the_box(owner: FlaskClient, wireless: Path, tmp_path: Path) -> None:
    assert 'name="ssid"' in owner.get("/setup/network", headers=BROWSER).text
    secret = 'a "secret" # with signs'
    refused = _post(owner, "/setup/network", ssid="Büro", wifi_password="short")
    assert refused.status_code == 422
    assert not wireless.exists()
    assert _post(owner, "/setup/network", ssid="Büro", wifi_password=secret).headers["Location"] == "/setup/lines"
    assert wireless.stat().st_mode & 0o077 == 0
    assert secret not in owner.get("/settings/audit/", headers=BROWSER).text
    state = tmp_path / "state"
    state.mkdir()
    assert take(wireless, state) == "Wi-Fi set"
    assert not wireless.exists()
    made = (state / "wifi.conf").read_text()
    assert f"ssid={'Büro'.encode().hex()}" in made
    assert f'psk="{secret}"' in made
    assert (state / "wifi.conf").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text", ["", "[]", '{"ssid": "x"}', '{"ssid": "", "password": "", "country": "", "hidden": 0}']
)
def test_a_wish_that_is_none_changes_nothing(tmp_path: Path, text: str) -> None:
    wish = tmp_path / "wifi.json"
    wish.write_text(text)
    assert take(wish, tmp_path).startswith("ignored")
    assert not wish.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_place_of_a_wish_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"ssid": "x", "password": "12345678", "country": "", "hidden": false}')
    (tmp_path / "wifi.json").symlink_to(tmp_path / "secret")
    assert take(tmp_path / "wifi.json", tmp_path).startswith("ignored")
    assert (tmp_path / "secret").exists()
    assert not (tmp_path / "wifi.conf").exists()


def test_without_a_wireless_interface_nothing_is_asked(owner: FlaskClient) -> None:
    assert 'name="ssid"' not in owner.get("/setup/network", headers=BROWSER).text
    assert _post(owner, "/setup/network", ssid="Office").status_code == 409
