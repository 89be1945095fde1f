"""Query parameters and bodies, parsed once; a wrong one is named in the refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NoReturn

from flask import request

from webui.api.access import ApiError

FAR_MS = 253_402_300_799_000  # the end of the year 9999


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
    return found


def word(name: str, longest: int = 128) -> str | None:
    text = request.args.get(name)
    if text is not None and (not text or len(text) > longest or not text.isprintable()):
        refuse(f"{name} must be 1 to {longest} printable characters")
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
        if isinstance(value, bool) or not isinstance(value, kind):
            refuse(f"{name} must be {'text' if kind is str else 'a whole number'}")
        if isinstance(value, str) and "\x00" in value:
            refuse(f"{name} must not hold a NUL")
    return content
