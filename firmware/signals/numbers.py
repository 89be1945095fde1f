"""Writes a caller's number as the whole world reads it, by the country of the line it came in on."""

from __future__ import annotations

import phonenumbers


def e164(number: str | None, country: str) -> str | None:
    """``+8613800138000`` for ``13800138000`` in China; None when it is no full number (an extension, a service code).

    The number as the exchange sent it is kept beside it: this is a reading, not a correction. ``country``: ISO 3166.
    """
    if number is None or not number.lstrip("+").isdigit():
        return None
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    written: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return written
