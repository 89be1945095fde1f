"""One call: its sound as a waveform, what happened when, what people wrote, how long it is kept, who listened."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import asdict

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from firmware.errors import StoreError
from webui.audit import record
from webui.call_list import CallReader, CallRow, open_calls
from webui.call_story import read_peaks, story
from webui.call_words import change_words, kept_words, moment_words, rule_words
from webui.permissions import Permission, require
from webui.recorder import ask
from webui.search import desk, find
from webui.search.filters import CallFilter
from webui.services import services
from webui.translate import _
from webui.users.audit import Action, Wanted

log = logging.getLogger("offhook.web.calls")
blueprint = Blueprint("call", __name__, url_prefix="/calls")

_NOTE_AT_MOST = 4000


@blueprint.get("/<call_id>")
@require(Permission.LIST)
def show(call_id: str) -> ResponseReturnValue:
    """The page of a call. Its address works for everybody who may see the call; a filter in it gives the way back."""
    wanted = CallFilter.of(request.args)
    try:
        with open_calls(services().data_dir) as reader:
            call = _visible(reader, call_id)
            told = story(reader, call)
            newer, older = _neighbours(reader, wanted, call_id)
            tags = reader.tags()
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    listeners = services().audit.entries(Wanted(object=call_id, action=Action.LISTENED.value))
    return render_template(
        "call/show.html",
        call=call,
        story=told,
        moments=[(moment, moment_words(moment)) for moment in told.moments],
        changes=[(change, change_words(change)) for change in told.changes],
        kept=kept_words(told.keeping),
        rule=rule_words(call, told.rule),
        listeners=list(listeners)[:50],
        marker_json=lambda recording: [asdict(mark) for mark in told.markers if mark.recording_id == recording],
        wanted=wanted,
        newer=newer,
        older=older,
        known_tags=tags,
        channel_names={"mixed": _("Both sides"), "remote": _("Caller"), "local": _("Us")},
        address=url_for("call.show", call_id=call_id, _external=True),
    )


@blueprint.get("/<call_id>/peaks/<recording_id>.json")
@require(Permission.LISTEN)
def peaks(call_id: str, recording_id: str) -> Response:
    """The waveform that the recorder made; nothing is decoded for it."""
    with open_calls(services().data_dir) as reader:
        call = _visible(reader, call_id)
    path = next((each.peaks_path for each in call.recordings if each.id == recording_id), None)
    if path is None:
        abort(404)
    try:
        answer = jsonify(read_peaks(services().data_dir, path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("a waveform cannot be shown: %s", error)
        abort(404)
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer


@blueprint.post("/<call_id>/note")
@require(Permission.ANNOTATE)
def note(call_id: str) -> ResponseReturnValue:
    _known(call_id)
    text = request.form.get("text", "")
    if len(text) > _NOTE_AT_MOST:
        flash(_("The note is too long: at most %(n)d characters.", n=_NOTE_AT_MOST), "danger")
        return redirect(url_for("call.show", call_id=call_id))
    ask("call.note", call=call_id, text=text, by=current_user.name)
    record(Action.ANNOTATED, call_id, note=True)
    return _done(call_id, _("Note saved."))


@blueprint.post("/<call_id>/tags")
@require(Permission.ANNOTATE)
def tags(call_id: str) -> ResponseReturnValue:
    """Adds the tag in ``add``, or takes away the one in ``remove``."""
    _known(call_id)
    add = [" ".join(each.split()) for each in request.form.get("add", "").replace("，", ",").split(",") if each.strip()]
    remove = [request.form["remove"]] if request.form.get("remove") else []
    if add or remove:
        ask("call.tag", calls=[call_id], add=add, remove=remove, by=current_user.name)
        record(Action.ANNOTATED, call_id, add=add, remove=remove)
    return _done(call_id, "")


@blueprint.post("/<call_id>/markers")
@require(Permission.ANNOTATE)
def add_marker(call_id: str) -> ResponseReturnValue:
    call = _known(call_id)
    recording = request.form.get("recording", "")
    at_ms = request.form.get("at_ms", type=int)
    until_ms = request.form.get("until_ms", type=int)
    if at_ms is None or recording not in {each.id for each in call.recordings}:
        abort(400, description=_("A marker needs a place in the recording."))
    where = {"recording": recording, "at_ms": at_ms} | ({} if until_ms is None else {"until_ms": until_ms})
    ask("call.marker", **where, text=request.form.get("text", "")[:200], by=current_user.name)
    record(Action.ANNOTATED, call_id, marker_at_ms=at_ms)
    return _done(call_id, _("Marker set."))


@blueprint.post("/<call_id>/markers/<int:marker>/remove")
@require(Permission.ANNOTATE)
def remove_marker(call_id: str, marker: int) -> ResponseReturnValue:
    call = _known(call_id)
    with open_calls(services().data_dir) as reader:
        mine = any(each.id == marker for each in story(reader, call).markers)
    if not mine:
        abort(404)
    ask("call.marker.remove", marker=marker, by=current_user.name)
    record(Action.ANNOTATED, call_id, marker_removed=marker)
    return _done(call_id, _("Marker removed."))


@blueprint.post("/<call_id>/review")
@require(Permission.ANNOTATE)
def review(call_id: str) -> ResponseReturnValue:
    _known(call_id)
    reviewed = request.form.get("reviewed") == "yes"
    ask("call.review", calls=[call_id], reviewed=reviewed, by=current_user.name)
    record(Action.ANNOTATED, call_id, reviewed=reviewed)
    return _done(call_id, "")


def _visible(reader: CallReader, call_id: str) -> CallRow:
    call = reader.call(call_id)
    if call is None or not current_user.sees_line(call.line):
        abort(404, description=_("There is no such call, or it is not one of your lines."))
    return call


def _known(call_id: str) -> CallRow:
    try:
        with open_calls(services().data_dir) as reader:
            return _visible(reader, call_id)
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))


def _neighbours(reader: CallReader, wanted: CallFilter, call_id: str) -> tuple[str | None, str | None]:
    try:
        services().search.catch_up(0.1)
        with services().search.reader() as index:
            return find.neighbours(index, desk.question(reader, wanted), call_id)
    except (StoreError, sqlite3.Error) as error:
        log.info("no way to the next call: %s", error)
        return None, None


def _done(call_id: str, message: str) -> ResponseReturnValue:
    if message:
        flash(message, "success")
    query = CallFilter.of(request.args).address()
    return redirect(url_for("call.show", call_id=call_id) + (f"?{query}" if query else ""))
