"""Users, roles, departments and sessions, for those who may manage them."""

from __future__ import annotations

import secrets

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from firmware.errors import ConflictError
from webui import box_lines, words
from webui.audit import record
from webui.pages.auth import account_fault
from webui.permissions import Permission, require
from webui.services import services
from webui.translate import _
from webui.users.audit import Action
from webui.users.first_run import ALPHABET
from webui.users.people import LastAdminError

blueprint = Blueprint("people", __name__, url_prefix="/settings/people")


@blueprint.get("/")
@require(Permission.USERS)
def index() -> str:
    people = services().people
    return render_template(
        "people/index.html",
        people=people.listed(),
        roles=people.roles(),
        departments=people.departments(),
        sessions=people.sessions(),
        role_words=words.role_name,
        lines=box_lines.names(),
    )


@blueprint.route("/users/new", methods=["GET", "POST"])
@require(Permission.USERS)
def new_user() -> ResponseReturnValue:
    fault, form = "", request.form
    # Typed over by whoever prefers another; a good one is there so that nobody falls back on "12345678".
    proposed = "-".join("".join(secrets.choice(ALPHABET.lower()) for _ in range(4)) for _ in range(4))
    if request.method == "POST":
        name, password = form.get("name", "").strip(), form.get("password", "")
        fault = account_fault(name, password, password)
        if not fault:
            try:
                services().people.add(name, password, form.get("role", ""), department=_number("department"))
            except ConflictError:
                fault = _("There is a user with this name already, or no such role.")
            else:
                record(Action.USER_ADDED, name, role=form.get("role", ""))
                flash(_("%(name)s can log in now. Pass the password on yourself.", name=name), "success")
                return redirect(url_for("people.index"))
    page = render_template(
        "people/new.html",
        fault=fault,
        form=form,
        proposed=form.get("password") or proposed,
        roles=services().people.roles(),
        departments=services().people.departments(),
        role_words=words.role_name,
    )
    return page, 422 if fault else 200


@blueprint.route("/users/<int:user_id>", methods=["GET", "POST"])
@require(Permission.USERS)
def user(user_id: int) -> ResponseReturnValue:
    people = services().people
    person = people.one(user_id) or abort(404)
    fault = ""
    if request.method == "POST":
        form = request.form
        after = {
            "role": form.get("role", ""),
            "department": _number("department"),
            "disabled": form.get("disabled") == "yes",
            "lines": form.getlist("lines"),
        }
        try:
            people.change(user_id, **after)  # type: ignore[arg-type]
        except LastAdminError:
            fault = _last_admin()
        except ConflictError:
            fault = _("There is no such role (any more).")
        else:
            before = {
                "role": person.role,
                "department": person.department_id,
                "disabled": person.disabled,
                "lines": sorted(person.lines),
            }
            record(Action.USER_CHANGED, person.name, before=before, after=after)
            flash(_("Saved. It holds from the next click of %(name)s.", name=person.name), "success")
            return redirect(url_for("people.index"))
    page = render_template(
        "people/user.html",
        fault=fault,
        person=person,
        roles=people.roles(),
        departments=people.departments(),
        sessions=people.sessions(user_id),
        role_words=words.role_name,
        lines=box_lines.names(),
    )
    return page, 422 if fault else 200


@blueprint.post("/users/<int:user_id>/password")
@require(Permission.USERS)
def reset_password(user_id: int) -> ResponseReturnValue:
    """A new password, shown once; her second factor goes with the old one when asked for."""
    person = services().people.one(user_id) or abort(404)
    password = "-".join("".join(secrets.choice(ALPHABET.lower()) for _ in range(4)) for _ in range(4))
    services().people.set_password(user_id, password)
    record(Action.PASSWORD_CHANGED, person.name)
    if request.form.get("second_factor_off") == "yes":
        services().second_factor.switch_off(user_id)
        record(Action.SECOND_FACTOR_CHANGED, person.name, now="off")
    return render_template("people/password.html", person=person, password=password)


@blueprint.post("/users/<int:user_id>/remove")
@require(Permission.USERS)
def remove_user(user_id: int) -> ResponseReturnValue:
    person = services().people.one(user_id) or abort(404)
    try:
        services().people.remove(user_id)
    except LastAdminError:
        flash(_last_admin(), "danger")
        return redirect(url_for("people.user", user_id=user_id))
    record(Action.USER_REMOVED, person.name, role=person.role)
    flash(_("%(name)s is removed. What this user did stays in the audit log.", name=person.name), "success")
    return redirect(url_for("people.index"))


@blueprint.post("/roles")
@require(Permission.USERS)
def save_role() -> ResponseReturnValue:
    name = request.form.get("name", "").strip()
    wanted = set(request.form.getlist("permissions"))
    permissions = [permission for permission in Permission if permission.value in wanted]
    if not 1 <= len(name) <= 40 or not name.isprintable():
        flash(_("Choose a name of 1 to 40 characters for the role."), "danger")
        return redirect(url_for("people.index"))
    try:
        services().people.save_role(name, permissions, own_lines=request.form.get("own_lines") == "yes")
    except LastAdminError:
        flash(_last_admin(), "danger")
    except ConflictError:
        flash(_("A preset role stays as it is; choose another name."), "danger")
    else:
        after = {"permissions": sorted(wanted), "own_lines": request.form.get("own_lines") == "yes"}
        record(Action.ROLE_CHANGED, name, after=after)
        flash(_("The role %(name)s is saved.", name=name), "success")
    return redirect(url_for("people.index"))


@blueprint.post("/roles/remove")
@require(Permission.USERS)
def remove_role() -> ResponseReturnValue:
    name = request.form.get("name", "")
    try:
        services().people.remove_role(name)
    except ConflictError:
        flash(_("Somebody still has this role; give those users another one first."), "danger")
    else:
        record(Action.ROLE_CHANGED, name, after="removed")
        flash(_("The role %(name)s is removed.", name=name), "success")
    return redirect(url_for("people.index"))


@blueprint.post("/departments")
@require(Permission.USERS)
def save_department() -> ResponseReturnValue:
    name, lines = request.form.get("name", "").strip(), request.form.getlist("lines")
    if not 1 <= len(name) <= 64 or not name.isprintable():
        flash(_("Choose a name of 1 to 64 characters for the department."), "danger")
        return redirect(url_for("people.index"))
    try:
        services().people.save_department(_number("department"), name, lines)
    except ConflictError:
        flash(_("There is a department with this name already."), "danger")
    else:
        record(Action.DEPARTMENT_CHANGED, name, lines=lines)
        flash(_("The department %(name)s is saved.", name=name), "success")
    return redirect(url_for("people.index"))


@blueprint.post("/departments/<int:department_id>/remove")
@require(Permission.USERS)
def remove_department(department_id: int) -> ResponseReturnValue:
    found = next((each for each in services().people.departments() if each.id == department_id), None) or abort(404)
    services().people.remove_department(department_id)
    record(Action.DEPARTMENT_CHANGED, found.name, after="removed")
    flash(_("The department %(name)s is removed.", name=found.name), "success")
    return redirect(url_for("people.index"))


@blueprint.post("/sessions/<session_id>/end")
@require(Permission.USERS)
def end_session(session_id: str) -> ResponseReturnValue:
    ended = services().people.end_session(session_id) or abort(404)
    record(Action.SESSION_ENDED, ended.user, address=ended.address)
    flash(_("The session of %(name)s is ended.", name=ended.user), "success")
    return redirect(url_for("people.index"))


def _number(field: str) -> int | None:
    text = request.form.get(field, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _last_admin() -> str:
    return _("This is the last user who may manage users. Give somebody else that right first.")
