"""Every settings page opens in both languages, with data and without, with the recorder and without it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.desk import Desk
from firmware.errors import ConfigError, ConflictError
from firmware.settings import SettingsService
from firmware.store import retention_ask, settings
from firmware.store.second_writer import SecondWriter
from firmware.update_wishes import Phase, incoming, take
from tests.store.world import HandClock
from tests.webui.box import BROWSER, NOW_MS, PASSWORD, Database, StubRecorder, csrf
from webui import backup
from webui.app import FORM_BYTES_AT_MOST
from webui.services import Services
from webui.support import without_numbers

PLACES = (
    "/settings/", "/settings/alarms/", "/settings/lines/", "/settings/recording/", "/settings/storage/",
    "/settings/cloud-link/",
    "/settings/cloud-link/webhooks", "/settings/people/", "/settings/tokens/", "/settings/audit/", "/settings/system/",
    "/account/", "/trust",
)  # fmt: skip
DOCUMENT = """# The owner's own words stay.
[box]
name = "Front office"

[[lines]]
id = "fxo-1"
label = "Front desk"
driver = "audio-tap"
[lines.options]
audio_device = "hw:1"
"""


class _Stored:
    """The settings as the recorder keeps them, over the database of the test."""

    def __init__(self, writer: SecondWriter) -> None:
        self._writer = writer

    def newest(self):
        return settings.newest(self._writer.db)

    def apply(self, *, base_version: int, document: str, by: str) -> int:
        return self._writer.write(lambda tx: settings.apply(tx, base_version=base_version, document=document, by=by))


@pytest.fixture
def made(app: Flask) -> Services:
    return app.extensions["offhook"]


@pytest.fixture
def service(database: Database, data_dir: Path) -> SettingsService:
    return SettingsService(_Stored(SecondWriter(data_dir / "offhook.db", HandClock(), boot_name="b")))


@pytest.fixture
def recorder(run_dir: Path, service: SettingsService, data_dir: Path) -> Iterator[StubRecorder]:
    with StubRecorder(run_dir) as running:
        writer = SecondWriter(data_dir / "offhook.db", HandClock(), boot_name="b")

        def apply(base_version: int, document: str, by: str):
            return {"version": service.apply(base_version, document, by)}

        def decide(ask: int, yes: bool, by: str):
            writer.write(lambda tx: retention_ask.decide(tx, ask=ask, yes=yes, by=by))
            return {}

        running.answer("config.apply", apply, {"base_version": int, "document": str, "by": str})
        running.answer("retention.decide", decide, {"ask": int, "yes": bool, "by": str})
        running.answer("lines.found", lambda: {"devices": []})
        yield running


def _post(client: FlaskClient, path: str, **fields: object):
    return client.post(path, data={"csrf_token": csrf(client, "/live/"), **fields}, headers=BROWSER)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_each_page_opens_on_an_empty_box_without_a_recorder(owner: FlaskClient, place: str, language: str) -> None:
    owner.set_cookie("language", language)
    answer = owner.get(place, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    assert ("zh-CN" in answer.text[:200]) is (language != "en")


def test_what_is_recorded_is_saved_and_the_rest_of_the_document_stays(
    owner: FlaskClient, recorder: StubRecorder, service: SettingsService
) -> None:
    service.apply(0, DOCUMENT, "first-boot")
    answer = _post(
        owner, "/settings/recording/", base_version="1", calls="incoming", never="10086\n138*，13900", preroll_s="2,5",
        **{"record-fxo-1": "all"},
    )  # fmt: skip
    assert answer.status_code == 302, answer.text
    now = service.get()
    assert now.document.startswith("# The owner's own words stay.")
    assert now.settings.recording.never == ("10086", "138*", "13900")
    assert now.settings.recording.preroll_s == 2.5
    assert now.settings.lines[0].record == "all"
    page = owner.get("/settings/recording/", headers=BROWSER).text
    assert "138*" in page


def test_faults_are_shown_and_what_was_typed_is_kept(
    owner: FlaskClient, recorder: StubRecorder, service: SettingsService
) -> None:
    answer = _post(owner, "/settings/recording/", base_version="0", calls="all", never="call me", preroll_s="99")
    assert answer.status_code == 422
    assert "call me" in answer.text
    assert "must be 0 to 30" in answer.text
    assert service.get().version == 0


def test_two_admins_who_change_the_same_setting_are_both_told(
    owner: FlaskClient, app: Flask, made: Services, recorder: StubRecorder, service: SettingsService
) -> None:
    made.people.add("anna", PASSWORD, "admin")
    anna = app.test_client()
    anna.post("/login", data={"csrf_token": csrf(anna), "name": "anna", "password": PASSWORD})
    assert _post(anna, "/settings/recording/", base_version="0", calls="incoming", preroll_s="5").status_code == 302
    late = _post(owner, "/settings/recording/", base_version="0", calls="none", preroll_s="5")
    assert late.status_code == 409
    assert "anna changed the settings while this page was open" in late.text
    assert service.get().settings.recording.calls == "incoming"
    assert "owner wanted to change the settings" in anna.get("/settings/", headers=BROWSER).text
    assert "owner wanted to change" not in anna.get("/settings/", headers=BROWSER).text  # once


def test_storage_rules_are_previewed_saved_and_asked_about(
    owner: FlaskClient, database: Database, recorder: StubRecorder, service: SettingsService, made: Services
) -> None:
    for n in range(5):
        call = database.call(n * 100)
        database.recording(call, **database.sound(f"s{n}"))
    preview = _post(owner, "/settings/storage/preview", min_free_percent="1", days="1")
    assert preview.status_code == 200
    assert "5 recordings (100 %)" in preview.text
    assert "would ask again" in preview.text
    assert service.get().version == 0
    saved = _post(
        owner, "/settings/storage/", base_version="0", min_free_percent="12", days="30", **{"days-fxo-1": "60"}
    )
    assert saved.status_code == 302, saved.text
    rules = service.get().settings.retention
    assert (rules.min_free_percent, rules.days, rules.days_of("fxo-1"), rules.days_of("sim-1")) == (12, 30, 60, 30)
    database.conn.execute(
        "INSERT INTO retention_ask (at_utc_ms, recordings, bytes, kept, newest_utc_ms, settings_version) "
        "VALUES (?, 5, 1, 5, ?, 1)",
        (NOW_MS, NOW_MS),
    )
    page = owner.get("/settings/storage/", headers=BROWSER).text
    assert "A decision is waiting" in page
    assert _post(owner, "/settings/storage/decide", ask="1", answer="yes").status_code == 302
    assert database.conn.execute("SELECT decision, decided_by FROM retention_ask").fetchone()[:2] == ("yes", "owner")
    assert made.audit.entries()[0].action == "retention_decided"
    assert _post(owner, "/settings/storage/decide", ask="1", answer="yes").status_code == 409


@pytest.mark.parametrize("field", ["min_free_percent", "days", "days-fxo-1", "percent-fxo-1"])
@pytest.mark.parametrize("value", ["-1", "9999999", "ten", "1e3", "１２"])
def test_a_storage_rule_that_makes_no_sense_is_refused(
    owner: FlaskClient, database: Database, field: str, value: str
) -> None:
    form = {"base_version": "0", "min_free_percent": "10", "days": "0", field: value}
    assert _post(owner, "/settings/storage/", **form).status_code == 422


def test_webhooks_are_added_changed_and_removed(
    owner: FlaskClient, recorder: StubRecorder, service: SettingsService
) -> None:
    url = "https://crm.example.org/hook"
    _post(owner, "/settings/cloud-link/webhooks", base_version="0", id="crm", url=url, events="call.*", enabled="yes")
    assert [(hook.id, hook.url, hook.events) for hook in service.get().settings.webhooks] == [("crm", url, ("call.*",))]
    bad = _post(owner, "/settings/cloud-link/webhooks", base_version="1", id="x", url="javascript:alert(1)", events="*")
    assert bad.status_code == 422
    _post(owner, "/settings/cloud-link/webhooks/crm/remove", base_version="1")
    assert service.get().settings.webhooks == ()
    assert _post(owner, "/settings/cloud-link/webhooks/crm/ask/explode").status_code == 404


def test_the_cloud_is_switched_on_with_every_fault_named(
    owner: FlaskClient, recorder: StubRecorder, service: SettingsService
) -> None:
    bad = _post(owner, "/settings/cloud-link/", base_version="0", enabled="yes", port="many")
    assert bad.status_code == 422
    good = _post(
        owner, "/settings/cloud-link/", base_version="0", enabled="yes", host="broker.example.org", transport="tls-443",
        audio="opus", windows="22:00-06:00",
    )  # fmt: skip
    assert good.status_code == 302, good.text
    sync = service.get().settings.sync
    assert (sync.host, sync.broker_port, sync.windows) == ("broker.example.org", 443, ("22:00-06:00",))


def test_a_backup_comes_back_on_another_box(
    owner: FlaskClient, made: Services, recorder: StubRecorder, service: SettingsService
) -> None:
    service.apply(0, DOCUMENT, "first-boot")
    made.people.add("mei", PASSWORD, "agent")
    file = _post(owner, "/settings/system/backup", passphrase="a long passphrase")
    assert file.data.startswith(backup.MAGIC)
    assert b"Front office" not in file.data
    made.people.remove(next(each.id for each in made.people.listed() if each.name == "mei"))
    service.apply(1, DOCUMENT.replace("Front office", "Other"), "owner")

    def restore(content: bytes, passphrase: str):
        return _post(
            owner, "/settings/system/restore", passphrase=passphrase, file=(io.BytesIO(content), "x.offhook-backup")
        )

    assert restore(file.data, "another passphrase").status_code == 422
    assert restore(b"MZ" + b"\0" * 100, "a long passphrase").status_code == 422
    changed = file.data[:-1] + bytes([file.data[-1] ^ 1])
    assert restore(changed, "a long passphrase").status_code == 422
    assert restore(b"x" * (backup.AT_MOST_BYTES - 1000), "a long passphrase").status_code == 422
    assert restore(b"x" * (backup.AT_MOST_BYTES + 10), "a long passphrase").status_code == 413
    assert service.get().settings.box.name == "Other"
    assert restore(file.data, "a long passphrase").status_code == 302
    assert service.get().settings.box.name == "Front office"
    assert {each.name for each in made.people.listed()} == {"owner", "mei"}
    assert owner.get("/live/", headers=BROWSER).status_code == 302  # everybody logs in anew


def test_the_support_bundle_is_shown_before_it_is_saved_and_names_nobody(
    owner: FlaskClient, database: Database, recorder: StubRecorder, service: SettingsService
) -> None:
    database.call(1, number="+8613800138000", name="王小明")
    service.apply(0, DOCUMENT + '\n[recording]\nnever = ["13900139000"]\n', "owner")
    early = _post(owner, "/settings/system/support/save")
    assert early.status_code == 409
    shown = _post(owner, "/settings/system/support").text
    saved = _post(owner, "/settings/system/support/save").text
    for secret in ("13800138000", "王小明", "13900139000", "Front desk"):
        assert secret not in shown
        assert secret not in saved
    assert "answered: 1" in saved


def test_numbers_are_seen_however_they_are_written() -> None:
    assert without_numbers("from +86 138-0013 8000 to (021) 1234567") == "from <number> to (<number>"


def test_updates_are_offered_on_the_image_alone(owner: FlaskClient, data_dir: Path) -> None:
    assert "was not installed from the Offhook image" in owner.get("/settings/system/", headers=BROWSER).text
    assert _post(owner, "/settings/system/update", action="back").status_code == 422
    assert not (data_dir / "updates").exists()


def test_an_update_is_uploaded_whole_and_asked_for(owner: FlaskClient, data_dir: Path, run_dir: Path) -> None:
    Desk(data_dir, version="1.0", slot="A").tell(Phase.IDLE, "idle")
    content = b"bundle" * 200_000
    sent = _post(owner, "/settings/system/update", action="install", file=(io.BytesIO(content), "offhook-2.0.raucb"))
    assert sent.status_code == 302, sent.text
    assert (incoming(data_dir) / "offhook-2.0.raucb").read_bytes() == content
    wanted = take(run_dir)
    assert [(each.action, each.bundle, each.by) for each in wanted] == [("install", "offhook-2.0.raucb", "page: owner")]
    assert not wanted[0].allow_downgrade
    older = {"allow_downgrade": "yes", "file": (io.BytesIO(content), "offhook-0.9.raucb")}
    assert _post(owner, "/settings/system/update", action="install", **older).status_code == 302
    assert [each.allow_downgrade for each in take(run_dir)] == [True]
    named = _post(owner, "/settings/system/update", action="install", file=(io.BytesIO(content), "holiday.jpg"))
    assert named.status_code == 422
    assert take(run_dir) == []


def test_a_large_file_is_taken_only_from_whom_the_page_answers_to(
    app: Flask, owner: FlaskClient, made: Services
) -> None:
    file = {"file": (io.BytesIO(b"x" * (FORM_BYTES_AT_MOST + 1)), "offhook-2.0.raucb")}
    stranger = app.test_client().post("/settings/system/update", data=dict(file), headers=BROWSER)
    assert stranger.status_code == 413
    made.people.add("mei", PASSWORD, "agent")
    agent = app.test_client()
    form = {"csrf_token": csrf(agent), "name": "mei", "password": PASSWORD}
    assert agent.post("/login", data=form, headers=BROWSER).status_code == 302
    file = {"file": (io.BytesIO(b"x" * (FORM_BYTES_AT_MOST + 1)), "offhook-2.0.raucb")}
    assert _post(agent, "/settings/system/update", **file).status_code == 413


def test_the_way_to_trust_the_box_is_open_to_strangers(app: Flask) -> None:
    stranger = app.test_client()
    assert stranger.get("/trust", headers=BROWSER).status_code == 200
    assert stranger.get("/ca.crt", headers=BROWSER).status_code == 404  # this machine has no authority of its own


def test_a_recorder_that_is_down_is_said_and_nothing_is_lost(owner: FlaskClient, database: Database) -> None:
    answer = _post(owner, "/settings/recording/", base_version="0", calls="none", never="10086", preroll_s="5")
    assert answer.status_code == 422
    assert "The recorder does not answer" in answer.text
    assert "10086" in answer.text


def test_the_service_of_this_test_refuses_as_the_real_one(service: SettingsService) -> None:
    with pytest.raises(ConfigError):
        service.apply(0, "x", "a")
    with pytest.raises(ConflictError):
        service.apply(7, "", "a")
