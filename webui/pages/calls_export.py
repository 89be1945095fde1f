"""The list taken away: CSV as it is read, or XLSX made by a process of its own."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, request, send_file

from firmware.errors import StoreError
from webui import words
from webui.audit import record
from webui.call_list import CallRow, open_calls
from webui.pages.calls_bulk import chosen, wanted
from webui.permissions import Permission, require
from webui.search import desk
from webui.search.filters import CallFilter
from webui.services import services
from webui.translate import _
from webui.users.audit import Action

blueprint = Blueprint("calls_export", __name__, url_prefix="/calls")

ROWS_AT_MOST = 200_000
_AT_ONCE = 500
_XLSX_DEADLINE_S = 300.0
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@blueprint.route("/export.csv", methods=["GET", "POST"])
@require(Permission.EXPORT)
def as_csv() -> Response:
    """All calls of the filter (GET) or the ticked ones (POST). Begins with a BOM, so that Excel reads the Chinese."""
    ids, heads, zone = _ids(), _heads(), desk.box_zone()
    data_dir = services().data_dir
    record(Action.EXPORTED, "calls.csv", calls=len(ids))
    translated = _Words()

    def lines() -> Iterator[str]:
        yield "\ufeff" + _line(heads)
        for start in range(0, len(ids), _AT_ONCE):
            with open_calls(data_dir) as reader:
                for call in reader.calls(ids[start : start + _AT_ONCE]):
                    yield _line([harmless(cell) for cell in translated.cells(call, zone)])

    response = Response(lines(), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=_name("csv"))
    return response


@blueprint.route("/export.xlsx", methods=["GET", "POST"])
@require(Permission.EXPORT)
def as_xlsx() -> Response:
    """The same as a workbook; cells are text, so nothing in them is a formula."""
    ids, zone, translated = _ids(), desk.box_zone(), _Words()
    record(Action.EXPORTED, "calls.xlsx", calls=len(ids))
    book = tempfile.TemporaryFile()  # noqa: SIM115  closed with the response
    with subprocess.Popen(
        [sys.executable, "-m", "webui.workbook"], stdin=subprocess.PIPE, stdout=book, text=True, encoding="utf-8"
    ) as maker:
        assert maker.stdin is not None
        print(json.dumps(_heads()), file=maker.stdin)
        for start in range(0, len(ids), _AT_ONCE):
            with open_calls(services().data_dir) as reader:
                for call in reader.calls(ids[start : start + _AT_ONCE]):
                    print(json.dumps(translated.cells(call, zone)), file=maker.stdin)
        maker.stdin.close()
        if maker.wait(_XLSX_DEADLINE_S) != 0:
            abort(500)
    book.seek(0)
    return send_file(
        book,
        mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        as_attachment=True,
        download_name=_name("xlsx"),
    )


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection); a telephone number stays one."""
    if cell.startswith(_FORMULA) and not (cell[0] == "+" and cell[1:].isdigit()):
        return "'" + cell
    return cell


class _Words:
    """The words of this request's language, looked up once: the rows are written when the request is over."""

    def __init__(self) -> None:
        self._directions = dict(words.directions())
        self._results = {**words.statuses(), **words.outcomes()}
        self._nobody = {each: words.no_number(each) for each in ("valid", "withheld", "unavailable", "unknown")}
        self._yes = _("yes")

    def cells(self, call: CallRow, zone: object) -> list[str]:
        moment = datetime.fromtimestamp(call.started_utc_ms / 1000, UTC).astimezone(zone)  # type: ignore[arg-type]
        return [
            moment.strftime("%Y-%m-%d"),
            moment.strftime("%H:%M:%S"),
            self._directions.get(call.direction, call.direction),
            call.number or self._nobody.get(call.presentation, ""),
            call.name or "",
            call.line_label,
            self._results.get(call.outcome or call.status, call.outcome or call.status),
            words.duration(call.duration_ms),
            call.note or "",
            ", ".join(call.tags),
            self._yes if call.reviewed else "",
            self._yes if call.protected else "",
            call.id,
        ]


def _heads() -> list[str]:
    return [
        _("Date"), _("Time"), _("Direction"), _("Number"), _("Name"), _("Line"), _("Result"), _("Length"), _("Note"),
        _("Tags"), _("Reviewed"), _("Protected"), _("Call id"),
    ]  # fmt: skip


def _ids() -> list[str]:
    if request.method == "POST" and request.form.get("all") != "yes":
        return [call.id for call in chosen()]
    filter_ = CallFilter.of(request.args) if request.method == "GET" else wanted()
    try:
        with open_calls(services().data_dir) as calls:
            ids = desk.all_ids(calls, filter_, at_most=ROWS_AT_MOST + 1)
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    if len(ids) > ROWS_AT_MOST:
        abort(400, description=_("At most %(n)d calls at once. Narrow the list first.", n=ROWS_AT_MOST))
    return ids


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _name(ending: str) -> str:
    return f"calls-{datetime.now(UTC).astimezone(desk.box_zone()):%Y-%m-%d}.{ending}"
