"""One's own account: password, second factor, passkeys, sessions."""

from __future__ import annotations

import secrets
import time

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webui.audit import record
from webui.pages.auth import challenge_in_session, password_fault
from webui.permissions import signed_in
from webui.qr import picture
from webui.security import session_digest
from webui.services import services
from webui.translate import _
from webui.users.audit import Action
from webui.users.passkeys import PasskeyError, host_for
from webui.users.passwords import MIN_PASSWORD_LENGTH
from webui.users.second_factor import enrolment_uri, new_secret

blueprint = Blueprint("account", __name__, url_prefix="/account")


@blueprint.get("/")
@signed_in
def index() -> ResponseReturnValue:
    return _page()


@blueprint.post("/password")
@signed_in
def password() -> ResponseReturnValue:
    """Ends all other sessions of this user: whoever knew the old password is out."""
    users, new = services().users, request.form.get("password", "")
    wait_s = services().by_name.wait_s(current_user.name.casefold())
    if wait_s > 0 or users.check_password(current_user.name, request.form.get("current", "")) is None:
        services().by_name.failed(current_user.name.casefold())
        return _page(password_fault=_("The current password is wrong."))
    fault = password_fault(new, request.form.get("password_again", ""))
    if fault:
        return _page(password_fault=fault)
    services().people.set_password(current_user.id, new, keep_session=session_digest())
    record(Action.PASSWORD_CHANGED, current_user.name)
    flash(_("Your password is changed; your other sessions are ended."), "success")
    return redirect(url_for("account.index"))


@blueprint.route("/second-factor", methods=["GET", "POST"])
@signed_in
def second_factor() -> ResponseReturnValue:
    """The QR code for the telephone, then the digits that prove it was read, then the recovery codes, once."""
    secret = session.get("new_totp")
    if not isinstance(secret, str):
        secret = session["new_totp"] = new_secret()
    fault = ""
    if request.method == "POST":
        codes = services().second_factor.switch_on(current_user.id, secret, request.form.get("code", ""))
        if codes is not None:
            session.pop("new_totp", None)
            record(Action.SECOND_FACTOR_CHANGED, current_user.name, now="on")
            return render_template("account/recovery_codes.html", codes=codes)
        fault = _("These digits do not fit. Is the clock of the telephone right, and the clock of this box?")
    page = render_template("account/second_factor.html", secret=_grouped(secret), fault=fault)
    return page, 422 if fault else 200


@blueprint.get("/second-factor.svg")
@signed_in
def second_factor_picture() -> Response:
    secret = session.get("new_totp")
    if not isinstance(secret, str):
        abort(404)
    uri = enrolment_uri(secret, user=current_user.name, box=f"Offhook {request.host.rsplit(':', 1)[0]}")
    return picture(uri)


@blueprint.post("/second-factor/off")
@signed_in
def second_factor_off() -> ResponseReturnValue:
    if services().users.check_password(current_user.name, request.form.get("current", "")) is None:
        return _page(factor_fault=_("The current password is wrong."))
    services().second_factor.switch_off(current_user.id)
    record(Action.SECOND_FACTOR_CHANGED, current_user.name, now="off")
    flash(_("The second factor is off."), "warning")
    return redirect(url_for("account.index"))


@blueprint.post("/passkey/options")
@signed_in
def passkey_options() -> ResponseReturnValue:
    host = host_for(request.host) or abort(404)
    challenge = secrets.token_bytes(32)
    session["new_passkey"] = [challenge.hex(), int(time.time())]
    options = services().passkeys.registration_options(
        current_user.id, current_user.name, host=host, challenge=challenge
    )
    return jsonify(options)


@blueprint.post("/passkey")
@signed_in
def passkey() -> ResponseReturnValue:
    host = host_for(request.host) or abort(404)
    challenge, answer = challenge_in_session("new_passkey"), request.get_json(silent=True)
    name = request.args.get("name", "").strip()[:64] or _("Passkey")
    try:
        if challenge is None or not isinstance(answer, dict):
            raise PasskeyError("no challenge, or no answer")
        services().passkeys.register(
            current_user.id, answer, name=name, host=host, origin=request.host_url.rstrip("/"), challenge=challenge
        )
    except PasskeyError:
        return jsonify({"error": _("The browser's passkey could not be taken. Try again.")}), 422
    record(Action.SECOND_FACTOR_CHANGED, current_user.name, now="passkey added", name=name)
    return jsonify({"next": url_for("account.index")})


@blueprint.post("/passkey/<passkey_id>/remove")
@signed_in
def passkey_remove(passkey_id: str) -> ResponseReturnValue:
    if services().passkeys.remove(current_user.id, passkey_id):
        record(Action.SECOND_FACTOR_CHANGED, current_user.name, now="passkey removed")
        flash(_("The passkey is removed."), "success")
    return redirect(url_for("account.index"))


@blueprint.post("/sessions/<session_id>/end")
@signed_in
def end_session(session_id: str) -> ResponseReturnValue:
    ended = services().people.end_session(session_id, user_id=current_user.id)
    if ended is None:
        abort(404)
    record(Action.SESSION_ENDED, current_user.name, address=ended.address)
    flash(_("The session is ended."), "success")
    return redirect(url_for("account.index"))


def _page(password_fault: str = "", factor_fault: str = "") -> ResponseReturnValue:
    digest = session_digest() or ""
    page = render_template(
        "account/index.html",
        sessions=services().people.sessions(current_user.id),
        this_session=digest[:16],
        second_factor=services().second_factor.is_on(current_user.id),
        codes_left=services().second_factor.codes_left(current_user.id),
        passkeys=services().passkeys.of(current_user.id),
        passkeys_possible=host_for(request.host) is not None,
        password_fault=password_fault,
        factor_fault=factor_fault,
        min_length=MIN_PASSWORD_LENGTH,
    )
    return page, 422 if password_fault or factor_fault else 200


def _grouped(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
