"""Saved views of the call list."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from firmware.errors import ConflictError
from webui.pages.calls_bulk import wanted
from webui.permissions import Permission, require
from webui.services import services
from webui.translate import _
from webui.users.views import NAME_LENGTH, VIEWS_AT_MOST

blueprint = Blueprint("calls_views", __name__, url_prefix="/calls/views")


@blueprint.post("/")
@require(Permission.LIST)
def save() -> ResponseReturnValue:
    """Keeps the filter of the list under a name."""
    name = "".join(c for c in " ".join(request.form.get("name", "").split()) if c.isprintable())[:NAME_LENGTH]
    query = wanted().address()
    if not name:
        flash(_("Give the view a name."), "warning")
    else:
        try:
            services().views.save(current_user.id, name, query)
            flash(_("View saved."), "success")
        except ConflictError:
            flash(_("You have %(n)d views already. Remove one first.", n=VIEWS_AT_MOST), "warning")
    return redirect(f"{url_for('calls.index')}?{query}")


@blueprint.post("/<int:view>/remove")
@require(Permission.LIST)
def remove(view: int) -> ResponseReturnValue:
    services().views.remove(current_user.id, view)
    return redirect(url_for("calls.index"))
