"""The audit log: filter, verify, take along."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, request

from webui import words
from webui.audit import record
from webui.i18n import box_zone
from webui.permissions import Permission, require
from webui.services import services
from webui.users.audit import PAGE_SIZE, Action, Entry, Wanted

blueprint = Blueprint("audit", __name__, url_prefix="/settings/audit")


@blueprint.get("/")
@require(Permission.AUDIT)
def index() -> str:
    services().audit_follow.copy()
    wanted = _wanted()
    entries = services().audit.entries(wanted)
    return render_template(
        "settings/audit.html",
        entries=entries,
        older=entries[-1].n if len(entries) == PAGE_SIZE else None,
        actions=words.audit_actions(),
        details=words.audit_detail,
        form=request.args,
        verdict=services().audit.verify(),
    )


@blueprint.get("/audit.csv")
@require(Permission.AUDIT)
def export() -> Response:
    """Every entry that fits, with its link, so that the chain can be checked elsewhere."""
    record(Action.EXPORTED, "audit log")
    response = Response(_csv(services().audit.every(_wanted())), mimetype="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename="offhook-audit.csv")
    return response


def _csv(entries: Iterator[Entry]) -> Iterator[str]:
    yield "\ufeff"  # Excel takes it for Latin-1 without
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["n", "at_utc", "actor", "address", "action", "object", "detail", "link"])
    for entry in entries:
        at = datetime.fromtimestamp(entry.at_utc_ms / 1000, UTC).isoformat(timespec="milliseconds")
        detail = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True)
        cells = [entry.n, at, entry.actor, entry.address, entry.action, entry.object, detail, entry.link]
        writer.writerow([harmless(str(cell)) for cell in cells])
        yield rows.getvalue()
        rows.seek(0)
        rows.truncate()


def harmless(cell: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _wanted() -> Wanted:
    args = request.args
    before = args.get("before", "")
    return Wanted(
        actor=args.get("actor", "").strip()[:200],
        action=args.get("action", "") if args.get("action", "") in set(Action) else "",
        object=args.get("object", "").strip()[:200],
        since_utc_ms=_day(args.get("since", "")),
        until_utc_ms=_day(args.get("until", ""), days_later=1),
        before_n=int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None,
    )


def _day(text: str, *, days_later: int = 0) -> int | None:
    """The start of a day at the box."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d") + timedelta(days=days_later)
        return round(day.replace(tzinfo=ZoneInfo(box_zone() or "UTC")).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
