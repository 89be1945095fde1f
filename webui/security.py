"""What every request and reply must satisfy: a login, a CSRF token on changes, headers that keep the page closed."""

from __future__ import annotations

import hmac
import secrets

from flask import Flask, Response, abort, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user
from werkzeug.exceptions import MethodNotAllowed, SecurityError

from webui import permissions, words
from webui.services import services
from webui.translate import _
from webui.users.store import User, token_digest

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{nonce}; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""No inline script or style. ``{nonce}`` is filled on pages that asked for `style_nonce`."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask, *, https: bool) -> None:
    """Puts login, CSRF check and headers in front of every route of ``app``."""
    login = LoginManager(app)
    login.session_protection = None
    login.request_loader(lambda _request: session_user())
    app.before_request(_check_host)
    app.before_request(_check_method_of_api)
    app.before_request(_check_csrf)
    app.before_request(_check_login)
    app.before_request(_check_permission)
    app.context_processor(lambda: {"csrf_token": csrf_token, "style_nonce": style_nonce})

    @app.after_request
    def _headers(response: Response) -> Response:
        headers = response.headers
        nonce = f" 'nonce-{g.style_nonce}'" if "style_nonce" in g else ""
        headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(nonce=nonce))
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if request.endpoint != "static":
            headers.setdefault("Cache-Control", "no-store")
        if https:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response


def session_user() -> User | None:
    """The user whose session this request's cookie carries."""
    token = session.get("login")
    return services().users.session_user(token) if isinstance(token, str) else None


def log_in(user: User) -> None:
    """Starts a new session; nothing of the one before the login survives, so a planted cookie is worth nothing."""
    session.clear()
    session["login"] = services().users.open_session(
        user, address=request.remote_addr or "", agent=request.user_agent.string
    )


def session_digest() -> str | None:
    """What the database knows this session by."""
    token = session.get("login")
    return token_digest(token) if isinstance(token, str) else None


def log_out() -> None:
    """Ends the session on the box, not only in the browser."""
    token = session.get("login")
    session.clear()
    if isinstance(token, str):
        services().users.close_session(token)


def csrf_token() -> str:
    """This session's token: each form carries it in ``csrf_token``, scripts in the header ``X-CSRF-Token``."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def style_nonce() -> str:
    """Lets one library of this page bring a style of its own (the waveform's shadow root has no other way)."""
    if "style_nonce" not in g:
        g.style_nonce = secrets.token_urlsafe(16)
    return str(g.style_nonce)


def _check_host() -> ResponseReturnValue | None:
    # For a name that is not the box's (DNS rebinding) there are no addresses at all, not even of the page of errors.
    if isinstance(request.routing_exception, SecurityError):
        return Response("This box does not answer to that name.", 400, mimetype="text/plain")
    return None


def _check_method_of_api() -> None:
    # The API's contract is open, so which methods an address takes is no secret: a program is told so.
    if isinstance(request.routing_exception, MethodNotAllowed) and request.path.startswith("/api/"):
        raise request.routing_exception


def _check_csrf() -> None:
    if request.method in _SAFE_METHODS or request.blueprint == "api":  # there tokens count, and cookies do not
        return
    # Browsers since 2020 (Safari since 2023) say where a request comes from; older ones leave it to the token.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, description=_("This form was sent from another site. Open the box's own page and try again."))
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    known = session.get("csrf")
    if not isinstance(known, str) or not hmac.compare_digest(known.encode(), sent.encode()):
        abort(400, description=_("This form is too old. Go back, load the page again and repeat what you did."))


def _check_login() -> ResponseReturnValue | None:
    # An unknown address has no endpoint; it asks for the login too, so that strangers cannot map the box.
    if permissions.is_open() or current_user.is_authenticated:
        return None
    if request.method not in _SAFE_METHODS or not request.accept_mimetypes.accept_html or _is_for_a_script():
        abort(401)
    if not services().users.has_users():
        return redirect(url_for("auth.first_run"))
    target = request.full_path if request.query_string else request.path
    return redirect(url_for("auth.login", next=target if target != "/" else None))


def _check_permission() -> None:
    if not current_user.is_authenticated:
        return
    lacking = permissions.missing(current_user.permissions)
    if lacking:
        wanted = ", ".join(words.permissions()[each] for each in lacking)
        abort(
            403, description=_("Your role does not include: %(what)s. An admin of this box can give it.", what=wanted)
        )


def _is_for_a_script() -> bool:
    return request.headers.get("Sec-Fetch-Dest", "document") not in ("document", "")
