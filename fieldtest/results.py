"""One measured step, and how it is made from a value. Pure."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from fieldtest.catalogue import STEPS, Group, Step, step
from fieldtest.verdicts import Verdict


@frozen(kw_only=True)
class Words:
    """A text in both languages of the box."""

    en: str
    zh: str

    def in_(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@frozen(kw_only=True)
class Result:
    """What came of one step."""

    step: str
    verdict: Verdict
    value: float | None = None
    note: Words | None = None
    """What was seen, or why it was not tested."""
    drift: float | None = None
    """Value minus that of the last finished run, in the step's unit."""


class Results:
    """Collects the results of one group in the catalogue's order; what nobody measured is not tested."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._found: dict[str, Result] = {}

    def measured(self, name: str, value: float, *, note: Words | None = None) -> Verdict:
        """A value against the step's limits."""
        limits = self._step(name).limits
        assert limits is not None, name
        verdict = limits.judge(value)
        self._found[name] = Result(step=name, verdict=verdict, value=round(value, 3), note=note)
        return verdict

    def fact(self, name: str, right: bool, *, note: Words | None = None) -> None:
        """Something that is so or is not."""
        verdict = Verdict.PASSED if right else Verdict.FAILED
        self._found[name] = Result(step=name, verdict=verdict, value=float(right), note=note)

    def not_tested(self, name: str, en: str, zh: str) -> None:
        """Said once; a step that was measured stays measured."""
        self._step(name)
        self._found.setdefault(name, Result(step=name, verdict=Verdict.NOT_TESTED, note=Words(en=en, zh=zh)))

    def rest_not_tested(self, en: str, zh: str) -> None:
        for one in STEPS[self._group]:
            self.not_tested(one.id, en, zh)

    def get(self, name: str) -> Result | None:
        return self._found.get(name)

    def all(self) -> tuple[Result, ...]:
        """In the catalogue's order."""
        return tuple(self._found[one.id] for one in STEPS[self._group] if one.id in self._found)

    def _step(self, name: str) -> Step:
        return step(self._group, name)


def as_json(result: Result, group: Group) -> dict[str, Any]:
    """RESULT of docs/interfaces.md."""
    about = step(group, result.step)
    limits = about.limits
    return {
        "step": result.step,
        "name": {"en": about.en, "zh": about.zh},
        "value": result.value,
        "unit": about.unit,
        "low": limits.low if limits else None,
        "high": limits.high if limits else None,
        "margin": limits.margin if limits else None,
        "verdict": result.verdict.value,
        "note": {"en": result.note.en, "zh": result.note.zh} if result.note else None,
        "drift": result.drift,
    }
