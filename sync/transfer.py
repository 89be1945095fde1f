"""One file on its way: what the cloud has of it, what is in flight, and what to send next."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from sync.link import Mark
from sync.moves import QueuedFile
from sync.ranges import Range, Ranges

REASK_AFTER = 3
"""So many silent resends, and the cloud is asked anew what it has."""
GIVE_UP_AFTER = 6
"""So many, and the connection is not worth anything."""
POSTPONE_S = 600.0
"""What makes no progress while others do rests for so long."""


class Step(Enum):
    ASK = auto()
    """Init is to be sent."""
    ASKED = auto()
    SEND = auto()
    FINISHED = auto()
    """Fin is sent."""


@dataclass(slots=True)
class InFlight:
    length: int
    at_s: float
    mark: Mark


@dataclass(slots=True)
class Transfer:
    file: QueuedFile
    order: int
    step: Step = Step.ASK
    have: Ranges = field(default_factory=Ranges)
    flying: dict[int, InFlight] = field(default_factory=dict)
    """Chunks by offset."""
    at_s: float = 0.0
    """When init or fin was sent."""
    silent: int = 0
    """Time-outs since the cloud last showed that it had got something."""

    @property
    def flying_bytes(self) -> int:
        return sum(chunk.length for chunk in self.flying.values())

    def missing(self) -> Range | None:
        """The first bytes that the cloud lacks and that are not on their way."""
        flying = ((offset, offset + chunk.length) for offset, chunk in self.flying.items())
        return next((self.have | flying).holes(self.file.size), None)

    def heard(self, have: Ranges) -> list[InFlight]:
        """Takes what the cloud says it has; the chunks that have arrived by it."""
        arrived = [offset for offset, chunk in self.flying.items() if have.covers(offset, offset + chunk.length)]
        if arrived or have.bytes > self.have.bytes or self.step is Step.ASKED:
            self.silent = 0
        self.have = have
        if self.step is Step.ASKED:
            self.step = Step.SEND
        return [self.flying.pop(offset) for offset in arrived]

    def lost(self, now_s: float, patience_s: float, fin_s: float = 0.0) -> bool:
        """Forgets what was not answered for ``patience_s``, so that it is sent again. True when there was something.

        A fin is given ``fin_s`` at least.
        """
        late = [offset for offset, chunk in self.flying.items() if now_s - chunk.at_s >= patience_s]
        for offset in late:
            del self.flying[offset]
        waiting = self.step is Step.ASKED or (self.step is Step.FINISHED and not self.flying)
        if waiting and now_s - self.at_s >= self._answer_s(patience_s, fin_s) and not late:
            self.step = Step.ASK if self.step is Step.ASKED else Step.SEND
        elif late:
            self.step = Step.SEND
        else:
            return False
        self.silent += 1
        if self.silent == REASK_AFTER:
            self.again()
        return True

    def again(self) -> None:
        """Asks the cloud anew what it has."""
        self.flying.clear()
        self.step = Step.ASK

    def next_late_s(self, patience_s: float, fin_s: float = 0.0) -> float | None:
        """When `lost` will have something to say."""
        late = [chunk.at_s + patience_s for chunk in self.flying.values()]
        if self.step is Step.ASKED or (self.step is Step.FINISHED and not self.flying):
            late.append(self.at_s + self._answer_s(patience_s, fin_s))
        return min(late, default=None)

    def _answer_s(self, patience_s: float, fin_s: float) -> float:
        return max(patience_s, fin_s) if self.step is Step.FINISHED else patience_s
