"""The sound of a recording, in the formats that browsers and people ask for, with ranges so that a player can seek."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from flask import Blueprint, Response, abort, send_file
from flask_login import current_user

from firmware.errors import StoreError
from webui.audit import record
from webui.call_list import RecordingRow, open_calls
from webui.media import MediaError, wav_chunks, wav_size
from webui.permissions import Permission, require
from webui.services import services
from webui.translate import _
from webui.users.audit import Action

_ONE_SITTING_S = 600.0
_guard = threading.Lock()
_heard: dict[tuple[str, str], float] = {}

blueprint = Blueprint("media", __name__, url_prefix="/media")


@blueprint.get("/<recording_id>.mp4")
@require(Permission.LISTEN)
def mp4(recording_id: str) -> Response:
    """Opus in MP4: what Safari plays, and everybody else too."""
    recording = _recording(recording_id)
    if recording.opus_path is None:
        abort(404)
    _listened(recording)
    try:
        path = services().media.mp4(recording.id, recording.opus_path)
    except MediaError:
        abort(404)
    return _sent(path, "audio/mp4")


@blueprint.get("/<recording_id>.ogg")
@require(Permission.LISTEN)
def ogg(recording_id: str) -> Response:
    recording = _recording(recording_id)
    _listened(recording)
    return _sent(_located(recording.opus_path), "audio/ogg")


@blueprint.get("/<recording_id>.flac")
@require(Permission.EXPORT)
def flac(recording_id: str) -> Response:
    """The master, to download."""
    recording = _recording(recording_id)
    record(Action.EXPORTED, recording.call_id, recording=recording.id, file="flac")
    return _sent(_located(recording.flac_path), "audio/flac", download_as=f"{recording.id}.flac")


@blueprint.get("/<recording_id>.wav")
@require(Permission.EXPORT)
def wav(recording_id: str) -> Response:
    """The master decoded, to download: for programs that know nothing else."""
    recording = _recording(recording_id)
    path = _located(recording.flac_path)
    record(Action.EXPORTED, recording.call_id, recording=recording.id, file="wav")
    response = Response(wav_chunks(path), mimetype="audio/wav")
    response.content_length = wav_size(path)
    response.headers.set("Content-Disposition", "attachment", filename=f"{recording.id}.wav")
    return response


def _listened(recording: RecordingRow) -> None:
    """Who listens stands in the audit log: once for one sitting, not for each range that the player fetches."""
    now_s, key = time.monotonic(), (current_user.get_id(), recording.id)
    with _guard:
        fresh = now_s - _heard.get(key, -_ONE_SITTING_S) >= _ONE_SITTING_S
        if fresh:
            for old in [each for each, at_s in _heard.items() if now_s - at_s >= _ONE_SITTING_S]:
                del _heard[old]
            _heard[key] = now_s
    if fresh:
        record(Action.LISTENED, recording.call_id, recording=recording.id)


def _recording(recording_id: str) -> RecordingRow:
    try:
        with open_calls(services().data_dir) as calls:
            recording = calls.recording(recording_id)
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    if recording is None or recording.status != "sealed" or not current_user.sees_line(recording.line):
        abort(404)
    return recording


def _located(relative_path: str | None) -> Path:
    if relative_path is None:
        abort(404)
    try:
        return services().media.locate(relative_path)
    except MediaError:
        abort(404)


def _sent(path: Path, mimetype: str, *, download_as: str | None = None) -> Response:
    response = send_file(
        path,
        mimetype=mimetype,
        as_attachment=download_as is not None,
        download_name=download_as,
        conditional=True,
    )
    response.headers["Cache-Control"] = "private, no-cache"
    return response
