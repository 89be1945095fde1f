"""The field test on a technician's phone: start, one big button at a time, results, certificate."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from fieldtest import words as texts
from fieldtest.access import Access
from fieldtest.acts import Reply
from fieldtest.catalogue import step
from fieldtest.conductor import Plan
from fieldtest.issue import issue
from fieldtest.run import Run, RunError, RunStore
from fieldtest.value_text import value_text
from firmware.errors import OffhookError
from webui.field_test_words import language, said, tell
from webui.permissions import Permission, require
from webui.services import services
from webui.uploads import takes_file

blueprint = Blueprint("field_test", __name__, url_prefix="/fieldtest")

_PHOTO_BYTES_AT_MOST = 26 * 1024 * 1024
_REPLIES = ("done", "skip", "repeat", "abort")
_LONGEST = 200


@blueprint.context_processor
def _words() -> dict[str, object]:
    return {
        "said": said,
        "tell": tell,
        "verdicts": {verdict.value: tell(words) for verdict, words in texts.VERDICTS.items()},
        "columns": [tell(column) for column in texts.COLUMNS],
        "step_of": step,
        "value_text": lambda group, result: value_text(group, result, language()),
    }


@blueprint.get("/")
@require(Permission.HARDWARE)
def index() -> str:
    """Start a test, go on with one, or look at an earlier one."""
    try:
        lines = _access().lines()
        fault = ""
    except OffhookError:
        lines, fault = [], said("no_lines")
    runs = list(_store().all())
    return render_template(
        "fieldtest/index.html", lines=lines, fault=fault, runs=runs[:50], going_on=services().field_test.running
    )


@blueprint.post("/start")
@require(Permission.HARDWARE)
def start() -> ResponseReturnValue:
    rows = [row.split("=", 1) for row in request.form.get("serials", "").splitlines()[:50] if "=" in row]
    serials = {name.strip(): value.strip() for name, value in rows if name.strip()}
    subjects = tuple(request.form.getlist("subject"))
    technician = request.form.get("technician", "").strip()[:_LONGEST] or current_user.name
    return _begun(lambda: services().field_test.begin(Plan(subjects=subjects, technician=technician, serials=serials)))


@blueprint.post("/<run_id>/go-on")
@require(Permission.HARDWARE)
def go_on(run_id: str) -> ResponseReturnValue:
    """Tests what is left of a run, or one subject of it again."""
    run = _run(run_id)
    return _begun(lambda: services().field_test.go_on(run, request.form.get("subject") or None))


@blueprint.get("/now")
@require(Permission.HARDWARE)
def now() -> ResponseReturnValue:
    return render_template("fieldtest/now.html", **_now())


@blueprint.get("/now/part")
@require(Permission.HARDWARE)
def now_part() -> ResponseReturnValue:
    """What changes by itself; the browser asks for it each second, and for the results when the run is over."""
    shown = _now()
    if not shown["running"] and not shown["shown"].fault and shown["run"] is not None:  # type: ignore[attr-defined]
        address = url_for(".show", run_id=cast(Run, shown["run"]).id)
        return Response("", headers={"HX-Redirect": address})
    if request.args.get("number") == str(shown["shown"].number) and shown["shown"].act is not None:  # type: ignore[attr-defined]
        return "", 204  # the same question: what is being typed, or played, stays as it is
    return render_template("fieldtest/_now.html", **shown)


@blueprint.post("/now/answer")
@require(Permission.HARDWARE)
def answer() -> ResponseReturnValue:
    what = request.form.get("what", "")
    if what not in _REPLIES:
        abort(400)
    heard = {"yes": True, "no": False}.get(request.form.get("heard", ""))
    reply = Reply(what=what, reason=request.form.get("reason", "").strip()[:_LONGEST], heard=heard)  # type: ignore[arg-type]
    if not services().field_test.answer(request.form.get("number", 0, type=int), reply):
        flash(said("other"), "info")
    return redirect(url_for(".now"))


@blueprint.get("/now/sound")
@require(Permission.HARDWARE)
def sound() -> Response:
    """The test call's own recording, while the technician is asked to listen to it: no other can be had here."""
    act = services().field_test.shown.act
    if act is None or act.name != "listen":
        abort(404)
    return _file(services().data_dir / act.file, "audio/flac")


@blueprint.get("/<run_id>")
@require(Permission.HARDWARE)
def show(run_id: str) -> str:
    run = _run(run_id)
    folder = _store().folder(run.id)
    files = sorted(path.name for path in folder.glob(f"{run.id}.*"))
    return render_template("fieldtest/show.html", run=run, files=files, going_on=services().field_test.running)


@blueprint.post("/<run_id>/certificate")
@require(Permission.HARDWARE)
@takes_file(_PHOTO_BYTES_AT_MOST)
def certificate(run_id: str) -> ResponseReturnValue:
    run = _run(run_id)
    picture = request.files.get("photo")
    try:
        with tempfile.TemporaryDirectory(prefix="offhook-photo-") as name:
            photo = None
            if picture is not None and picture.filename:
                photo = Path(name) / "photo"
                picture.save(photo)
            list(issue(_access(), run, folder=_store().folder(run.id), photo=photo, address=request.host_url))
    except OffhookError as error:
        flash(str(error), "danger")
    return redirect(url_for(".show", run_id=run.id))


@blueprint.get("/<run_id>/files/<name>")
@require(Permission.HARDWARE)
def file(run_id: str, name: str) -> Response:
    run = _run(run_id)
    known = {path.name: path for path in _store().folder(run.id).glob(f"{run.id}.*")}
    if name not in known:
        abort(404)
    kind = "application/pdf" if name.endswith(".pdf") else "application/json"
    return _file(known[name], kind, download_as=name)


def _now() -> dict[str, object]:
    desk = services().field_test
    return {"shown": desk.shown, "running": desk.running, "run": next(_store().all(), None)}


def _begun(begin: object) -> ResponseReturnValue:
    try:
        begin()  # type: ignore[operator]
    except OffhookError as error:
        flash(str(error), "danger")
        return redirect(url_for(".index"))
    return redirect(url_for(".now"))


def _file(path: Path, kind: str, *, download_as: str = "") -> Response:
    if not path.is_file():
        abort(404)
    return send_file(path, mimetype=kind, as_attachment=bool(download_as), download_name=download_as or None)


def _run(run_id: str) -> Run:
    try:
        return _store().load(run_id)
    except RunError as error:
        abort(404, description=str(error))


def _store() -> RunStore:
    return RunStore(services().data_dir)


def _access() -> Access:
    return Access(services().data_dir, services().run_dir)
