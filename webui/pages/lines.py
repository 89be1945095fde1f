"""Lines and hardware: what is plugged in, how it is, and its settings."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from firmware.drivers import DRIVERS
from firmware.errors import RequestError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from webui import settings_document
from webui.permissions import Permission, require
from webui.recorder import ask
from webui.services import services
from webui.settings_document import line_table
from webui.translate import _

blueprint = Blueprint("lines", __name__, url_prefix="/settings/lines")


@blueprint.get("/")
@require(Permission.HARDWARE)
def index() -> str:
    now = settings_document.in_force()
    devices, sims, down = _asked()
    known = {line.get("device") for line in now.tables.get("lines", []) if isinstance(line, dict)}
    return render_template(
        "settings/lines.html",
        version=now.version,
        lines=[line for line in now.tables.get("lines", []) if isinstance(line, dict)],
        live={line["id"]: line for line in services().hub.snapshot().get("lines", [])},
        devices=[device for device in devices if device["path"] not in known],
        sims={sim["line"]: sim for sim in sims},
        recorder_down=down,
        found_become_lines=now.table("box").get("found_devices_become_lines", True),
    )


@blueprint.route("/<line>", methods=["GET", "POST"])
@require(Permission.HARDWARE)
def line(line: str) -> ResponseReturnValue:
    """Name, country and the driver's options of one line."""
    now = settings_document.in_force()
    table = next((each for each in now.tables.get("lines", []) if each.get("id") == line), None) or abort(404)
    faults: tuple[str, ...] = ()
    options = json.dumps(table.get("options", {}), ensure_ascii=False, indent=2)
    status = 200
    if request.method == "POST":
        form = request.form
        options = form.get("options", options)
        try:
            parsed = json.loads(options)
            if not isinstance(parsed, dict):
                raise ValueError(_("the options are no object"))
        except ValueError as error:
            faults, status = (_("The options cannot be read: %(why)s", why=str(error)),), 422
        else:
            outcome = settings_document.change(
                settings_document.base_version(form.get("base_version", "")), f"line {line}", _edit(line, form, parsed)
            )
            if outcome.done:
                flash(_("Saved. A line that is in a call changes when the call is over."), "success")
                return redirect(url_for("lines.index"))
            faults, status = outcome.faults, 409 if outcome.conflict else 422
    page = render_template(
        "settings/line.html", line=table, version=now.version, faults=faults, options=options, form=request.form
    )
    return page, status


@blueprint.post("/<line>/remove")
@require(Permission.HARDWARE)
def remove(line: str) -> ResponseReturnValue:
    """Out of the settings; its calls stay."""

    def edit(document: Any) -> None:
        lines = document.get("lines", [])
        for index, table in enumerate(list(lines)):
            if table.get("id") == line:
                del lines[index]
                return

    outcome = settings_document.change(
        settings_document.base_version(request.form.get("base_version", "")), f"line {line}", edit
    )
    flash(_("The line is taken out; its calls stay.") if outcome.done else outcome.faults[0],
          "success" if outcome.done else "danger")  # fmt: skip
    return redirect(url_for("lines.index"))


@blueprint.post("/<line>/test")
@require(Permission.HARDWARE, Permission.DIAL)
def dial(line: str) -> ResponseReturnValue:
    """Dials a number from a line that can, or hangs up."""
    number = request.form.get("number", "").strip()
    if number:
        ask("line.dial", line=line, number=number)
        flash(_("The line dials %(number)s now.", number=number), "info")
    else:
        ask("line.hangup", line=line)
        flash(_("The line hangs up."), "info")
    return redirect(url_for("lines.index"))


@blueprint.post("/found")
@require(Permission.HARDWARE)
def take() -> ResponseReturnValue:
    """Makes a proposed device a line."""
    devices, _sims, down = _asked()
    device = next((each for each in devices if each["path"] == request.form.get("path")), None)
    if down or device is None:
        flash(_("This device is not there any more."), "danger")
        return redirect(url_for("lines.index"))
    kind = {"at-modem": "sim"}.get(device["driver"], "line")

    def edit(document: Any) -> None:
        import tomlkit  # noqa: PLC0415

        taken = {table.get("id") for table in document.get("lines", [])}
        name = next(f"{kind}-{n}" for n in range(1, 1000) if f"{kind}-{n}" not in taken)
        table = tomlkit.table()
        table.update({"id": name, "driver": device["driver"], "device": device["path"], "options": device["options"]})
        lines = document.setdefault("lines", tomlkit.aot())
        lines.append(table)

    outcome = settings_document.change(
        settings_document.base_version(request.form.get("base_version", "")), f"device {device['path']}", edit
    )
    flash(_("The device is a line now.") if outcome.done else outcome.faults[0],
          "success" if outcome.done else "danger")  # fmt: skip
    return redirect(url_for("lines.index"))


def _edit(line: str, form: Any, options: dict[str, Any]) -> settings_document.Edit:
    def edit(document: Any) -> None:
        table = line_table(document, line)
        if table is None:
            return
        for name in ("label", "country"):
            value = form.get(name, "").strip()
            if value:
                table[name] = value
            else:
                table.pop(name, None)
        if dict(table.get("options", {})) != options:
            if options:
                table["options"] = options
            else:
                table.pop("options", None)

    return edit


def _asked() -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    """Found devices and SIM cards, and whether the recorder is down."""
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            devices = recorder.request("lines.found")["devices"]
            try:
                sims = recorder.request("sim.status")["sims"]
            except RequestError:
                sims = []
            return devices, sims, False
    except (RecorderUnreachableError, RequestError):
        return [], [], True


def drivers() -> dict[str, str]:
    """The drivers in words."""
    words = {
        "fxo-gpio": _("Line board on the header"),
        "line-monitor": _("Serial line monitor"),
        "audio-tap": _("Sound card on the line"),
        "voice-modem": _("USB voice modem"),
        "at-modem": _("SIM module"),
    }
    return {driver: words.get(driver, driver) for driver in DRIVERS}
