"""Changes to the settings, as every page makes them: one edit of the document in force, applied by the recorder.

What a page does not edit stays as somebody wrote it, comments included. Two people who change the settings at the same
time are both told.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tomlkit
from flask import flash, request
from flask_login import current_user

from firmware.errors import RequestError, StoreError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError, RefusedError
from firmware.store import settings as stored
from firmware.store.database import open_reader
from webui.audit import record
from webui.services import services
from webui.translate import _
from webui.users.audit import Action

log = logging.getLogger("offhook.web.settings")

Edit = Callable[[Any], None]
"""Changes the parsed document (tomlkit) in place."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The settings as they are now; version 0 and no text before the first ones."""

    version: int
    text: str
    applied_by: str

    @property
    def tables(self) -> dict[str, Any]:
        """Plain values; empty when the text cannot be read."""
        try:
            return dict(tomlkit.parse(self.text).unwrap())
        except tomlkit.exceptions.TOMLKitError:
            return {}

    def table(self, name: str) -> dict[str, Any]:
        found = self.tables.get(name, {})
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: nothing in ``faults`` means that it is in force."""

    version: int
    faults: tuple[str, ...] = ()
    conflict: bool = False

    @property
    def done(self) -> bool:
        return not self.faults


def in_force() -> InForce:
    """Read from the database: the page shows settings while the recorder is down, too."""
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError:
        return InForce(0, "", "")
    try:
        newest = stored.newest(db)
    except sqlite3.Error:
        return InForce(0, "", "")
    finally:
        db.close()
    return InForce(newest.version, newest.document, newest.applied_by) if newest else InForce(0, "", "")


def change(base_version: int, what: str, edit: Edit) -> Outcome:
    """Applies ``edit`` to the settings that the person saw. ``what`` stands in the audit log."""
    before = in_force()
    if before.version != base_version:
        return _conflict(before)
    document = tomlkit.parse(before.text)
    edit(document)
    text = tomlkit.dumps(document)
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            applied = recorder.request("config.apply", base_version=base_version, document=text, by=current_user.name)
    except RecorderUnreachableError:
        return Outcome(before.version, (_("The recorder does not answer. Try again in a few seconds."),))
    except RefusedError as refused:
        if refused.code == "conflict":
            return _conflict(in_force())
        faults = refused.details.get("faults")
        return Outcome(before.version, tuple(faults) if faults else (str(refused),))
    except RequestError as error:
        return Outcome(before.version, (str(error),))
    record(Action.SETTINGS_CHANGED, what, version=applied["version"])
    return Outcome(int(applied["version"]))


def put(document: Any, table: str, values: dict[str, Any]) -> None:
    """Sets keys of a table; ``None`` takes one out, so that its default holds."""
    found = document.setdefault(table, tomlkit.table())
    for name, value in values.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value


def line_table(document: Any, line: str) -> Any:
    """The table of a line in the document, or ``None``."""
    return next((table for table in document.get("lines", []) if table.get("id") == line), None)


def base_version(text: str) -> int:
    """Of a form; what is no number is a version that never was."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def tell_of_conflict() -> None:
    """Before a page: tells its reader, once, that somebody wanted to change the settings at the same time."""
    page = request.method == "GET" and request.accept_mimetypes.accept_html and request.blueprint not in (None, "media")
    if not page or request.endpoint == "live.events" or not current_user.is_authenticated:
        return
    key = f"conflict:{current_user.name}"
    told = services().users.note(key)
    if told is not None:
        services().users.set_note(key, None)
        who = str(json.loads(told)["who"])
        flash(_("%(who)s wanted to change the settings at the same time as you. Yours are in force.", who=who), "info")


def _conflict(now: InForce) -> Outcome:
    """The other one is told at her next page; this one sees it in the answer."""
    if now.applied_by and now.applied_by != current_user.name:
        services().users.set_note(
            f"conflict:{now.applied_by}", json.dumps({"who": current_user.name, "at": int(time.time())})
        )
    words = _(
        "%(who)s changed the settings while this page was open. Nothing of yours is saved: this page shows the new "
        "settings now; repeat your change.",
        who=now.applied_by or "?",
    )
    return Outcome(now.version, (words,), conflict=True)


def replace_all(text: str, by: str | None = None) -> Outcome:
    """Puts a whole document in force, as a restore does."""
    before = in_force()
    if before.text == text:
        return Outcome(before.version)
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            applied = recorder.request(
                "config.apply",
                base_version=before.version,
                document=text,
                by=by or getattr(current_user, "name", "restore"),
            )
    except RecorderUnreachableError:
        return Outcome(before.version, (_("The recorder does not answer. Try again in a few seconds."),))
    except RefusedError as refused:
        return Outcome(before.version, tuple(refused.details.get("faults") or [str(refused)]))
    return Outcome(int(applied["version"]))
