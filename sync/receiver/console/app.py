"""The console: a login, pages of calls, boxes and alarms, and the same as JSON for programs. It changes nothing."""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, tzinfo
from typing import Any

from flask import Flask, Response, abort, g, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from firmware.errors import StoreError
from sync.receiver.console import account_pages, api, pages
from sync.receiver.console.accounts import Accounts
from sync.receiver.console.words import LANGUAGES, current_language, say
from sync.receiver.opening import Opener

_OPEN = frozenset({"static", "login", "first_run", "language"})
_POLICY = (
    "default-src 'none'; style-src 'self'; media-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def create_app(opened: Opener, accounts: Accounts, *, zone: tzinfo = UTC) -> Flask:
    """Over what receivers keep, times in ``zone``. Serve it on this machine's own address, or behind a proxy that
    speaks https."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=accounts.cookie_key(),
        SESSION_COOKIE_NAME="offhook-cloud",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    _guard(app, accounts)
    pages.add(app, opened, zone)
    account_pages.add(app, accounts)
    api.add(app, opened)
    return app


def _guard(app: Flask, accounts: Accounts) -> None:
    @app.before_request
    def _check() -> ResponseReturnValue | None:
        g.user = accounts.session_user(str(session.get("login", "")))
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        by_token = kind.lower() == "bearer" and request.method in ("GET", "HEAD") and accounts.knows_token(token)
        if request.method == "POST" and not hmac.compare_digest(
            str(session.get("csrf", "none")).encode(), request.form.get("csrf", "").encode()
        ):
            abort(400, description=say("stale"))
        if request.endpoint in _OPEN or g.user or by_token:
            return None
        if request.path.startswith(("/api/", "/media/")):
            abort(401)
        return redirect(url_for("login" if accounts.has_user() else "first_run"))

    @app.after_request
    def _headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if request.endpoint not in ("static", "media"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.context_processor
    def _helpers() -> dict[str, Any]:
        return {"say": say, "languages": LANGUAGES, "language": current_language(), "csrf": _csrf}

    @app.errorhandler(HTTPException)
    def _refusal(error: HTTPException) -> ResponseReturnValue:
        sentence = {404: say("nothing"), 401: say("login")}.get(error.code or 500, error.description or error.name)
        if request.path.startswith("/api/"):
            return jsonify({"error": sentence}), error.code or 500
        return render_template("error.html", sentence=sentence), error.code or 500

    @app.errorhandler(StoreError)
    def _unreadable(_error: StoreError) -> ResponseReturnValue:
        if request.path.startswith("/api/"):
            return jsonify({"error": say("unreadable")}), 503
        return render_template("error.html", sentence=say("unreadable")), 503


def _csrf() -> str:
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])
