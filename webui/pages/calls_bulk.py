"""What is done to many calls at once: the ticked ones, or all that the filter finds."""

from __future__ import annotations

import logging
from urllib.parse import parse_qsl

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from firmware.errors import RequestError, StoreError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from webui.audit import record
from webui.call_list import CallRow, open_calls
from webui.permissions import Permission, require
from webui.recorder import ask
from webui.search import desk
from webui.search.filters import CallFilter
from webui.services import services
from webui.translate import _, ngettext
from webui.users.audit import Action

log = logging.getLogger("offhook.web.calls")
blueprint = Blueprint("calls_bulk", __name__, url_prefix="/calls/bulk")

AT_ONCE = 1000
_REASON_AT_MOST = 200


@blueprint.post("/tag")
@require(Permission.ANNOTATE)
def tag() -> ResponseReturnValue:
    """Adds the tags of ``add`` and takes away those of ``remove``, both parted by commas."""
    add, remove = _tags("add"), _tags("remove")
    if not add and not remove:
        return _back(_("Write a tag first."), "warning")
    calls = [call.id for call in chosen()]
    changed = ask("call.tag", calls=calls, add=add, remove=remove, by=current_user.name)["changed"]
    record(Action.ANNOTATED, _subject(calls), add=add, remove=remove, calls=len(calls))
    return _back(ngettext("%(num)d call tagged.", "%(num)d calls tagged.", changed))


@blueprint.post("/review")
@require(Permission.ANNOTATE)
def review() -> ResponseReturnValue:
    calls = [call.id for call in chosen()]
    reviewed = request.form.get("reviewed", "yes") == "yes"
    changed = ask("call.review", calls=calls, reviewed=reviewed, by=current_user.name)["changed"]
    record(Action.ANNOTATED, _subject(calls), reviewed=reviewed, calls=len(calls))
    return _back(ngettext("%(num)d call changed.", "%(num)d calls changed.", changed))


@blueprint.post("/protect")
@require(Permission.DELETE)
def protect() -> ResponseReturnValue:
    """Keeps the sound of calls from every deletion, or no longer."""
    calls = [call.id for call in chosen()]
    protected = request.form.get("protected", "yes") == "yes"
    reason = _reason()
    if not reason:
        return _back(_("Say why: the reason stands in the audit log."), "warning")
    changed = ask("call.protect", calls=calls, protected=protected, reason=reason, by=current_user.name)["changed"]
    record(Action.PROTECTED if protected else Action.UNPROTECTED, _subject(calls), reason=reason, calls=calls[:100])
    if protected:
        return _back(ngettext("%(num)d call is protected now.", "%(num)d calls are protected now.", changed))
    return _back(ngettext("%(num)d call is no longer protected.", "%(num)d calls are no longer protected.", changed))


@blueprint.post("/delete")
@require(Permission.DELETE)
def delete() -> ResponseReturnValue:
    """Deletes the sound of calls; who, when and how long stays in the list, with the reason in the audit log."""
    reason = _reason()
    if not reason:
        return _back(_("Say why: the reason stands in the audit log."), "warning")
    calls = chosen()
    recordings = [each for call in calls if not call.protected for each in call.recordings if each.status == "sealed"]
    spared = sum(1 for call in calls if call.protected)
    deleted, refused = 0, 0
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            for each in recordings:
                try:
                    erased = recorder.request("recording.erase", recording=each.id, by=current_user.name, reason=reason)
                    deleted += bool(erased.get("erased"))
                except RequestError as error:
                    refused += 1
                    log.warning("a recording was not deleted: %s", error)
    except RecorderUnreachableError:
        if not deleted:
            abort(503, description=_("The recorder does not answer. Try again in a few seconds."))
        refused += len(recordings) - deleted
    record(Action.DELETED, _subject([call.id for call in calls]), reason=reason, recordings=deleted, refused=refused)
    if spared:
        flash(
            ngettext("%(num)d protected call was left alone.", "%(num)d protected calls were left alone.", spared),
            "info",
        )
    if refused:
        flash(
            ngettext("%(num)d recording could not be deleted.", "%(num)d recordings could not be deleted.", refused),
            "warning",
        )
    return _back(ngettext("%(num)d recording deleted.", "%(num)d recordings deleted.", deleted))


def chosen() -> list[CallRow]:
    """The calls of this form that this person sees; ends the request when there is none, or too many."""
    try:
        with open_calls(services().data_dir) as calls:
            if request.form.get("all") == "yes":
                ids = desk.all_ids(calls, wanted(), at_most=AT_ONCE + 1)
            else:
                ids = request.form.getlist("call")[: AT_ONCE + 1]
            if len(ids) > AT_ONCE:
                abort(400, description=_("At most %(n)d calls at once. Narrow the list first.", n=AT_ONCE))
            found = [call for call in calls.calls(ids) if current_user.sees_line(call.line)]
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    if not found:
        abort(400, description=_("Choose at least one call."))
    return found


def wanted() -> CallFilter:
    """The filter of the list that the form came from."""
    return CallFilter.of(MultiDict(parse_qsl(request.form.get("filter", "")[:2000])))


def _back(message: str, kind: str = "success") -> ResponseReturnValue:
    flash(message, kind)
    call = request.form.get("back", "")
    if call:
        return redirect(url_for("call.show", call_id=call[:128]))
    query = wanted().address()
    return redirect(url_for("calls.index") + (f"?{query}" if query else ""))


def _tags(name: str) -> list[str]:
    return [
        tag
        for tag in (" ".join(each.split()) for each in request.form.get(name, "").replace("，", ",").split(","))
        if tag
    ]


def _reason() -> str:
    return " ".join(request.form.get("reason", "").split())[:_REASON_AT_MOST]


def _subject(calls: list[str]) -> str:
    return calls[0] if len(calls) == 1 else f"{len(calls)} calls"
