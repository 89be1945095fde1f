"""The console: a login, a page of boxes, calls and alarms, and the same as JSON for programs. It changes nothing."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, abort, g, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from firmware.errors import StoreError
from sync.receiver.console.accounts import MIN_PASSWORD_LENGTH, Accounts
from sync.receiver.console.reading import PAGE, Reader, playable
from sync.receiver.console.sound import sound
from sync.receiver.console.words import LANGUAGES, word
from sync.receiver.opening import Opener

_OPEN = frozenset({"static", "login", "first_run", "language"})
_POLICY = (
    "default-src 'none'; style-src 'self'; media-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def create_app(opened: Opener, accounts: Accounts) -> Flask:
    """Over what receivers keep. Serve it on this machine's own address, or behind a proxy that speaks https."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=accounts.cookie_key(),
        SESSION_COOKIE_NAME="offhook-cloud",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    _guard(app, accounts)
    _pages(app, opened)
    _account_pages(app, accounts)
    _api(app, opened)
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
            abort(400, description=_say("stale"))
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
        return {"say": _say, "languages": LANGUAGES, "language": _language(), "csrf": _csrf, "clock": _clock}

    @app.errorhandler(HTTPException)
    def _refusal(error: HTTPException) -> ResponseReturnValue:
        sentence = {404: _say("nothing"), 401: _say("login")}.get(error.code or 500, error.description or error.name)
        if request.path.startswith("/api/"):
            return jsonify({"error": sentence}), error.code or 500
        return render_template("error.html", sentence=sentence), error.code or 500

    @app.errorhandler(StoreError)
    def _unreadable(_error: StoreError) -> ResponseReturnValue:
        return render_template("error.html", sentence=_say("unreadable")), 503


def _pages(app: Flask, opened: Opener) -> None:
    @app.get("/")
    def index() -> str:
        dev, text, before = request.args.get("box"), request.args.get("q", "")[:100], request.args.get("before")
        with _reader(opened) as reader:
            calls, older = reader.calls(dev=dev, text=text, before=before, limit=PAGE)
            return render_template(
                "index.html",
                boxes=reader.boxes(),
                calls=calls,
                older=older,
                alarms=reader.alarms(),
                poison=reader.poison(),
                dev=dev,
                text=text,
                playable=playable,
            )

    @app.get("/media/<dev>/<fid>")
    def media(dev: str, fid: str) -> Response:
        return sound(opened, dev, fid)


@contextmanager
def _reader(opened: Opener) -> Iterator[Reader]:
    with opened() as kept:
        yield Reader(kept)


def _account_pages(app: Flask, accounts: Accounts) -> None:
    @app.route("/login", methods=["GET", "POST"])
    def login() -> ResponseReturnValue:
        fault, address = "", request.remote_addr or ""
        if request.method == "POST":
            name = request.form.get("name", "")[:64]
            if accounts.wait_s(address) > 0:
                fault = "wait"
            elif accounts.check(name, request.form.get("password", "")):
                accounts.succeeded(address)
                return _enter(accounts, name)
            else:
                accounts.failed(address)
                fault = "wrong"
        elif not accounts.has_user():
            return redirect(url_for("first_run"))
        return render_template("login.html", fault=fault), 422 if fault else 200

    @app.route("/first-run", methods=["GET", "POST"])
    def first_run() -> ResponseReturnValue:
        if accounts.has_user():
            return redirect(url_for("login"))
        fault, address = "", request.remote_addr or ""
        if request.method == "POST":
            name, password = request.form.get("name", "").strip()[:64], request.form.get("password", "")
            if accounts.wait_s(address) > 0:
                fault = "wait"
            elif not name or len(password) < MIN_PASSWORD_LENGTH or password != request.form.get("password_again"):
                fault = "short"
            elif accounts.make_user(name, password, request.form.get("code", "")[:64]):
                return _enter(accounts, name)
            else:
                accounts.failed(address)
                fault = "wrong_code"
        return render_template("first_run.html", fault=fault), 422 if fault else 200

    @app.post("/logout")
    def logout() -> ResponseReturnValue:
        accounts.close_session(str(session.get("login", "")))
        session.clear()
        return redirect(url_for("login"))

    @app.post("/language")
    def language() -> ResponseReturnValue:
        response = redirect(url_for("index"))
        if request.form.get("language") in LANGUAGES:
            response.set_cookie(
                "language", request.form["language"], max_age=31536000, samesite="Strict", httponly=True
            )
        return response


def _api(app: Flask, opened: Opener) -> None:
    @app.get("/api/boxes")
    def api_boxes() -> ResponseReturnValue:
        with _reader(opened) as reader:
            return jsonify({"boxes": reader.boxes()})

    @app.get("/api/calls")
    def api_calls() -> ResponseReturnValue:
        with _reader(opened) as reader:
            calls, older = reader.calls(
                dev=request.args.get("box"),
                text=request.args.get("q", "")[:100],
                before=request.args.get("before"),
                limit=request.args.get("limit", PAGE, type=int),
            )
        return jsonify({"calls": calls, "before": older})

    @app.get("/api/alarms")
    def api_alarms() -> ResponseReturnValue:
        with _reader(opened) as reader:
            return jsonify({"alarms": reader.alarms(standing="all" not in request.args)})

    @app.get("/api/aside")
    def api_aside() -> ResponseReturnValue:
        with _reader(opened) as reader:
            return jsonify({"aside": reader.poison()})


def _enter(accounts: Accounts, name: str) -> ResponseReturnValue:
    session.clear()  # what was planted before the login is worth nothing after it
    session["login"] = accounts.open_session(name)
    return redirect(url_for("index"))


def _csrf() -> str:
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def _language() -> str:
    wanted = request.cookies.get("language", "")
    if wanted in LANGUAGES:
        return wanted
    return "zh" if (request.accept_languages.best or "en").lower().startswith("zh") else "en"


def _say(key: str) -> str:
    return word(key, _language())


def _clock(utc_ms: int | None) -> str:
    if not utc_ms or not 0 < utc_ms < 253_402_300_799_000:
        return "–"
    return f"{datetime.fromtimestamp(utc_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
