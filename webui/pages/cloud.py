"""How far the box is with the cloud: what waits, since when, what is wrong, and a test of the whole way."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from firmware import sync_desk
from webui import cloud_words
from webui.audit import record
from webui.permissions import Permission, require
from webui.services import services
from webui.translate import _
from webui.users.audit import Action

blueprint = Blueprint("cloud", __name__, url_prefix="/settings/cloud")

_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Shown:
    """``None`` for what nobody knows."""

    status: dict[str, Any] | None

    @property
    def test(self) -> dict[str, Any] | None:
        return (self.status or {}).get("test")

    @property
    def testing(self) -> bool:
        return bool(self.test and self.test.get("running"))


@blueprint.get("/")
@require(Permission.CONFIGURE)
def index() -> ResponseReturnValue:
    shown = Shown(_status())
    page = render_template("settings/cloud.html", shown=shown, says=cloud_words, now_ms=time.time_ns() // 1_000_000)
    # Without a script: the page asks again by itself while a test runs, and only then.
    return page, {"Refresh": "2"} if shown.testing else {}


@blueprint.post("/")
@require(Permission.CONFIGURE)
def act() -> ResponseReturnValue:
    """``what`` is ``now``, ``pause``, ``resume`` or ``test``."""
    what = request.form.get("what", "")
    try:
        if what == "test":
            sync_desk.leave(services().run_dir, "test")
            _wait_for_the_test()
        elif what in ("now", "pause", "resume"):
            answer = sync_desk.wish(services().run_dir, what, deadline_s=_ANSWER_S)
            if answer["ok"]:
                record(Action.SETTINGS_CHANGED, f"cloud: {what}")
                flash(cloud_words.done(what), "success")
            else:
                flash(cloud_words.off(), "danger")
    except sync_desk.NotRunningError:
        flash(_("The sync service does not answer. It starts again by itself; try again in a minute."), "danger")
    return redirect(url_for("cloud.index"))


def _status() -> dict[str, Any] | None:
    try:
        return sync_desk.status(services().run_dir)
    except sync_desk.NotRunningError:
        return None


def _wait_for_the_test() -> None:
    """Until the process shows that it runs, so that the page that follows says so."""
    end = time.monotonic() + 3.0
    while time.monotonic() < end and not Shown(_status()).testing:
        time.sleep(0.1)
