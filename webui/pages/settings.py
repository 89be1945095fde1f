"""The page that leads to all settings."""

from __future__ import annotations

from flask import Blueprint, render_template

from webui.permissions import signed_in

blueprint = Blueprint("settings", __name__, url_prefix="/settings")


@blueprint.get("/")
@signed_in
def index() -> str:
    return render_template("settings/index.html")
