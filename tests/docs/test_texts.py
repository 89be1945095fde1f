"""Everything the box says to its admin has its words, in English and in Chinese, with the same blanks to fill."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from firmware.effects import Fault
from firmware.store.alarm_texts import ALARMS
from firmware.store.fault_texts import FAULTS
from tests.docs.tree import PRODUCT, ROOT, modules

_RAISERS = {"RaiseAlarm", "ResolveAlarm", "raise_alarm", "resolve_alarm"}
_CHINESE = re.compile(r"[一-鿿]")


def _uses() -> list[tuple[str, str, set[str] | None]]:
    """Where an alarm is raised or resolved: place, key, and the params it gives where they can be read."""
    return [
        (f"{path.relative_to(ROOT)}:{call.lineno}", key, _params(call))
        for path, module in modules(*PRODUCT)
        for call in ast.walk(module)
        if isinstance(call, ast.Call) and _called(call) in _RAISERS
        for key in _keys(path, call)
    ]


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _keys(path: Path, call: ast.Call) -> list[str]:
    """The key, or both of ``a if ... else b``; a variable is looked into where it is set."""
    value = next((keyword.value for keyword in call.keywords if keyword.arg == "key"), None)
    return [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)] if value is not None else []


def _params(call: ast.Call) -> set[str] | None:
    if _called(call) not in {"RaiseAlarm", "raise_alarm"}:
        return None
    value = next((keyword.value for keyword in call.keywords if keyword.arg == "params"), None)
    if value is None:
        return set()
    if isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
        return {key.value for key in value.keys if isinstance(key, ast.Constant)}
    return None


def _blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_alarm_that_is_raised_has_its_text() -> None:
    uses = _uses()
    assert len(uses) >= 5
    assert [(place, key) for place, key, _ in uses if key not in ALARMS] == []


def test_every_blank_of_a_text_is_filled() -> None:
    missing = []
    for place, key, given in _uses():
        if given is not None and key in ALARMS:
            text = ALARMS[key]
            wanted = _blanks(text.en + text.zh + text.todo_en + text.todo_zh) - {"subject", "key"}
            missing += [(place, key, sorted(wanted - given))] if wanted - given else []
    assert missing == []


@pytest.mark.parametrize("key", sorted(ALARMS))
def test_an_alarm_says_what_and_what_to_do_in_both_languages(key: str) -> None:
    text = ALARMS[key]
    assert text.en
    assert text.todo_en
    assert _CHINESE.search(text.zh)
    assert _CHINESE.search(text.todo_zh)
    assert _blanks(text.en) == _blanks(text.zh)
    assert _blanks(text.todo_en) == _blanks(text.todo_zh)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_has_its_text_in_both_languages(fault: Fault) -> None:
    assert FAULTS[fault]["en"]
    assert _CHINESE.search(FAULTS[fault]["zh"])
