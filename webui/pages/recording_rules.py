"""Which calls are recorded."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from firmware.recording_rules import RecordCalls
from webui import settings_document
from webui.permissions import Permission, require
from webui.settings_document import line_table, put
from webui.translate import _
from webui.typed_lists import entries

blueprint = Blueprint("recording_rules", __name__, url_prefix="/settings/recording")


def choices() -> list[tuple[str, str]]:
    return [
        ("all", _("All calls")),
        ("incoming", _("Incoming calls only")),
        ("outgoing", _("Outgoing calls only")),
        ("none", _("No calls, but for the numbers below")),
    ]


@blueprint.get("/")
@require(Permission.CONFIGURE)
def index() -> str:
    return _page({})


@blueprint.post("/")
@require(Permission.CONFIGURE)
def save() -> ResponseReturnValue:
    form = request.form
    calls = form.get("calls", "all")
    always, never = entries(form.get("always", "")), entries(form.get("never", ""))
    preroll = form.get("preroll_s", "5").strip().replace(",", ".")

    def edit(document: Any) -> None:
        values: dict[str, Any] = {
            "calls": None if calls == "all" else calls,
            "always": always or None,
            "never": never or None,
            "preroll_s": _seconds(preroll),
        }
        put(document, "recording", values)
        for name, value in form.items():
            table = line_table(document, name.removeprefix("record-")) if name.startswith("record-") else None
            if table is None:
                continue
            if value in set(RecordCalls):
                table["record"] = value
            else:
                table.pop("record", None)

    outcome = settings_document.change(settings_document.base_version(form.get("base_version", "")), "recording", edit)
    if not outcome.done:
        return _page({} if outcome.conflict else form.to_dict(), outcome.faults), 409 if outcome.conflict else 422
    flash(_("Saved. It holds from the next call on."), "success")
    return redirect(url_for("recording_rules.index"))


def _seconds(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text  # the recorder says what is wrong with it


def _page(form: dict[str, str], faults: tuple[str, ...] = ()) -> str:
    now = settings_document.in_force()
    recording = now.table("recording")
    return render_template(
        "settings/recording.html",
        version=now.version,
        faults=faults,
        choices=choices(),
        calls=form.get("calls", recording.get("calls", "all")),
        always=form.get("always", "\n".join(recording.get("always", []))),
        never=form.get("never", "\n".join(recording.get("never", []))),
        preroll_s=form.get("preroll_s", recording.get("preroll_s", 5)),
        lines=[
            (line.get("id", ""), line.get("label") or line.get("id", ""), line.get("record", ""))
            for line in now.tables.get("lines", [])
            if isinstance(line, dict)
        ],
    )
