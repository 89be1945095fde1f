"""How a page writes into the audit log: one line, with the person and the address of this request."""

from __future__ import annotations

from typing import Any

from flask import has_request_context, request
from flask_login import current_user

from webui.services import services
from webui.users.audit import Action


def record(action: Action, object_: str = "", *, actor: str | None = None, **detail: Any) -> None:
    """``actor``: when nobody is logged in (yet); ``detail``: what JSON can say, never a secret."""
    if actor is None:
        actor = str(getattr(current_user, "name", "?"))
    address = (request.remote_addr or "") if has_request_context() else ""
    services().audit.record(action, object_, actor=actor, address=address, detail=detail)
