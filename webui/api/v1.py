"""`/api/v1`: lines, calls, recordings, notes, dialling, settings. Tests hold it against its contract, openapi.json."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request, send_file
from flask.typing import ResponseReturnValue
from sqlite_utils import Database
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from firmware.errors import RequestError, StoreError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError, RefusedError
from firmware.store.database import open_reader
from firmware.store.queries import Period, list_calls, one_call, one_recording, standing_alarms
from firmware.store.remarks import NOTE_LENGTH
from webui import settings_document
from webui.api.access import ApiError, check, not_found, scope, token, user
from webui.api.parameters import body, known, line_id, moment, number
from webui.media import MediaError, wav_chunks, wav_size
from webui.permissions import open_to_all
from webui.services import services
from webui.users.audit import Action
from webui.users.tokens import Scope

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

CALLS_AT_MOST = 500
_MIME = {"flac": "audio/flac", "ogg": "audio/ogg", "wav": "audio/wav"}
_STATUS = {"conflict": 409, "invalid": 422, "no_such_line": 404, "busy": 503, "internal": 500}


@blueprint.before_request
def _check() -> None:
    check(current_app.view_functions[request.endpoint or ""])


@blueprint.errorhandler(ApiError)
def _refused(error: ApiError) -> Response:
    return error.response()


@blueprint.errorhandler(HTTPException)
def refusal(error: HTTPException) -> Response:
    """What a program is told; also for an address below ours that no route knows."""
    status = error.code or 500
    response = ApiError(status, error.name.lower().replace(" ", "_"), error.name).response()
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


@blueprint.get("/openapi.json")
@open_to_all
def openapi() -> Response:
    """The contract itself tells nothing of this box."""
    return Response(files("webui.api").joinpath("openapi.json").read_bytes(), mimetype="application/json")


@blueprint.get("/status")
@scope(Scope.STATUS)
def status() -> Response:
    """Lines, standing alarms, today's counts."""
    known()
    state = services().hub.snapshot()
    with _database() as db:
        alarms = standing_alarms(db)
    lines = [
        {name: line[name] for name in ("id", "label", "kind", "driver", "present", "phase", "sound", "recording")}
        for line in state.get("lines", [])
        if user().sees_line(line["id"])
    ]
    return jsonify({"lines": lines, "alarms": alarms, "today": state.get("today") or {"calls": 0, "missed": 0}})


@blueprint.get("/calls")
@scope(Scope.CALLS)
def calls() -> Response:
    """A page of calls, newest first."""
    known("since", "until", "line", "limit", "offset")
    line = line_id("line")
    if line is not None and not user().sees_line(line):
        return jsonify({"calls": []})
    period = Period(since_utc_ms=moment("since"), until_utc_ms=moment("until"))
    limit, offset = number("limit", 100, 1, CALLS_AT_MOST), number("offset", 0, 0, 10_000_000)
    with _database() as db:
        found = list_calls(db, period=period, line=line, limit=limit, offset=offset)
    return jsonify({"calls": [_call(call) for call in found if user().sees_line(call["line"])]})


@blueprint.get("/calls/<call_id>")
@scope(Scope.CALLS)
def call(call_id: str) -> Response:
    known()
    return jsonify(_call(_seen_call(call_id)))


@blueprint.put("/calls/<call_id>/note")
@scope(Scope.NOTES)
def note(call_id: str) -> ResponseReturnValue:
    """What a person or a program has to say of the call; empty takes it away."""
    known()
    text = body(text=str)["text"]
    if len(text) > NOTE_LENGTH:
        raise ApiError(422, "invalid", f"a note has at most {NOTE_LENGTH} characters, this one has {len(text)}")
    _seen_call(call_id)
    _recorder("call.note", call=call_id, text=text, by=_by())
    _audit(Action.ANNOTATED, call_id)
    return "", 204


@blueprint.get("/recordings/<recording_id>/<form>")
@scope(Scope.AUDIO)
def recording(recording_id: str, form: str) -> Response:
    """The sound, with ranges (but for WAV, which is made on the way)."""
    known()
    if form not in _MIME:
        not_found("form of a recording")
    with _database() as db:
        found = one_recording(db, recording_id)
    if found is None or found["status"] != "sealed" or not user().sees_line(found["line"]):
        not_found("recording")
    path = found["opus_path"] if form == "ogg" else found["flac_path"]
    if path is None:
        not_found("recording")
    try:
        located = services().media.locate(path)
        _audit(Action.EXPORTED, str(found["call_id"]), recording=recording_id, form=form)
        if form == "wav":
            response = Response(wav_chunks(located), mimetype=_MIME[form])
            response.content_length = wav_size(located)
            return response
        return send_file(located, mimetype=_MIME[form], conditional=True)
    except MediaError:
        not_found("recording")


@blueprint.post("/lines/<line>/dial")
@scope(Scope.DIAL)
def dial(line: str) -> ResponseReturnValue:
    known()
    return _ordered("line.dial", line, number=body(number=str)["number"])


@blueprint.post("/lines/<line>/hangup")
@scope(Scope.DIAL)
def hangup(line: str) -> ResponseReturnValue:
    known()
    return _ordered("line.hangup", line, {"hung_up": True})


@blueprint.post("/lines/<line>/digits")
@scope(Scope.DIAL)
def digits(line: str) -> ResponseReturnValue:
    known()
    wanted = body(digits=str)["digits"]
    return _ordered("line.digits", line, {"keys": len(wanted)}, digits=wanted)


@blueprint.get("/settings")
@scope(Scope.SETTINGS)
def settings() -> Response:
    known()
    now = settings_document.in_force()
    return jsonify({"version": now.version, "document": now.text})


@blueprint.put("/settings")
@scope(Scope.SETTINGS)
def put_settings() -> Response:
    """A whole document, based on the version that is in force: else 409, and nothing is lost."""
    known()
    wanted = body(base_version=int, document=str)
    applied = _recorder("config.apply", by=_by(), **wanted)
    _audit(Action.SETTINGS_CHANGED, "whole document", version=applied["version"])
    return jsonify({"version": applied["version"]})


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """CALL without where files lie on the box."""
    shown = {name: value for name, value in call.items() if name != "recordings"}
    shown["recordings"] = [
        {name: value for name, value in each.items() if not name.endswith("_path")} for each in call["recordings"]
    ]
    found: dict[str, Any] = json.loads(json.dumps(shown))
    return found


def _seen_call(call_id: str) -> dict[str, Any]:
    with _database() as db:
        found = one_call(db, call_id)
    if found is None or not user().sees_line(found["line"]):
        not_found("call")
    return found


def _ordered(command: str, line: str, audited: dict[str, Any] | None = None, **wanted: str) -> ResponseReturnValue:
    """Has the recorder do something on a line that the token's user may see; ``audited`` is what is kept of it."""
    _seen_line(line)
    _recorder(command, line=line, **wanted)
    _audit(Action.DIALLED, line, **(audited or {}))
    return "", 204


def _seen_line(line: str) -> None:
    if not user().sees_line(line):
        not_found("line")


def _by() -> str:
    return f"{user().name} (token {token().name})"


def _audit(action: Action, object_: str, **detail: Any) -> None:
    services().audit.record(action, object_, actor=_by(), address=request.remote_addr or "", detail=detail)


def _recorder(cmd: str, **args: Any) -> dict[str, Any]:
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            return recorder.request(cmd, **args)
    except RecorderUnreachableError:
        raise ApiError(503, "recorder_down", "the recorder does not answer; try again in a few seconds") from None
    except RefusedError as refused:
        more = {"faults": refused.details["faults"]} if "faults" in refused.details else {}
        raise ApiError(_STATUS.get(refused.code, 409), refused.code, str(refused), **more) from None
    except RequestError as error:
        raise ApiError(409, error.code, str(error)) from None


@contextmanager
def _database() -> Iterator[Database]:
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError:
        raise ApiError(503, "no_database", "the calls cannot be read now; the box's log says why") from None
    try:
        yield db
    except (sqlite3.Error, OverflowError):
        raise ApiError(503, "no_database", "the calls cannot be read now; the box's log says why") from None
    finally:
        db.close()
