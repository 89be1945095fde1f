"""The settings of the link to the cloud, and the webhooks with their log."""

from __future__ import annotations

import sqlite3
from typing import Any

import tomlkit
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from firmware import sync_desk
from firmware.errors import StoreError
from firmware.store.database import open_reader
from firmware.store.transaction import Row, fetch
from webui import settings_document
from webui.audit import record
from webui.permissions import Permission, require
from webui.services import services
from webui.settings_document import put
from webui.translate import _
from webui.typed_lists import entries
from webui.users.audit import Action

blueprint = Blueprint("cloud_link", __name__, url_prefix="/settings/cloud-link")

DELIVERIES_SHOWN = 100
_TEXTS = ("host", "user", "password_file", "ca_file", "cert_file", "key_file", "box_id")


@blueprint.get("/")
@require(Permission.CONFIGURE)
def index() -> str:
    return _page({})


@blueprint.post("/")
@require(Permission.CONFIGURE)
def save() -> ResponseReturnValue:
    form = request.form

    def edit(document: Any) -> None:
        values: dict[str, Any] = {name: form.get(name, "").strip() or None for name in _TEXTS}
        values["enabled"] = form.get("enabled") == "yes"
        values["transport"] = form.get("transport") or None
        values["audio"] = form.get("audio") or None
        values["order"] = form.get("order") or None
        values["take_commands"] = form.get("take_commands") == "yes"
        values["take_settings"] = form.get("take_settings") == "yes"
        values["windows"] = entries(form.get("windows", "")) or None
        for name in ("port", "limit_kbps"):
            text = form.get(name, "").strip()
            values[name] = (int(text) if text.isascii() and text.isdigit() else text) if text else None
        put(document, "sync", values)

    outcome = settings_document.change(settings_document.base_version(form.get("base_version", "")), "sync", edit)
    if not outcome.done:
        return _page({} if outcome.conflict else form.to_dict(), outcome.faults), 409 if outcome.conflict else 422
    flash(_("Saved. The connection is made anew."), "success")
    return redirect(url_for("cloud_link.index"))


@blueprint.get("/webhooks")
@require(Permission.CONFIGURE)
def webhooks() -> str:
    return _webhooks_page()


@blueprint.post("/webhooks")
@require(Permission.CONFIGURE)
def save_webhook() -> ResponseReturnValue:
    form = request.form
    name = form.get("id", "").strip()

    def edit(document: Any) -> None:
        hooks = document.setdefault("webhooks", tomlkit.aot())
        table = next((each for each in hooks if each.get("id") == name), None)
        values = {
            "url": form.get("url", "").strip(),
            "label": form.get("label", "").strip(),
            "events": entries(form.get("events", "")),
            "enabled": form.get("enabled") == "yes",
        }
        if table is None:
            table = tomlkit.table()
            table.update({"id": name, **values})
            hooks.append(table)
        else:
            table.update(values)

    outcome = settings_document.change(
        settings_document.base_version(form.get("base_version", "")), f"webhook {name[:32]}", edit
    )
    if not outcome.done:
        return _webhooks_page(form.to_dict(), outcome.faults), 409 if outcome.conflict else 422
    flash(_("Saved. It is told of what happens from now on."), "success")
    return redirect(url_for("cloud_link.webhooks"))


@blueprint.post("/webhooks/<hook>/remove")
@require(Permission.CONFIGURE)
def remove_webhook(hook: str) -> ResponseReturnValue:
    def edit(document: Any) -> None:
        hooks = document.get("webhooks", [])
        for index, table in enumerate(list(hooks)):
            if table.get("id") == hook:
                del hooks[index]
                break
        if not hooks:
            document.pop("webhooks", None)

    outcome = settings_document.change(
        settings_document.base_version(request.form.get("base_version", "")), f"webhook {hook[:32]}", edit
    )
    flash(_("The webhook is removed.") if outcome.done else outcome.faults[0],
          "success" if outcome.done else "danger")  # fmt: skip
    return redirect(url_for("cloud_link.webhooks"))


@blueprint.post("/webhooks/<hook>/ask/<what>")
@require(Permission.CONFIGURE)
def ask_webhook(hook: str, what: str) -> ResponseReturnValue:
    if what not in {"test", "rotate"}:
        abort(404)
    if _ask(f"webhook.{what}", webhook=hook) and what == "rotate":
        record(Action.SETTINGS_CHANGED, f"webhook {hook[:32]}", now="new secret")
    return redirect(url_for("cloud_link.webhooks"))


@blueprint.post("/webhooks/deliveries/<delivery>/resend")
@require(Permission.CONFIGURE)
def resend(delivery: str) -> ResponseReturnValue:
    _ask("webhook.resend", delivery=delivery)
    return redirect(url_for("cloud_link.webhooks"))


@blueprint.post("/webhooks/<hook>/secret")
@require(Permission.CONFIGURE)
def secret(hook: str) -> ResponseReturnValue:
    """The secret that the receiver checks signatures with; a POST, so that no history and no log keeps the page."""
    rows = _rows("SELECT secret FROM webhook WHERE id = ? AND gone = 0", (hook,))
    record(Action.SETTINGS_CHANGED, f"webhook {hook[:32]}", now="secret shown")
    return _webhooks_page(shown=(hook, str(rows[0]["secret"])) if rows else None), 200


def _ask(what: str, **args: Any) -> bool:
    try:
        answer = sync_desk.wish(services().run_dir, what, **args)
    except (sync_desk.NotRunningError, OSError):
        flash(_("The sync process does not run, so nobody took this up."), "danger")
        return False
    if not answer.get("ok"):
        flash(_("It did not work: %(why)s", why=str(answer.get("error", ""))[:300]), "danger")
        return False
    flash(_("Done."), "success")
    return True


def _rows(sql: str, values: tuple[object, ...] = ()) -> list[Row]:
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError:
        return []
    try:
        return fetch(db, sql, values)
    except sqlite3.Error:
        return []
    finally:
        db.close()


def _page(form: dict[str, str], faults: tuple[str, ...] = ()) -> str:
    now = settings_document.in_force()
    sync = now.table("sync")
    shown = {**{key: value for key, value in sync.items() if not isinstance(value, dict)}, **form}
    if not form and isinstance(sync.get("windows"), list):
        shown["windows"] = "\n".join(sync["windows"])
    return render_template(
        "settings/cloud_link.html", version=now.version, faults=faults, sync=shown, posted=bool(form)
    )


def _webhooks_page(
    form: dict[str, str] | None = None,
    faults: tuple[str, ...] = (),
    shown: tuple[str, str] | None = None,
) -> str:
    now = settings_document.in_force()
    hooks = [hook for hook in now.tables.get("webhooks", []) if isinstance(hook, dict)]
    return render_template(
        "settings/webhooks.html",
        version=now.version,
        faults=faults,
        form=form or {},
        hooks=hooks,
        shown=shown,
        deliveries=_rows(
            "SELECT id, webhook, type, state, attempts, made_utc_ms, http_status, error FROM webhook_delivery "
            "ORDER BY made_utc_ms DESC LIMIT ?",
            (DELIVERIES_SHOWN,),
        ),
    )
