"""The lines as they are now: the page, its stream of events, and the same as one answer for browsers that poll."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webui import live_sound
from webui.audit import record
from webui.box_state import cloud, days_of_room
from webui.call_list import open_calls
from webui.feed.hub import Hub, Stream, TooManyStreamsError
from webui.permissions import Permission, require, signed_in
from webui.recorder import ask
from webui.services import services
from webui.translate import _
from webui.users.audit import Action
from webui.users.store import UserStore
from webui.words_of_storage import room_time

blueprint = Blueprint("live", __name__)

PING_EVERY_S = 15.0
"""Keeps proxies from closing a quiet stream, and is when a session that was ended elsewhere is noticed."""


@blueprint.get("/")
@signed_in
def home() -> ResponseReturnValue:
    return redirect(url_for("live.index"))


@blueprint.get("/live/")
@require(Permission.LIST)
def index() -> str:
    days = days_of_room(services().data_dir)
    return render_template(
        "live/index.html",
        room=None if days is None else room_time(days),
        cloud=cloud(services().run_dir),
    )


@blueprint.get("/live/state")
@require(Permission.LIST)
def state() -> Response:
    """The full state, for a browser that gets no stream."""
    return jsonify(services().hub.snapshot(current_user.lines))


@blueprint.get("/live/events")
@require(Permission.LIST)
def events() -> ResponseReturnValue:
    """Server-sent events: ``state`` first, then each change."""
    hub = services().hub
    try:
        stream = hub.open_stream(
            current_user.get_id(),
            levels="levels" in request.args,
            tab=request.args.get("tab", "")[:64],
            lines=current_user.lines,
        )
    except TooManyStreamsError as error:
        return Response(str(error), 503, {"Retry-After": "10"})
    body = _messages(hub, stream, services().users, str(session.get("login", "")))
    response = Response(body, mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(lambda: hub.close_stream(stream))
    return response


@blueprint.post("/live/alarms/<int:alarm>/acknowledge")
@require(Permission.LIST)
def acknowledge(alarm: int) -> ResponseReturnValue:
    """Tells the recorder that a person has seen an alarm; answered when it is written down."""
    ask("alarm.ack", alarm=alarm, by=current_user.name)
    if request.headers.get("X-CSRF-Token"):
        return "", 204
    return redirect(url_for("live.index"))


@blueprint.get("/live/lines/<line>/sound")
@require(Permission.LISTEN)
def listen(line: str) -> ResponseReturnValue:
    """The line as it sounds now: raw samples that a script plays, at most a second behind."""
    if not current_user.sees_line(line):
        abort(404)
    with open_calls(services().data_dir) as reader:
        sound = live_sound.find(reader, services().data_dir, line)
    if sound is None:
        abort(404, description=_("Nothing is being recorded on this line now."))
    turns = ExitStack()
    try:
        turns.enter_context(services().listeners.one_more())
    except live_sound.TooManyListenersError:
        return Response(_("Too many people listen to lines now. Try again later."), 503, {"Retry-After": "30"})
    record(Action.LISTENED_IN, sound.call, line=line)
    users, token = services().users, str(session.get("login", ""))
    response = Response(
        live_sound.follow(sound, lambda: users.session_user(token) is not None), mimetype="application/octet-stream"
    )
    response.headers.update(
        {"X-Rate-Hz": str(sound.rate_hz), "X-Channels": str(len(sound.roles)), "X-Accel-Buffering": "no"}
    )
    response.call_on_close(turns.close)
    return response


@blueprint.post("/live/lines/<line>/hang-up")
@require(Permission.DIAL)
def hang_up(line: str) -> ResponseReturnValue:
    """Ends the call of a line that the box itself holds: a SIM's, or one that a board with a relay dialled."""
    if not current_user.sees_line(line):
        abort(404)
    ask("line.hangup", line=line)
    record(Action.DIALLED, line, hung_up=True)
    return "", 204


def _messages(hub: Hub, stream: Stream, users: UserStore, token: str) -> Iterator[bytes]:
    try:
        yield b"retry: 2000\n\n"
        while (message := stream.next_message(PING_EVERY_S)) is not None:
            if message:
                yield message
            elif users.session_user(token) is None:
                return
            else:
                yield b": still here\n\n"
    finally:
        hub.close_stream(stream)
