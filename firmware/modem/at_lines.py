"""Cuts the byte stream of an AT port into lines, whatever the chunks, the line ends and the noise (sans-IO)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_LINE_BYTES: Final = 4096
"""A line that grows beyond this is noise (a PCM or diagnostic port opened by mistake) and is cut here."""


class LineType(StrEnum):
    OK = "ok"
    ERROR = "error"
    """A final result that says no: ERROR, +CME ERROR, +CMS ERROR and vendors' words."""
    CALL_RESULT = "call_result"
    """NO CARRIER, BUSY, NO ANSWER, NO DIALTONE: the final result of a dial, or an unsolicited end of a call."""
    TEXT = "text"
    """Everything else: part of an answer, an echo, or unsolicited."""


@dataclass(frozen=True, slots=True)
class AtLine:
    """One line without its line end. Bytes that are no UTF-8 stand in ``text`` as ``\\xNN``."""

    text: str
    type: LineType


_CALL_RESULTS: Final = frozenset({"NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE"})
_ERROR_TEXTS: Final = frozenset({"ERROR", "COMMAND NOT SUPPORT", "TOO MANY PARAMETERS", "NA"})
_ERROR_PREFIXES: Final = ("+CME ERROR: ", "+CMS ERROR: ", "MODEM ERROR:")
_ERROR_BEGINNINGS: Final = frozenset(prefix[:3] for prefix in _ERROR_PREFIXES)
_WHOLE: Final = {
    "OK": LineType.OK,
    "CONNECT": LineType.OK,
    **dict.fromkeys(_CALL_RESULTS, LineType.CALL_RESULT),
    **dict.fromkeys(_ERROR_TEXTS, LineType.ERROR),
}


def line_type(text: str) -> LineType:
    """What ``text`` is by itself. ITU-T V.250 6.1 and 3GPP TS 27.007 9.2; Huawei's ``COMMAND NOT SUPPORT``.

    ``+CME ERROR:`` needs the blank after the colon to be final; its value may be empty.
    """
    known = _WHOLE.get(text)
    if known is not None:
        return known
    if text[:3] in _ERROR_BEGINNINGS and (text + " ").startswith(_ERROR_PREFIXES):
        return LineType.ERROR
    return LineType.TEXT


class LineCutter:
    """Collects bytes and gives whole lines.

    A line ends at CR or LF, in any number and order: SIM7600 doubles the CR, some modules leave out the first CR or
    send only LF. NUL bytes are dropped: modules send them at power-up.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[AtLine]:
        """The lines that ``data`` completes, oldest first. The result does not depend on how the bytes are chunked."""
        *whole, rest = (self._rest + data.replace(b"\0", b"")).replace(b"\r", b"\n").split(b"\n")
        longest = LONGEST_LINE_BYTES
        pieces = [line for line in whole if line]
        if any(len(line) > longest for line in pieces):
            pieces = [line[at : at + longest] for line in pieces for at in range(0, len(line), longest)]
        while len(rest) >= longest:
            pieces.append(rest[:longest])
            rest = rest[longest:]
        self._rest = rest
        texts = (piece.decode("utf-8", "backslashreplace").strip(" \t") for piece in pieces)
        return [AtLine(text, line_type(text)) for text in texts if text]

    def take_prompt(self) -> bool:
        """Whether the module waits for a text with ``> `` (3GPP TS 27.005 3.5.1), which is no line. Forgets it."""
        if self._rest.strip() != b">":
            return False
        self._rest = b""
        return True
