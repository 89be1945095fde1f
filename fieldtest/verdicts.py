"""What a measured value is worth: limits with a marginal band, decided before anything is measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    PASSED = "passed"
    MARGINAL = "marginal"
    """It works today; it would not after a small change for the worse."""
    FAILED = "failed"
    NOT_TESTED = "not_tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Good from ``low`` to ``high``; marginal outside of that by up to ``margin``; failed beyond. None: no such end."""

    low: float | None = None
    high: float | None = None
    margin: float = 0.0

    def judge(self, value: float) -> Verdict:
        """The verdict on ``value``, in the unit of the limits."""
        below = self.low - value if self.low is not None else 0.0
        above = value - self.high if self.high is not None else 0.0
        off = max(below, above, 0.0)
        if off == 0.0:
            return Verdict.PASSED
        return Verdict.MARGINAL if off <= self.margin else Verdict.FAILED

    def text(self) -> str:
        """``-40 – -8``, ``≤ 2``, ``≥ 1``; empty without ends."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} – {self.high:g}"
        if self.high is not None:
            return f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if self.low is not None else ""


def worst(verdicts: list[Verdict]) -> Verdict:
    """The gravest of them; `NOT_TESTED` when nothing at all was tested."""
    for verdict in (Verdict.FAILED, Verdict.MARGINAL, Verdict.PASSED):
        if verdict in verdicts:
            return verdict
    return Verdict.NOT_TESTED
