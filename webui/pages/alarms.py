"""Everything the box has to say to its people: what stands, what was, who has seen it."""

from __future__ import annotations

import sqlite3

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from firmware.errors import StoreError
from firmware.store.database import open_reader
from firmware.store.queries import alarm_history, standing_alarms
from firmware.store.transaction import Row
from webui.audit import record
from webui.permissions import Permission, require
from webui.recorder import ask
from webui.services import services
from webui.users.audit import Action

blueprint = Blueprint("alarms", __name__, url_prefix="/settings/alarms")

OLD_SHOWN = 100


@blueprint.get("/")
@require(Permission.LIST)
def index() -> str:
    standing, old = _alarms()
    return render_template("settings/alarms.html", standing=standing, old=old)


@blueprint.post("/<int:alarm>/acknowledge")
@require(Permission.LIST)
def acknowledge(alarm: int) -> ResponseReturnValue:
    ask("alarm.ack", alarm=alarm, by=current_user.name)
    record(Action.ALARM_ACKNOWLEDGED, f"alarm {alarm}")
    return redirect(url_for("alarms.index"))


def _alarms() -> tuple[list[Row], list[Row]]:
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError:
        return [], []
    try:
        history = alarm_history(db, limit=OLD_SHOWN)
        return standing_alarms(db), [alarm for alarm in history if alarm["resolved_utc_ms"] is not None]
    except sqlite3.Error:
        return [], []
    finally:
        db.close()
