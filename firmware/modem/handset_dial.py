"""What hook and keys of a handset mean: answer, hang up, dial, or a digit into the call (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DIAL_AFTER_S: Final = 4.0
"""A number is complete when no digit came for so long; ``#`` ends it at once, as telephone users know it."""
DIGITS: Final = "0123456789*#"


@dataclass(frozen=True, slots=True)
class Answer:
    pass


@dataclass(frozen=True, slots=True)
class HangUp:
    pass


@dataclass(frozen=True, slots=True)
class Dial:
    number: str


@dataclass(frozen=True, slots=True)
class SendDigit:
    digit: str


Wish = Answer | HangUp | Dial | SendDigit


class HandsetDial:
    """Times are seconds on any steady clock. ``ringing`` and ``in_call`` (dialing too) say how the line stands."""

    def __init__(self) -> None:
        self._off_hook = False
        self._number = ""
        self._last_s = 0.0

    def lifted(self, *, ringing: bool) -> Wish | None:
        self._off_hook, self._number = True, ""
        return Answer() if ringing else None

    def put_back(self, *, in_call: bool) -> Wish | None:
        self._off_hook, self._number = False, ""
        return HangUp() if in_call else None

    def button(self, *, ringing: bool, in_call: bool) -> Wish | None:
        """A button that is only pressed (headset, keypad): answers, hangs up, or dials what was typed."""
        if ringing:
            return Answer()
        if in_call:
            return HangUp()
        return self._complete() if self._number else None

    def digit(self, digit: str, now_s: float, *, ringing: bool, in_call: bool) -> Wish | None:
        if digit not in DIGITS or ringing:
            return None
        if in_call:
            return SendDigit(digit)
        if digit == "#" and self._number and not self._number.startswith(("*", "#")):
            return self._complete()
        self._number += digit
        self._last_s = now_s
        return None

    def on_time(self, now_s: float) -> Wish | None:
        """Ask now and then while digits come."""
        return self._complete() if self._number and now_s - self._last_s >= DIAL_AFTER_S else None

    def _complete(self) -> Wish:
        number, self._number = self._number, ""
        return Dial(number)
