"""Logging in and out, the first run, and the two switches that need no login (language, theme)."""

from __future__ import annotations

import logging

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from firmware.errors import ConflictError
from webui.i18n import LANGUAGES, THEMES
from webui.permissions import open_to_all, signed_in
from webui.security import log_in, log_out, session_user
from webui.services import services
from webui.translate import _
from webui.users import first_run as first_run_code
from webui.users.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH

log = logging.getLogger("offhook.web.auth")
blueprint = Blueprint("auth", __name__)

_YEAR_S = 365 * 86400


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
            if user is not None:
                by_address.succeeded(address)
                by_name.succeeded(name.casefold())
                log_in(user)
                log.info("logged in", extra={"offhook": {"user": user.name, "address": address}})
                return redirect(_inside(request.values.get("next")))
            by_address.failed(address)
            by_name.failed(name.casefold())
            log.warning("wrong user name or password", extra={"offhook": {"address": address}})
            fault, status = _("The user name or the password is wrong."), 422
    page = render_template("auth/login.html", fault=fault, name=name[:64], next=request.values.get("next", ""))
    return page, status


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
            _too_many(wait_s) if wait_s > 0 else _account_fault(name, password, request.form.get("password_again", ""))
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
            log.info("the admin account was made", extra={"offhook": {"user": user.name, "address": address}})
            return redirect(url_for("live.index"))
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


def _account_fault(name: str, password: str, again: str) -> str:
    if not 1 <= len(name) <= 64 or not name.isprintable():
        return _("Choose a user name of 1 to 64 characters.")
    if len(password) < MIN_PASSWORD_LENGTH:
        return _("Choose a password of at least %(n)d characters.", n=MIN_PASSWORD_LENGTH)
    if len(password) > MAX_PASSWORD_LENGTH:
        return _("This password is too long.")
    if password != again:
        return _("The two passwords are not the same.")
    return ""
