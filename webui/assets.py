"""Addresses of static files, each with something that changes with the file: browsers keep them for a year."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, url_for

_YEAR_S = 31_536_000


def install(app: Flask) -> None:
    """``asset(name)`` and ``vendored(package, file)`` in templates, and the answer's right to be kept."""
    static = Path(app.static_folder or "")

    @functools.cache
    def digest(name: str) -> str:
        return hashlib.sha256((static / name).read_bytes()).hexdigest()[:10]

    @functools.cache
    def folders() -> dict[str, str]:
        packages: list[dict[str, Any]] = json.loads((static / "vendor" / "vendor.json").read_text())
        return {package["name"]: package["folder"] for package in packages}

    def asset(name: str) -> str:
        """A file of ``static/``; read once, so a changed one needs a new start (or a change of its name)."""
        return url_for("static", filename=name, v=digest(name))

    def vendored(package: str, file: str) -> str:
        return url_for("static", filename=f"vendor/{folders()[package]}/{file}")

    app.jinja_env.globals.update(asset=asset, vendored=vendored)

    @app.after_request
    def keep(response: Response) -> Response:
        named = "v" in request.args or request.path.startswith("/static/vendor/")
        if request.endpoint == "static" and named and response.status_code == 200:
            response.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
        return response
