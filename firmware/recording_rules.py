"""Which calls are recorded: all, by direction, or by number. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from firmware.model import Call, Direction


class RecordCalls(StrEnum):
    """What is recorded of calls that no list of numbers names."""

    ALL = "all"
    INCOMING = "incoming"
    OUTGOING = "outgoing"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRules:
    """A number that ends with ``*`` stands for all that begin so. ``never`` beats ``always``, both beat ``calls``."""

    calls: RecordCalls = RecordCalls.ALL
    always: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    calling_code: str = ""
    """Of the line's country (``86``): ``+86138…``, ``0086138…`` and ``138…`` are then the same number."""

    def wants(self, call: Call, *, number_is_final: bool) -> bool:
        """Whether the sound of ``call`` is kept, as far as known now.

        While more of the number may come, a call that a list might still name is recorded: what turns out not to be
        wanted is thrown away at its end, what was never recorded is lost.
        """
        if call.number is not None and self._named(self.never, call.number):
            return False
        if call.number is not None and self._named(self.always, call.number):
            return True
        if self.calls is RecordCalls.ALL or self._direction_is_wanted(call.direction):
            return True
        more_may_come = call.number is None or call.direction is Direction.OUTGOING
        return bool(self.always) and more_may_come and not number_is_final

    def _direction_is_wanted(self, direction: Direction) -> bool:
        if direction is Direction.UNKNOWN:
            return self.calls is not RecordCalls.NONE
        return self.calls.value == direction.value

    def _named(self, patterns: tuple[str, ...], number: str) -> bool:
        return any(self._matches(pattern, number) for pattern in patterns)

    def _matches(self, pattern: str, number: str) -> bool:
        plain, prefix = pattern.rstrip("*"), pattern.endswith("*")
        forms, wanted = self._forms(number), self._forms(plain)
        if prefix:
            return any(form.startswith(want) for form in forms for want in wanted)
        return bool(forms & wanted)

    def _forms(self, number: str) -> set[str]:
        bare = re.sub(r"[\s()./-]", "", number)
        if self.calling_code:
            for before in (f"+{self.calling_code}", f"00{self.calling_code}"):
                if bare.startswith(before):
                    return {bare[len(before) :]}
        return {bare}


RECORD_ALL = RecordingRules()
