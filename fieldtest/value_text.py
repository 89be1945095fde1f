"""A measured value as people read it."""

from __future__ import annotations

from fieldtest import words
from fieldtest.catalogue import step
from fieldtest.results import Result
from fieldtest.run import GroupRun


def value_text(group: GroupRun, result: Result, language: str) -> str:
    """``-21.5 dBm0``, ``yes``, or nothing."""
    about = step(group.group, result.step)
    if result.value is None:
        return ""
    if about.limits is None:
        return (words.YES if result.value else words.NO).in_(language)
    return f"{result.value:.4g} {about.unit}".rstrip()
