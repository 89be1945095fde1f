"""Tokens of programs that use the API."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webui import words
from webui.audit import record
from webui.permissions import Permission, require
from webui.services import services
from webui.translate import _
from webui.users.audit import Action
from webui.users.tokens import Scope

blueprint = Blueprint("tokens", __name__, url_prefix="/settings/tokens")

LIFETIMES_DAYS = (30, 365, 0)


@blueprint.get("/")
@require(Permission.USERS)
def index() -> str:
    return _page()


@blueprint.post("/")
@require(Permission.USERS)
def make() -> ResponseReturnValue:
    """The token is shown in the answer to this request and nowhere else."""
    name = request.form.get("name", "").strip()
    scopes = [scope for scope in Scope if scope.value in request.form.getlist("scopes")]
    days = request.form.get("days", "365")
    if not 1 <= len(name) <= 64 or not name.isprintable() or not scopes:
        return _page(fault=_("Give the token a name of 1 to 64 characters and at least one thing it may do.")), 422
    lifetime = int(days) if days in {str(each) for each in LIFETIMES_DAYS} else 365
    token = services().tokens.make(current_user.id, name, scopes, days=lifetime or None)
    record(Action.TOKEN_MADE, name, scopes=[scope.value for scope in scopes], days=lifetime)
    return _page(new=token)


@blueprint.post("/<int:token_id>/revoke")
@require(Permission.USERS)
def revoke(token_id: int) -> ResponseReturnValue:
    gone = services().tokens.revoke(token_id) or abort(404)
    record(Action.TOKEN_REVOKED, gone.name)
    flash(_("The token %(name)s is worth nothing any more.", name=gone.name), "success")
    return redirect(url_for("tokens.index"))


def _page(*, new: str = "", fault: str = "") -> str:
    return render_template(
        "settings/tokens.html",
        tokens=services().tokens.listed(),
        scopes=words.scopes(),
        lifetimes=LIFETIMES_DAYS,
        new=new,
        fault=fault,
        form=request.form,
    )
