"""Query parameters and bodies, parsed once; a wrong one is named in the refusal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from flask import request

from webui.api.access import ApiError

_FAR_MS = 7_258_118_400_000
"""The year 2200: in nanoseconds it still fits into a number of SQLite, and no call is later."""


_LINE_ID = re.compile(r"[a-z0-9-]{1,32}")


def refuse(message: str, **more: Any) -> NoReturn:
    raise ApiError(400, "bad_request", message, **more)


def known(*names: str) -> None:
    """Refuses parameters that nothing reads: a misspelt filter must not look like an empty one."""
    strange = sorted(set(request.args) - set(names))
    if strange:
        refuse(f"there is no parameter {strange[0]!r:.60}; there are: {', '.join(names) or 'none'}")
    for name in names:
        if len(request.args.getlist(name)) > 1:
            refuse(f"{name} stands there twice")


def number(name: str, default: int, lowest: int, highest: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and lowest <= int(text) <= highest):
        refuse(f"{name} must be a whole number from {lowest} to {highest}")
    return int(text)


def moment(name: str) -> int | None:
    """An ISO 8601 moment with its offset, as milliseconds since 1970."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if at.tzinfo is None:
            raise ValueError("no offset")
        found = round(at.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        refuse(f"{name} must be a moment with its offset, like 2026-11-30T09:00:00+08:00")
    return min(max(found, 0), _FAR_MS)


def line_id(name: str) -> str | None:
    """The id of a line, as settings allow them."""
    text = request.args.get(name)
    if text is not None and not _LINE_ID.fullmatch(text):
        refuse(f"{name} must be 1 to 32 of: small letters, digits, hyphen")
    return text


def body(**fields: type) -> dict[str, Any]:
    """The JSON object of the request, with exactly these fields."""
    if not request.is_json:
        raise ApiError(415, "unsupported_media_type", "send JSON (Content-Type: application/json)")
    content = request.get_json(silent=True)
    if not isinstance(content, dict):
        refuse("the body must be a JSON object")
    for name in content:
        if name not in fields:
            refuse(f"there is no field {name!r:.60}; there are: {', '.join(fields)}")
    for name, kind in fields.items():
        value = content.get(name)
        if kind is int and isinstance(value, float) and value.is_integer():  # 2.0 is a whole number in JSON
            value = content[name] = int(value)
        if isinstance(value, bool) or not isinstance(value, kind):
            refuse(f"{name} must be {'text' if kind is str else 'a whole number'}")
        if isinstance(value, str) and "\x00" in value:
            refuse(f"{name} must not hold a NUL")
    return content
