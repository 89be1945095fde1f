"""Caller ID as a voice modem says it: ``DATE = 0801``, ``TIME = 1254``, ``NMBR = 5551234``, ``NAME = SMITH`` (sans-IO).

Forms seen in the field (NCID's collected modem logs): blanks around the sign or none, ``P`` and ``O`` or words for
reasons, and a second ``NMBR = O`` after the number, which is not believed.
"""

from __future__ import annotations

import re
from typing import Final

from firmware.model import Presentation

_FIELD: Final = re.compile(r"([A-Z_]{3,8})\s*=\s*(.*)", re.ASCII)
_NUMBER: Final = re.compile(r"\+?[0-9*#]{2,20}", re.ASCII)
_WITHHELD: Final = frozenset({"P", "PRIVATE", "WITHHELD", "RESTRICTED", "ANONYMOUS", "PRIVDIROFF"})
_UNAVAILABLE: Final = frozenset({"O", "OUT OF AREA", "UNAVAILABLE", "UNKNOWN", "OUT-OF-AREA"})
_FIELDS: Final = frozenset({"DATE", "TIME", "NMBR", "NAME", "DDN", "DDN_NMBR", "MESG", "CALL", "FM", "TYPE"})


class CallerIdText:
    """Collects the lines of one message; `take` them when it is over."""

    def __init__(self) -> None:
        self.number: str | None = None
        self.name: str | None = None
        self.presentation = Presentation.UNKNOWN

    @property
    def complete(self) -> bool:
        """Something about the caller is known."""
        return self.number is not None or self.presentation is not Presentation.UNKNOWN

    def feed(self, line: str) -> bool:
        """True when ``line`` is a line of a caller ID, whatever it says."""
        match = _FIELD.fullmatch(line.strip())
        if match is None or match[1] not in _FIELDS:
            return False
        value = match[2].strip()
        if match[1] == "NMBR" and not self.complete:
            self._number(value)
        elif match[1] == "NAME" and self.name is None:
            self._name(value)
        return True

    def _number(self, value: str) -> None:
        bare = re.sub(r"[-() .]", "", value)
        if value.upper() in _WITHHELD or bare == "0000000000":
            self.presentation = Presentation.WITHHELD
        elif value.upper() in _UNAVAILABLE:
            self.presentation = Presentation.UNAVAILABLE
        elif _NUMBER.fullmatch(bare):
            self.number, self.presentation = bare, Presentation.VALID

    def _name(self, value: str) -> None:
        if value.upper() in _WITHHELD | _UNAVAILABLE:
            return
        self.name = "".join(c for c in value if c.isprintable())[:50] or None
