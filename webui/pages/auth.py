"""Logging in and out, the first run, and the two switches that need no login (language, theme)."""

from __future__ import annotations

import logging
import secrets
import time

from flask import Blueprint, abort, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from firmware.errors import ConflictError
from webui.audit import record
from webui.i18n import LANGUAGES, THEMES
from webui.permissions import open_to_all, signed_in
from webui.security import log_in, log_out, session_user
from webui.services import services
from webui.translate import _
from webui.users import first_run as first_run_code
from webui.users.audit import Action
from webui.users.passkeys import PasskeyError, host_for
from webui.users.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from webui.users.store import User

log = logging.getLogger("offhook.web.auth")
blueprint = Blueprint("auth", __name__)

_YEAR_S = 365 * 86400
_HALF_WAY_S = 300


@blueprint.route("/login", methods=["GET", "POST"])
@open_to_all
def login() -> ResponseReturnValue:
    """Name and password. Wrong answers cost time, by address and by name."""
    if not services().users.has_users():
        return redirect(url_for("auth.first_run"))
    if session_user() is not None:
        return redirect(url_for("live.index"))
    name = request.form.get("name", "").strip()
    fault, status = "", 200
    if request.method == "POST":
        by_address, by_name = services().by_address, services().by_name
        address = request.remote_addr or ""
        wait_s = max(by_address.wait_s(address), by_name.wait_s(name.casefold()))
        if wait_s > 0:
            fault, status = _too_many(wait_s), 429
        else:
            user = services().users.check_password(name, request.form.get("password", ""))
            if user is not None and services().second_factor.is_on(user.id):
                session["half"] = [user.id, int(time.time())]
                return redirect(url_for("auth.second_factor", next=request.values.get("next") or None))
            if user is not None:
                _succeeded(user, "password")
                return redirect(_inside(request.values.get("next")))
            by_address.failed(address)
            by_name.failed(name.casefold())
            log.warning("wrong user name or password", extra={"offhook": {"address": address}})
            record(Action.SIGN_IN_REFUSED, actor=name[:64], why="password")
            fault, status = _("The user name or the password is wrong."), 422
    host = host_for(request.host)
    page = render_template(
        "auth/login.html",
        fault=fault,
        name=name[:64],
        next=request.values.get("next", ""),
        passkeys=host is not None and services().passkeys.some_for(host),
    )
    return page, status


@blueprint.route("/login/second", methods=["GET", "POST"])
@open_to_all
def second_factor() -> ResponseReturnValue:
    """The six digits, or a recovery code, of somebody whose password was right a moment ago."""
    user = _half_way()
    if user is None:
        return redirect(url_for("auth.login"))
    fault, status = "", 200
    if request.method == "POST":
        by_address, by_name, address = services().by_address, services().by_name, request.remote_addr or ""
        key = f"second:{user.id}"
        wait_s = max(by_address.wait_s(address), by_name.wait_s(key))
        if wait_s > 0:
            fault, status = _too_many(wait_s), 429
        elif services().second_factor.check(user.id, request.form.get("code", "")[:64]):
            by_name.succeeded(key)
            _succeeded(user, "password and second factor")
            return redirect(_inside(request.values.get("next")))
        else:
            by_address.failed(address)
            by_name.failed(key)
            record(Action.SIGN_IN_REFUSED, actor=user.name, why="second factor")
            fault, status = _("These digits are wrong, or were used already. Each is good for one login."), 422
    return render_template("auth/second_factor.html", fault=fault, next=request.values.get("next", "")), status


@blueprint.post("/login/passkey/options")
@open_to_all
def passkey_options() -> ResponseReturnValue:
    """A challenge for the browser's passkeys of this name of the box."""
    host = host_for(request.host) or abort(404)
    challenge = secrets.token_bytes(32)
    session["passkey"] = [challenge.hex(), int(time.time())]
    return jsonify(services().passkeys.login_options(host=host, challenge=challenge))


@blueprint.post("/login/passkey")
@open_to_all
def passkey() -> ResponseReturnValue:
    """The browser's answer to the challenge; says where to go on."""
    host = host_for(request.host) or abort(404)
    wait_s = services().by_address.wait_s(request.remote_addr or "")
    if wait_s > 0:
        return jsonify({"error": _too_many(wait_s)}), 429
    challenge = challenge_in_session("passkey")
    answer = request.get_json(silent=True)
    try:
        if challenge is None or not isinstance(answer, dict):
            raise PasskeyError("no challenge, or no answer")
        origin = request.host_url.rstrip("/")
        user_id = services().passkeys.login(answer, host=host, origin=origin, challenge=challenge)
        user = services().users.user(user_id)
        if user is None:
            raise PasskeyError("the user is shut out")
    except PasskeyError as error:
        services().by_address.failed(request.remote_addr or "")
        log.warning("a passkey was refused: %s", error)
        record(Action.SIGN_IN_REFUSED, actor="?", why="passkey")
        return jsonify({"error": _("This passkey is not known here. Log in with the password.")}), 422
    _succeeded(user, "passkey")
    return jsonify({"next": _inside(request.args.get("next"))})


def challenge_in_session(key: str) -> bytes | None:
    """The challenge that this browser was given in the last five minutes; good for one answer."""
    kept = session.pop(key, None)
    if not isinstance(kept, list) or abs(time.time() - kept[1]) > _HALF_WAY_S:
        return None
    return bytes.fromhex(kept[0])


def _half_way() -> User | None:
    half = session.get("half")
    if not isinstance(half, list) or abs(time.time() - half[1]) > _HALF_WAY_S:
        return None
    return services().users.user(half[0])


def _succeeded(user: User, how: str) -> None:
    address = request.remote_addr or ""
    services().by_address.succeeded(address)
    services().by_name.succeeded(user.name.casefold())
    log_in(user)
    record(Action.SIGNED_IN, actor=user.name, how=how)
    log.info("logged in", extra={"offhook": {"user": user.name, "address": address}})


@blueprint.route("/first-run", methods=["GET", "POST"])
@open_to_all
def first_run() -> ResponseReturnValue:
    """The code from the console makes the admin account, once."""
    users = services().users
    if users.has_users():
        return redirect(url_for("auth.login"))
    fault, status = "", 200
    if request.method == "POST":
        address, by_address = request.remote_addr or "", services().by_address
        name, password = request.form.get("name", "").strip(), request.form.get("password", "")
        wait_s = by_address.wait_s(address)
        fault = (
            _too_many(wait_s) if wait_s > 0 else account_fault(name, password, request.form.get("password_again", ""))
        )
        status = 429 if wait_s > 0 else 422
        if not fault and not first_run_code.check(users, request.form.get("code", "")[:64]):
            by_address.failed(address)
            log.warning("wrong first-run code", extra={"offhook": {"address": address}})
            fault = _("This is not the first-run code. It stands on the console, in the line “First-run code”.")
        if not fault:
            try:
                user = users.add_first_admin(name, password)
            except ConflictError:
                return redirect(url_for("auth.login"))
            first_run_code.used(services().run_dir)
            by_address.succeeded(address)
            log_in(user)
            record(Action.USER_ADDED, user.name, actor=user.name, role="admin", how="first run")
            log.info("the admin account was made", extra={"offhook": {"user": user.name, "address": address}})
            return redirect(url_for("setup.index"))
    page = render_template(
        "auth/first_run.html",
        fault=fault,
        name=request.form.get("name", "")[:64],
        code=request.form.get("code", "")[:64],
        min_length=MIN_PASSWORD_LENGTH,
    )
    return page, status


@blueprint.post("/logout")
@signed_in
def logout() -> ResponseReturnValue:
    record(Action.SIGNED_OUT)
    log_out()
    return redirect(url_for("auth.login"))


@blueprint.post("/language")
@open_to_all
def language() -> ResponseReturnValue:
    return _remember("language", request.form.get("language", ""), tuple(LANGUAGES))


@blueprint.post("/theme")
@open_to_all
def theme() -> ResponseReturnValue:
    return _remember("theme", request.form.get("theme", ""), THEMES)


def _remember(cookie: str, value: str, allowed: tuple[str, ...]) -> ResponseReturnValue:
    response = redirect(_inside(request.form.get("back")))
    if value in allowed:
        response.set_cookie(cookie, value, max_age=_YEAR_S, samesite="Strict", httponly=True, secure=request.is_secure)
    return response


def _inside(target: str | None) -> str:
    """``target`` when it is an address of this box, else the first page: a login must not lead to another site."""
    if target and target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable():
        return target
    return url_for("live.index")


def _too_many(wait_s: float) -> str:
    return _("Too many wrong answers. Try again in %(seconds)d seconds.", seconds=int(wait_s) + 1)


def account_fault(name: str, password: str, again: str) -> str:
    if not 1 <= len(name) <= 64 or not name.isprintable():
        return _("Choose a user name of 1 to 64 characters.")
    return password_fault(password, again)


def password_fault(password: str, again: str) -> str:
    """Why this password cannot be taken; empty when it can."""
    if len(password) < MIN_PASSWORD_LENGTH:
        return _("Choose a password of at least %(n)d characters.", n=MIN_PASSWORD_LENGTH)
    if len(password) > MAX_PASSWORD_LENGTH:
        return _("This password is too long.")
    if password != again:
        return _("The two passwords are not the same.")
    return ""
