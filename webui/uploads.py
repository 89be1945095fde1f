"""How large a request may be: a form is small, and a view that takes a file says how large that may be.

The limit must stand before anything reads the form, and the check against forged requests is the first to do so.
Only whom the view answers to gets the larger limit: nobody else fills the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask_login import current_user

from webui import permissions

_View = TypeVar("_View", bound=Callable[..., Any])
_MARK = "_offhook_body_bytes"


def takes_file(at_most_bytes: int) -> Callable[[_View], _View]:
    """The body of a request to this view may have ``at_most_bytes``."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, at_most_bytes)
        return view

    return mark


def install(app: Flask) -> None:
    """To be called before `webui.security.install`."""
    app.before_request(_let_in)


def _let_in() -> None:
    at_most = getattr(current_app.view_functions.get(request.endpoint or ""), _MARK, None)
    if at_most is None:
        return
    if permissions.is_open() or (current_user.is_authenticated and not permissions.missing(current_user.permissions)):
        request.max_content_length = at_most
