"""Puts the parts of long messages together, in whatever order they come (pure)."""

from __future__ import annotations

from typing import Final

import attrs

from firmware.modem.sms import Incoming, decode

MOST_WAITING: Final = 64
"""Messages of which some part never came: the oldest goes."""


class MessageParts:
    """Keeps parts until their message is whole."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int, int], dict[int, Incoming]] = {}

    def take(self, pdu: str) -> Incoming | None:
        """The whole message that ``pdu`` completes, None while parts are missing. Raises `MessageError`."""
        part = decode(pdu)
        if part.reference is None or part.parts <= 1:
            return part
        key = (part.number, part.reference, part.parts)
        parts = self._waiting.setdefault(key, {})
        parts[part.part] = part
        if len(parts) < part.parts:
            if len(self._waiting) > MOST_WAITING:
                self._waiting.pop(next(iter(self._waiting)))
            return None
        del self._waiting[key]
        return attrs.evolve(part, text="".join(parts[n].text for n in sorted(parts)), part=1)
