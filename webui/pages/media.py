"""The sound of a recording, in the formats that browsers and people ask for, with ranges so that a player can seek."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, send_file

from firmware.errors import StoreError
from webui.call_list import RecordingRow, open_calls
from webui.media import MediaError, wav_chunks, wav_size
from webui.permissions import Permission, require
from webui.services import services
from webui.translate import _

blueprint = Blueprint("media", __name__, url_prefix="/media")


@blueprint.get("/<recording_id>.mp4")
@require(Permission.LISTEN)
def mp4(recording_id: str) -> Response:
    """Opus in MP4: what Safari plays, and everybody else too."""
    recording = _recording(recording_id)
    if recording.opus_path is None:
        abort(404)
    try:
        path = services().media.mp4(recording.id, recording.opus_path)
    except MediaError as error:
        abort(404, description=str(error))
    return _sent(path, "audio/mp4")


@blueprint.get("/<recording_id>.ogg")
@require(Permission.LISTEN)
def ogg(recording_id: str) -> Response:
    recording = _recording(recording_id)
    return _sent(_located(recording.opus_path), "audio/ogg")


@blueprint.get("/<recording_id>.flac")
@require(Permission.EXPORT)
def flac(recording_id: str) -> Response:
    """The master, to download."""
    recording = _recording(recording_id)
    return _sent(_located(recording.flac_path), "audio/flac", download_as=f"{recording.id}.flac")


@blueprint.get("/<recording_id>.wav")
@require(Permission.EXPORT)
def wav(recording_id: str) -> Response:
    """The master decoded, to download: for programs that know nothing else."""
    recording = _recording(recording_id)
    path = _located(recording.flac_path)
    response = Response(wav_chunks(path), mimetype="audio/wav")
    response.content_length = wav_size(path)
    response.headers.set("Content-Disposition", "attachment", filename=f"{recording.id}.wav")
    return response


def _recording(recording_id: str) -> RecordingRow:
    try:
        with open_calls(services().data_dir) as calls:
            recording = calls.recording(recording_id)
    except StoreError:
        abort(503, description=_("The calls cannot be read now. The box's log says why."))
    if recording is None or recording.status != "sealed":
        abort(404)
    return recording


def _located(relative_path: str | None) -> Path:
    if relative_path is None:
        abort(404)
    try:
        return services().media.locate(relative_path)
    except MediaError as error:
        abort(404, description=str(error))


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
