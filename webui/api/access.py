"""Who a program is: its bearer token, and what the token and its user together allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from flask import Response, g, jsonify, request

from webui.permissions import Permission, open_to_all
from webui.services import services
from webui.users.store import User
from webui.users.tokens import Scope, Token

_HOW_TO = "send a token that is good: Authorization: Bearer offhook_..."
_View = TypeVar("_View", bound=Callable[..., Any])

NEEDS: dict[Scope, frozenset[Permission]] = {
    Scope.METRICS: frozenset(),
    Scope.STATUS: frozenset({Permission.LIST}),
    Scope.CALLS: frozenset({Permission.LIST}),
    Scope.AUDIO: frozenset({Permission.LISTEN, Permission.EXPORT}),
    Scope.NOTES: frozenset({Permission.ANNOTATE}),
    Scope.DIAL: frozenset({Permission.DIAL}),
    Scope.SETTINGS: frozenset({Permission.CONFIGURE}),
}
"""What the user of the token must be allowed herself, at the moment of the request."""


class ApiError(Exception):
    """A refusal in the API's own shape."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        self.status, self.code, self.message, self.more = status, code, message, more
        super().__init__(message)

    def response(self) -> Response:
        response = jsonify({"error": {"code": self.code, "message": self.message, **self.more}})
        response.status_code = self.status
        if self.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="offhook"'
        return response


def scope(wanted: Scope) -> Callable[[_View], _View]:
    """The view answers to tokens with this scope; cookies count for nothing here, so there is nothing to forge."""

    def mark(view: _View) -> _View:
        view._offhook_scope = wanted  # type: ignore[attr-defined]
        return open_to_all(view)

    return mark


def check(view: Callable[..., Any]) -> None:
    """Before each request of the API. Raises `ApiError`."""
    wanted = getattr(view, "_offhook_scope", None)
    if wanted is None:
        return
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.casefold() != "bearer" or not value.strip():  # no guess, so none that counts
        raise ApiError(401, "unauthorized", _HOW_TO)
    address = request.remote_addr or ""
    wait_s = services().by_address.wait_s(f"api {address}")
    if wait_s > 0:
        raise ApiError(429, "too_many_attempts", f"too many wrong tokens; try again in {int(wait_s) + 1} s")
    token = services().tokens.find(value.strip(), address=address)
    if token is None:
        services().by_address.failed(f"api {address}")
        raise ApiError(401, "unauthorized", _HOW_TO)
    user = services().users.user(token.user_id)
    if user is None:
        raise ApiError(401, "unauthorized", "the user of this token is shut out")
    if wanted.value not in token.scopes:
        raise ApiError(403, "forbidden", f"this token lacks the scope {wanted.value}")
    if not NEEDS[wanted] <= user.permissions:
        raise ApiError(403, "forbidden", f"the user of this token may not do this any more (scope {wanted.value})")
    g.api_token, g.api_user = token, user


def user() -> User:
    found: User = g.api_user
    return found


def token() -> Token:
    found: Token = g.api_token
    return found


def not_found(what: str) -> NoReturn:
    raise ApiError(404, "not_found", f"there is no such {what}")
