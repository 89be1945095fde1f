"""The first-run wizard: one decision a step, each of which can be left, skipped and taken up again."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from firmware.config_checks import countries
from firmware.errors import StoreError
from firmware.store.database import open_reader
from firmware.store.retention_plan import space_of
from firmware.store.transaction import Row, fetch
from webui import backup, box_lines, settings_document, wifi
from webui.audit import record
from webui.pages.recording_rules import choices
from webui.pages.system import CA, edit_of_box, restore_upload
from webui.permissions import Permission, open_to_all, require
from webui.services import services
from webui.settings_document import Edit, put
from webui.time_zones import zones
from webui.translate import _
from webui.typed_lists import entries
from webui.uploads import takes_file
from webui.users import first_run
from webui.users.audit import Action
from webui.words_of_storage import room_time

blueprint = Blueprint("setup", __name__)

BYTES_PER_MINUTE = 500_000
"""Of one recording, FLAC and Opus together, as measured on telephone speech (docs/measurements.md)."""
_DONE = "setup_done"
_TEST_SINCE = "setup_test_since"


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    title: Callable[[], str]


STEPS = (
    Step("box", lambda: _("Name, place and time")),
    Step("network", lambda: _("Network")),
    Step("lines", lambda: _("Lines")),
    Step("test", lambda: _("Test call")),
    Step("recording", lambda: _("What is recorded")),
    Step("storage", lambda: _("Storage")),
    Step("trust", lambda: _("Trust this box")),
    Step("end", lambda: _("Ready")),
)
_NAMES = tuple(step.name for step in STEPS)


@blueprint.get("/setup/")
@require(Permission.CONFIGURE)
def index() -> ResponseReturnValue:
    """Goes on where somebody stopped."""
    done = _done()
    return redirect(url_for("setup.step", name=next((name for name in _NAMES if name not in done), "end")))


@blueprint.get("/setup/<name>")
@require(Permission.CONFIGURE)
def step(name: str) -> str:
    return _page(name)


@blueprint.post("/setup/<name>")
@require(Permission.CONFIGURE)
def save(name: str) -> ResponseReturnValue:
    """Saves the step and goes to the next; ``skip`` goes on without saving."""
    if name not in _NAMES:
        abort(404)
    if name == "network" and request.form.get("ssid", "").strip():
        fault = _set_wifi()
        if fault:
            return _page(name, (fault,)), 422
    edit = {"box": edit_of_box, "recording": _edit_recording, "storage": _edit_storage}.get(name)
    if edit is not None and request.form.get("go") != "skip":
        version = settings_document.base_version(request.form.get("base_version", ""))
        outcome = settings_document.change(version, f"setup: {name}", edit(request.form))
        if not outcome.done:
            return _page(name, outcome.faults), 409 if outcome.conflict else 422
    _mark(name)
    if name == "end":
        services().users.set_note(_TEST_SINCE, None)
        return redirect(url_for("live.index"))
    return redirect(url_for("setup.step", name=_NAMES[_NAMES.index(name) + 1]))


@blueprint.get("/setup/lines/now")
@require(Permission.CONFIGURE)
def lines_now() -> str:
    """The part of the step that renews itself."""
    return render_template("setup/_lines.html", **_about_lines())


@blueprint.get("/setup/test/now")
@require(Permission.CONFIGURE)
def test_now() -> str:
    return render_template("setup/_test.html", tests=_tests())


@blueprint.route("/first-run/restore", methods=["GET", "POST"])
@open_to_all
@takes_file(backup.AT_MOST_BYTES)
def restore() -> ResponseReturnValue:
    """Instead of a new admin: settings and users of a backup. The first-run code proves whose box it is."""
    users = services().users
    if users.has_users():
        return redirect(url_for("auth.login"))
    fault = ""
    if request.method == "POST":
        address, throttle = request.remote_addr or "", services().by_address
        if throttle.wait_s(address) > 0:
            fault = _(
                "Too many wrong answers. Try again in %(seconds)d seconds.", seconds=int(throttle.wait_s(address)) + 1
            )
        elif not first_run.check(users, request.form.get("code", "")[:64]):
            throttle.failed(address)
            fault = _("This is not the first-run code. It stands on the console, in the line “First-run code”.")
        else:
            fault = restore_upload()
        if not fault:
            first_run.used(services().run_dir)
            _mark(*_NAMES)
            flash(_("Restored. Log in with a user of the backup."), "success")
            return redirect(url_for("auth.login"))
    return render_template(
        "setup/restore.html", fault=fault, code=request.form.get("code", "")[:64]
    ), 422 if fault else 200


def unfinished() -> bool:
    """Whether the wizard waits for somebody to go on."""
    return "end" not in _done()


def _done() -> set[str]:
    return set(json.loads(services().users.note(_DONE) or "[]"))


def _mark(*names: str) -> None:
    services().users.set_note(_DONE, json.dumps(sorted(_done() | set(names))))


def _page(name: str, faults: tuple[str, ...] = ()) -> str:
    if name not in _NAMES:
        abort(404)
    now = settings_document.in_force()
    abouts: dict[str, Callable[[], dict[str, Any]]] = {
        "box": lambda: {
            "box": now.table("box"),
            "countries": countries(),
            "zones": zones(),
            "clock_set": Path("/run/systemd/timesync/synchronized").exists(),
            "now_utc_ms": time.time_ns() // 1_000_000,
        },
        "network": lambda: {
            "addresses": _addresses(),
            "host": request.host,
            "wifi": wifi.wish_file() is not None,
            "ssid": request.form.get("ssid", ""),
        },
        "lines": _about_lines,
        "test": lambda: {"tests": _tests()},
        "recording": lambda: {
            "choices": choices(),
            "calls": now.table("recording").get("calls", "all"),
            "never": "\n".join(now.table("recording").get("never", [])),
        },
        "storage": lambda: _about_storage(now),
        "trust": lambda: {"has_ca": CA.is_file()},
        "end": dict,
    }
    about = abouts[name]()
    position = _NAMES.index(name)
    return render_template(
        f"setup/{name}.html",
        steps=STEPS,
        here=STEPS[position],
        position=position,
        before=_NAMES[position - 1] if position else None,
        version=now.version,
        faults=faults,
        done_steps=_done(),
        **about,
    )


def _about_lines() -> dict[str, Any]:
    now = settings_document.in_force()
    return {
        "lines": [line for line in now.tables.get("lines", []) if isinstance(line, dict)],
        "live": {line["id"]: line for line in services().hub.snapshot().get("lines", [])},
    }


def _about_storage(now: settings_document.InForce) -> dict[str, Any]:
    space = space_of(services().data_dir)
    per_day = BYTES_PER_MINUTE * 3 * 40
    return {
        "space": space,
        "days": now.table("retention").get("days", 0),
        "room": room_time(space.free_bytes * 0.9 / per_day),
    }


def _edit_recording(form: Any) -> Edit:
    def edit(document: Any) -> None:
        calls = form.get("calls", "all")
        put(
            document,
            "recording",
            {"calls": None if calls == "all" else calls, "never": entries(form.get("never", "")) or None},
        )

    return edit


def _edit_storage(form: Any) -> Edit:
    text = form.get("days", "").strip()
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else text

    def edit(document: Any) -> None:
        put(document, "retention", {"days": days or None})

    return edit


def _set_wifi() -> str:
    """Leaves the wish for another Wi-Fi; empty, or why not."""
    file = wifi.wish_file() or abort(409, description=_("The Wi-Fi of this machine is not set here."))
    country = str(settings_document.in_force().table("box").get("country", ""))
    form = request.form
    wanted = wifi.Wifi(form["ssid"].strip(), form.get("wifi_password", ""), country, form.get("hidden") == "yes")
    fault = wifi.fault_of(wanted)
    if not fault:
        try:
            wifi.wish(file, wanted)
        except OSError as error:
            return _("The Wi-Fi cannot be set: %(why)s", why=error.strerror or str(error))
        record(Action.SYSTEM, "wifi", ssid=wanted.ssid)
        flash(
            _(
                "The box goes over to the Wi-Fi %(name)s. If this page stops answering, connect to that Wi-Fi yourself "
                "and open the box by its name again.",
                name=wanted.ssid,
            ),
            "info",
        )
    return fault


def _tests() -> list[dict[str, Any]]:
    """Per line: what a call since this step was opened has shown so far."""
    users = services().users
    since = users.note(_TEST_SINCE)
    if since is None:
        since = str(time.time_ns() // 1_000_000)
        users.set_note(_TEST_SINCE, since)
    rows = _newest_calls(int(since))
    tests = []
    for line, label in box_lines.names().items():
        call = rows.get(line)
        levels = json.loads(call["levels"]) if call and call["levels"] else []
        tests.append(
            {
                "label": label,
                "ring": call is not None,
                "caller": (call["name"] or call["number"]) if call else None,
                "levels": [round(float(level["rms_dbfs"])) for level in levels],
                "hung_up": bool(call and call["status"] == "ended"),
            }
        )
    return tests


def _newest_calls(since_utc_ms: int) -> dict[str, Row]:
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError:
        return {}
    try:
        rows = fetch(
            db,
            "SELECT c.line, c.number, c.name, c.status, (SELECT r.levels FROM recording r WHERE r.call_id = c.id "
            "AND r.levels IS NOT NULL ORDER BY r.part LIMIT 1) AS levels FROM call c WHERE c.started_utc_ms >= ? "
            "ORDER BY c.boot_no, c.started_boot_ns",
            (since_utc_ms,),
        )
    except sqlite3.Error:
        return {}
    finally:
        db.close()
    return {str(row["line"]): row for row in rows}


def _addresses() -> list[str]:
    """Where a browser in this network may find the box."""
    found = []
    with suppress(OSError):
        name = socket.gethostname()
        found.append(f"{name}.local")
        found += sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None, socket.AF_INET)})
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: it only asks which own address would be used
        found.append(str(probe.getsockname()[0]))
    return list(dict.fromkeys(address for address in found if not address.startswith("127.")))
