"""The box itself: name and time, backup and restore, updates, the way to trust it, help from others."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from firmware.config_checks import countries
from webui import backup, settings_document, support, updates
from webui.audit import record
from webui.permissions import Permission, open_to_all, require
from webui.qr import picture
from webui.security import session_digest
from webui.services import services
from webui.settings_document import put
from webui.time_zones import zones
from webui.translate import _
from webui.uploads import takes_file
from webui.users.audit import Action

blueprint = Blueprint("system", __name__)

SHORTEST_PASSPHRASE = 10
CA = Path(os.environ.get("OFFHOOKCA", "/data/state/tls/ca.pem"))
"""The authority that signs this box's https; the image makes one at its first start."""

_shown: OrderedDict[str, str] = OrderedDict()
_shown_lock = threading.Lock()


@blueprint.get("/settings/system/")
@require(Permission.SYSTEM)
def index() -> str:
    return _page()


@blueprint.post("/settings/system/box")
@require(Permission.SYSTEM)
def box() -> ResponseReturnValue:
    outcome = settings_document.change(
        settings_document.base_version(request.form.get("base_version", "")), "box", edit_of_box(request.form)
    )
    if not outcome.done:
        return _page(outcome.faults), 409 if outcome.conflict else 422
    flash(_("Saved."), "success")
    return redirect(url_for("system.index"))


def edit_of_box(form: Any) -> settings_document.Edit:
    def edit(document: Any) -> None:
        values = {name: form.get(name, "").strip() or None for name in ("name", "country", "time_zone") if name in form}
        put(document, "box", values)

    return edit


@blueprint.post("/settings/system/backup")
@require(Permission.SYSTEM, Permission.USERS)
def make_backup() -> ResponseReturnValue:
    passphrase = request.form.get("passphrase", "")
    if len(passphrase) < SHORTEST_PASSPHRASE:
        return _page((_("Choose a passphrase of at least %(n)d characters.", n=SHORTEST_PASSPHRASE),)), 422
    now = settings_document.in_force()
    box_name = str(now.table("box").get("name", "Offhook"))
    content = backup.make(services().users, settings=now.text, box=box_name, passphrase=passphrase)
    record(Action.SYSTEM, "backup", made=True)
    response = Response(content, mimetype="application/octet-stream")
    day = datetime.now(UTC).strftime("%Y%m%d")
    response.headers.set("Content-Disposition", "attachment", filename=f"offhook-{day}.offhook-backup")
    return response


@blueprint.post("/settings/system/restore")
@require(Permission.SYSTEM, Permission.USERS, Permission.CONFIGURE)
@takes_file(backup.AT_MOST_BYTES)
def restore() -> ResponseReturnValue:
    """Settings and users of the file take the place of those of the box, all or nothing of each."""
    fault = restore_upload()
    if fault:
        return _page((fault,)), 422
    flash(_("Restored. Log in with a user of the backup."), "success")
    return redirect(url_for("auth.login"))


def restore_upload() -> str:
    """Restores the file of this request; empty, or why it did not work. Nothing is changed then."""
    file = request.files.get("file")
    content = file.read(backup.AT_MOST_BYTES + 1) if file else b""
    try:
        found = backup.read(content, request.form.get("passphrase", ""))
        if found.settings:
            outcome = settings_document.replace_all(found.settings)
            if not outcome.done:
                return outcome.faults[0]
        backup.restore_people(services().users, found)
    except backup.BackupError as error:
        return _("This file cannot be restored: %(why)s.", why=str(error))
    record(Action.SYSTEM, "backup", actor="restore", restored=True)
    return ""


@blueprint.post("/settings/system/support")
@require(Permission.SYSTEM)
def support_bundle() -> str:
    """Shows it; `save_support` gives exactly what was shown."""
    text = support.bundle(
        services().data_dir, settings=settings_document.in_force().text, live=services().hub.snapshot()
    )
    with _shown_lock:
        _shown[session_digest() or ""] = text
        while len(_shown) > 8:
            _shown.popitem(last=False)
    return render_template("settings/support.html", text=text)


@blueprint.post("/settings/system/support/save")
@require(Permission.SYSTEM)
def save_support() -> Response:
    with _shown_lock:
        text = _shown.get(session_digest() or "")
    if text is None:
        abort(409, description=_("Look at the bundle first: only what was shown is saved."))
    record(Action.SYSTEM, "support bundle", saved=True)
    response = Response(text, mimetype="text/plain; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename="offhook-support.txt")
    return response


@blueprint.post("/settings/system/update")
@require(Permission.SYSTEM)
@takes_file(updates.AT_MOST_BYTES)
def update() -> ResponseReturnValue:
    """Installs an uploaded bundle, cancels one that waits, or goes back to the version before."""
    fault = updates.from_form(services().data_dir, services().run_dir)
    if fault:
        return _page((fault,)), 422
    record(Action.SYSTEM, "update", wish=request.form.get("action", "install"))
    flash(_("The update service takes it up; this page says how far it is."), "info")
    return redirect(url_for("system.index"))


@blueprint.get("/trust")
@open_to_all
def trust() -> str:
    """How to make a computer or telephone trust this box; open, because it comes before the first login."""
    return render_template("settings/trust.html", has_ca=CA.is_file(), address=request.host_url)


@blueprint.get("/ca.crt")
@open_to_all
def certificate() -> Response:
    """The authority's certificate. It is public: its key never leaves the box."""
    if not CA.is_file():
        abort(404)
    return send_file(CA, mimetype="application/x-x509-ca-cert", as_attachment=True, download_name="offhook-ca.crt")


@blueprint.get("/trust.svg")
@open_to_all
def trust_picture() -> Response:
    return picture(url_for("system.trust", _external=True))


def _page(faults: tuple[str, ...] = ()) -> str:
    now = settings_document.in_force()
    updating = None
    with contextlib.suppress(OSError):
        updating = updates.status(services().data_dir)
    return render_template(
        "settings/system.html",
        faults=faults,
        base_version=now.version,
        box=now.table("box"),
        version=version("offhook"),
        countries=countries(),
        zones=zones(),
        updating=updating,
        has_ca=CA.is_file(),
        clock_set=Path("/run/systemd/timesync/synchronized").exists(),
        shortest_passphrase=SHORTEST_PASSPHRASE,
    )
