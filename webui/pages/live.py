"""The lines as they are now: the page, its stream of events, and the same as one answer for browsers that poll."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webui.feed.hub import Hub, Stream, TooManyStreamsError
from webui.permissions import Permission, require, signed_in
from webui.recorder import ask
from webui.services import services
from webui.users.store import UserStore

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
    return render_template("live/index.html", state=services().hub.snapshot())


@blueprint.get("/live/state")
@require(Permission.LIST)
def state() -> Response:
    """The full state, for a browser that gets no stream."""
    return jsonify(services().hub.snapshot())


@blueprint.get("/live/events")
@require(Permission.LIST)
def events() -> ResponseReturnValue:
    """Server-sent events: ``state`` first, then each change."""
    hub = services().hub
    try:
        stream = hub.open_stream(
            current_user.get_id(), levels="levels" in request.args, tab=request.args.get("tab", "")[:64]
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
