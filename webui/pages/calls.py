"""The list of calls, newest first, with a player for each recording."""

from __future__ import annotations

import logging

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from firmware.errors import StoreError
from webui.call_list import CallPage, Cursor, open_calls
from webui.permissions import Permission, require
from webui.services import services
from webui.translate import _

log = logging.getLogger("offhook.web.calls")
blueprint = Blueprint("calls", __name__, url_prefix="/calls")


@blueprint.get("/")
@require(Permission.LIST)
def index() -> str:
    """One page of calls; without a usable database it says so and stays useful."""
    before, after = Cursor.parse(request.args.get("before")), Cursor.parse(request.args.get("after"))
    fault = ""
    page = CallPage((), None, None)
    try:
        with open_calls(services().data_dir) as calls:
            page = calls.page(before=before, after=after)
    except StoreError as error:
        log.warning("the call list cannot be shown: %s", error)
        if (services().data_dir / "offhook.db").exists():
            fault = _("The calls cannot be read now. The box's log says why.")
    return render_template("calls/index.html", page=page, fault=fault, first_page=before is None and page.newer is None)


@blueprint.get("/<call_id>/row")
@require(Permission.LIST)
def row(call_id: str) -> ResponseReturnValue:
    """One call as a row of the list, for the page that is open while something changes."""
    try:
        with open_calls(services().data_dir) as calls:
            call = calls.call(call_id)
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    if call is None:
        abort(404)
    return render_template("calls/_row.html", call=call)
