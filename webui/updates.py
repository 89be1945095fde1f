"""Updates as the page asks for them: a form becomes a bundle in the folder and a wish beside it."""

from __future__ import annotations

from pathlib import Path

from flask import request
from flask_login import current_user

from firmware.update_wishes import Action, Status, When, Wish, receive, wish
from firmware.update_wishes import status as told_status
from webui.translate import _

AT_MOST_BYTES = 1 << 30


def status(data_dir: Path) -> Status | None:
    """How far the last update is; ``None`` on a box that was not installed from the image."""
    return told_status(data_dir)


def from_form(data_dir: Path, run_dir: Path) -> str:
    """Does what the form of this request asks for; empty, or why it did not work."""
    if told_status(data_dir) is None:
        return _("This box was not installed from the Offhook image, so it does not update itself.")
    wanted = request.form.get("action", "install")
    by = f"page: {current_user.name}"
    try:
        if wanted == Action.INSTALL:
            file = request.files.get("file")
            if file is None or not file.filename:
                return _("Choose the file of the update first.")
            name = receive(data_dir, Path(file.filename).name, file.stream, at_most_bytes=AT_MOST_BYTES)
            older = request.form.get("allow_downgrade") == "yes"
            wish(run_dir, Wish(action=Action.INSTALL, by=by, bundle=name, when=When.QUIET, allow_downgrade=older))
        elif wanted in (Action.CANCEL, Action.BACK):
            wish(run_dir, Wish(action=Action(wanted), by=by))
    except ValueError as error:
        return _("This is no update: %(why)s", why=str(error))
    except OSError as error:
        return _("The update cannot be kept: %(why)s", why=error.strerror or str(error))
    return ""
