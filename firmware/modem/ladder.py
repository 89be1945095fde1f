"""The way back from a module that does not answer: one step after the other, then again, never for good (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from firmware.modem.dialects import Recovery

FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 1800.0
"""Between two times through all steps: doubled each time, but a module is never given up."""
BROWN_OUT_WINDOW_S: Final = 600.0
BOOT_LOOP_FROM: Final = 3
"""So many restarts by itself within 10 minutes are a boot loop; one is a brown-out."""
CALM_S: Final = 3600.0


class Ladder:
    """Ask `next_step` after each failed attempt; times are seconds on any steady clock."""

    def __init__(self) -> None:
        self._steps: tuple[Recovery, ...] = ()
        self._next = 0
        self._wait_until_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self.tried: list[str] = []
        """The steps since the module was heard last, in order."""

    def use(self, steps: Sequence[Recovery]) -> None:
        self._steps = tuple(steps)

    def next_step(self, now_s: float) -> Recovery | None:
        """What to do now; None: wait, the last step may still work."""
        if not self._steps or now_s < self._wait_until_s:
            return None
        if self._next >= len(self._steps):
            self._next = 0
            self._wait_until_s = now_s + self._pause_s
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            return None
        step = self._steps[self._next]
        self._next += 1
        self._wait_until_s = now_s + step.wait_s
        if step.step != "tell":
            self.tried.append(step.step)
        return step

    def skip(self) -> None:
        """The last step could not be done here: the next one need not wait for it."""
        self._wait_until_s = 0.0
        if self.tried:
            self.tried.pop()

    def worked(self) -> tuple[str, ...]:
        """The module answers: the steps that were needed, and a new beginning."""
        tried, self.tried = tuple(self.tried), []
        self._next, self._wait_until_s, self._pause_s = 0, 0.0, FIRST_PAUSE_S
        return tried


class Restarts:
    """Counts restarts that nobody ordered: a supply that is too weak shows as these (victronenergy/venus issue 326)."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque()

    def happened(self, now_s: float) -> int:
        """How many within the last 10 minutes, this one included."""
        self._at_s.append(now_s)
        while self._at_s and now_s - self._at_s[0] > BROWN_OUT_WINDOW_S:
            self._at_s.popleft()
        return len(self._at_s)

    def calm(self, now_s: float) -> bool:
        """No restart for an hour."""
        return not self._at_s or now_s - self._at_s[-1] > CALM_S
