"""How long the sound of calls is kept: rules, what they would delete, and the question before much goes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlite_utils import Database

from firmware.config_retention import TEN_YEARS, CloudCopy, LineRetention, RetentionSettings, retention_part
from firmware.errors import StoreError
from firmware.store import retention_ask
from firmware.store.database import open_reader
from firmware.store.retention_forecast import Forecast, forecast
from firmware.store.retention_plan import Plan, plan, space_of
from firmware.store.transaction import fetch
from webui import box_lines, settings_document
from webui.audit import record
from webui.i18n import box_zone
from webui.permissions import Permission, require
from webui.recorder import ask
from webui.services import services
from webui.settings_document import put
from webui.translate import _
from webui.users.audit import Action
from webui.words_of_storage import forecast_words

blueprint = Blueprint("storage", __name__, url_prefix="/settings/storage")

CALLS_SHOWN = 50


@blueprint.get("/")
@require(Permission.CONFIGURE)
def index() -> str:
    return _page()


@blueprint.post("/preview")
@require(Permission.CONFIGURE)
def preview() -> ResponseReturnValue:
    """What the rules of the form would delete right now; nothing is saved."""
    rules, faults = _rules_of_form()
    return _page(rules=rules, faults=faults, previewing=not faults), 422 if faults else 200


@blueprint.post("/")
@require(Permission.CONFIGURE)
def save() -> ResponseReturnValue:
    rules, faults = _rules_of_form()
    if faults:
        return _page(rules=rules, faults=faults), 422

    def edit(document: Any) -> None:
        put(
            document,
            "retention",
            {
                "min_free_percent": rules.min_free_percent,
                "days": rules.days or None,
                "keep_until_in_cloud": None if rules.keep_until_in_cloud else False,
                "lines": {
                    line: {
                        name: value
                        for name, value in (("days", own.days), ("min_free_percent", own.min_free_percent))
                        if value is not None
                    }
                    for line, own in rules.lines.items()
                }
                or None,
            },
        )

    outcome = settings_document.change(
        settings_document.base_version(request.form.get("base_version", "")), "retention", edit
    )
    if not outcome.done:
        return _page(rules=None if outcome.conflict else rules, faults=list(outcome.faults)), 409
    flash(_("Saved. The next run of the janitor goes by these rules."), "success")
    return redirect(url_for("storage.index"))


@blueprint.post("/decide")
@require(Permission.CONFIGURE, Permission.DELETE)
def decide() -> ResponseReturnValue:
    """The answer to a run that would delete much."""
    question = settings_document.base_version(request.form.get("ask", ""))
    yes = request.form.get("answer") == "yes"
    ask("retention.decide", ask=question, yes=yes, by=current_user.name)
    record(Action.RETENTION_DECIDED, f"question {question}", answer="yes" if yes else "no")
    if yes:
        flash(_("The next run deletes what was shown, within ten minutes."), "warning")
    else:
        flash(_("Nothing is deleted. Change the rules, or you are asked again in a week."), "success")
    return redirect(url_for("storage.index"))


def _page(*, rules: RetentionSettings | None = None, faults: list[str] | None = None, previewing: bool = False) -> str:
    now = settings_document.in_force()
    in_force, cloud = retention_part(now.text)
    rules = rules or in_force
    ahead: Forecast | None = None
    would: Plan | None = None
    calls: list[dict[str, Any]] = []
    question = None
    space = space_of(services().data_dir)
    with _database() as db:
        if db is not None:
            moment: dict[str, Any] = {"cloud": cloud, "space": space, "now_utc_ms": time.time_ns() // 1_000_000}
            ahead = forecast(db, rules, zone=ZoneInfo(box_zone() or "UTC"), **moment)
            question = retention_ask.open_question(db)
            if previewing or question is not None:
                would = plan(db, rules, **moment)
                calls = _calls(db, would.calls[:CALLS_SHOWN])
    return render_template(
        "settings/storage.html",
        rules=rules,
        version=now.version,
        faults=faults or [],
        lines=box_lines.names(),
        cloud=cloud is not CloudCopy.NOTHING,
        space=space,
        ahead=ahead,
        ahead_words=forecast_words(ahead, space, cloud is not CloudCopy.NOTHING) if ahead else [],
        would=would,
        calls=calls,
        previewing=previewing,
        question=question,
    )


def _rules_of_form() -> tuple[RetentionSettings, list[str]]:
    form, faults = request.form, []

    def number(field: str, lowest: int, highest: int, what: str, default: int | None = None) -> int | None:
        text = form.get(field, "").strip()
        if not text and default is not None:
            return default
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 6 and lowest <= int(text) <= highest):
            faults.append(_("%(what)s must be %(lowest)d to %(highest)d.", what=what, lowest=lowest, highest=highest))
            return default
        return int(text)

    percent = number("min_free_percent", 1, 90, _("The free part of the disk"), 10)
    days = number("days", 0, TEN_YEARS, _("The number of days"), 0)
    lines = {}
    for line in box_lines.names():
        own = {
            "days": number(f"days-{line}", 0, TEN_YEARS, _("The number of days")),
            "min_free_percent": number(f"percent-{line}", 1, 90, _("The free part of the disk")),
        }
        if any(value is not None for value in own.values()):
            lines[line] = own
    document = {
        "min_free_percent": percent,
        "days": days,
        "keep_until_in_cloud": form.get("delete_before_cloud") != "yes",
        "lines": lines,
    }
    return _structured(document), faults


def _structured(document: dict[str, Any]) -> RetentionSettings:
    lines = {line: LineRetention(**own) for line, own in document.pop("lines").items()}
    return RetentionSettings(**document, lines=lines)


@contextmanager
def _database() -> Iterator[Database | None]:
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError:
        yield None
        return
    try:
        yield db
    except sqlite3.Error:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    finally:
        db.close()


def _calls(db: Database, ids: tuple[str, ...]) -> list[dict[str, Any]]:
    marks = ",".join("?" * len(ids))
    return fetch(
        db,
        "SELECT call.id, call.started_utc_ms, coalesce(line.label, call.line) AS line_label, number, name FROM call "  # noqa: S608
        f"LEFT JOIN line ON line.id = call.line WHERE call.id IN ({marks}) ORDER BY call.boot_no, call.started_boot_ns",
        ids,
    )
