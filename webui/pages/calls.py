"""The list of calls: tabs, filters in the address, one page at a time, a player in each row."""

from __future__ import annotations

import logging
from dataclasses import replace

from flask import Blueprint, Response, abort, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from firmware.errors import StoreError
from webui import words
from webui.call_list import CallRow, open_calls
from webui.permissions import Permission, require
from webui.search import desk, find
from webui.search.filters import DIRECTIONS, RESULTS, CallFilter, only
from webui.services import services
from webui.translate import _

log = logging.getLogger("offhook.web.calls")
blueprint = Blueprint("calls", __name__, url_prefix="/calls")


@blueprint.get("/")
@require(Permission.LIST)
def index() -> Response:
    """The page, or with htmx only what changes of it. Without a usable database it says so and stays useful."""
    wanted = CallFilter.of(request.args)
    number = request.args.get("page", 1, type=int)
    number = number if 1 <= number <= 1_000_000 else 1
    fault, calls, found = "", list[CallRow](), None
    labels, tags = dict[str, str](), list[str]()
    try:
        with open_calls(services().data_dir) as reader:
            labels, tags = reader.line_labels(), reader.tags()
            try:
                found = desk.look(reader, wanted, at=_place(request.args.get("at")), number=number)
                calls = reader.calls(found.ids)
            except StoreError as error:
                log.warning("the search index cannot be used: %s", error)
                fault = _("Searching is not possible now; these are the newest calls. The box's log says why.")
                calls = [call for call in reader.newest() if current_user.sees_line(call.line)]
    except StoreError as error:
        log.warning("the call list cannot be shown: %s", error)
        if (services().data_dir / "offhook.db").exists():
            fault = _("The calls cannot be read now. The box's log says why.")
    part = "calls/_results.html" if request.headers.get("HX-Request") else "calls/index.html"
    page = make_response(
        render_template(
            part,
            calls=calls,
            found=found,
            wanted=wanted,
            number=number,
            fault=fault,
            counted=find.COUNTED_AT_MOST,
            page_size=find.PAGE_SIZE,
            lines={line: label for line, label in labels.items() if current_user.sees_line(line)},
            tags=tags,
            views=services().views.of(current_user.id),
            directions=only(words.directions(), DIRECTIONS),
            results=only(words.outcomes(), RESULTS),
        )
    )
    page.headers["Vary"] = "HX-Request"
    return page


@blueprint.get("/<call_id>/row")
@require(Permission.LIST)
def row(call_id: str) -> ResponseReturnValue:
    """One call as a row of the list, for the page that is open while something changes."""
    try:
        with open_calls(services().data_dir) as reader:
            found = reader.call(call_id)
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    if found is None or not current_user.sees_line(found.line):
        abort(404)
    return render_template("calls/_row.html", call=found, wanted=replace(CallFilter()))


def _place(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 1 << 63 else None
