"""Who may do what: each route names its permission, and a route that names none keeps the page from starting."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, current_app, request

_View = TypeVar("_View", bound=Callable[..., Any])
_MARK = "_offhook_requires"
_OPEN_TO_ALL = "everybody"
_SIGNED_IN = "signed in"


class Permission(StrEnum):
    """What a role gives or withholds, each on its own."""

    LIST = "list"
    """See lines and calls: who, when, how long."""
    ANNOTATE = "annotate"
    """Write notes, tags and markers, mark calls as reviewed."""
    LISTEN = "listen"
    """Hear recordings, and lines while they talk."""
    EXPORT = "export"
    """Take recordings and lists away: downloads, CSV, XLSX."""
    DELETE = "delete"
    """Delete recordings, protect them and take protection away."""
    DIAL = "dial"
    """Dial and hang up."""
    CONFIGURE = "configure"
    """Change settings: recording rules, retention, sync, webhooks."""
    HARDWARE = "hardware"
    """See and set up lines, SIM cards and boards; field tests."""
    USERS = "users"
    """Users, roles, departments, sessions, tokens."""
    AUDIT = "audit"
    """Read the audit log."""
    SYSTEM = "system"
    """Updates, backup and restore, support bundle, network, certificates."""


def require(*permissions: Permission) -> Callable[[_View], _View]:
    """The view answers only to users who have all of ``permissions`` (at least one is to be named)."""
    if not permissions:
        raise TypeError("name at least one permission, or use @signed_in")
    return _marked(frozenset(permissions))


def signed_in(view: _View) -> _View:
    """The view answers to every user who has logged in, whatever the role."""
    return _marked(_SIGNED_IN)(view)


def open_to_all(view: _View) -> _View:
    """The view answers without a login."""
    return _marked(_OPEN_TO_ALL)(view)


def _marked(value: object) -> Callable[[_View], _View]:
    def mark(view: _View) -> _View:
        setattr(view, _MARK, value)
        return view

    return mark


def is_open() -> bool:
    """Whether this request's route answers without a login."""
    return request.endpoint == "static" or _mark_of(request.endpoint) == _OPEN_TO_ALL


def missing(held: frozenset[Permission]) -> list[Permission]:
    """What this request's route asks for and ``held`` lacks."""
    wanted = required_by(current_app, request.endpoint)
    return sorted(wanted - held)


def required_by(app: Flask, endpoint: str | None) -> frozenset[Permission]:
    """The permissions that a route asks for; empty when a login is enough, or none is needed."""
    view = app.view_functions.get(endpoint or "")
    mark: object = getattr(view, _MARK, None)
    return mark if isinstance(mark, frozenset) else frozenset()


def check_every_route(app: Flask) -> None:
    """Raises `TypeError` when a route forgot to say who may use it."""
    unmarked = sorted(
        name for name, view in app.view_functions.items() if name != "static" and not hasattr(view, _MARK)
    )
    if unmarked:
        raise TypeError(f"put @require(...), @signed_in or @open_to_all (webui.permissions) on: {', '.join(unmarked)}")


def _mark_of(endpoint: str | None) -> object:
    return getattr(current_app.view_functions.get(endpoint or ""), _MARK, None)
