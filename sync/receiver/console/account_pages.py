"""Who comes in, and in which language."""

from __future__ import annotations

from flask import Flask, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from sync.receiver.console.accounts import MIN_PASSWORD_LENGTH, Accounts
from sync.receiver.console.words import LANGUAGES


def add(app: Flask, accounts: Accounts) -> None:
    """Login, first run, logout, and the choice of the language."""

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
        back = request.form.get("back", "/")
        # Only a path of this page: "//host" and "/\\host" would lead elsewhere.
        response = redirect(back if back.startswith("/") and back[1:2] not in ("/", "\\") else "/")
        if request.form.get("language") in LANGUAGES:
            response.set_cookie(
                "language", request.form["language"], max_age=31536000, samesite="Strict", httponly=True
            )
        return response


def _enter(accounts: Accounts, name: str) -> ResponseReturnValue:
    session.clear()  # what was planted before the login is worth nothing after it
    session["login"] = accounts.open_session(name)
    return redirect(url_for("overview"))
