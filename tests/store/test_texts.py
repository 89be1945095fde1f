"""Everything the box may say has its words in both languages, and every alarm raised anywhere has a text."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from firmware.effects import Fault
from firmware.store.alarm_texts import ALARMS, AlarmText, sentence
from firmware.store.fault_texts import FAULTS, fault_text

ROOT = Path(__file__).parents[2]


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("key", ALARMS)
def test_both_languages_say_the_same(key: str) -> None:
    text: AlarmText = ALARMS[key]
    assert _fields(text.en) == _fields(text.zh)
    assert _fields(text.todo_en) == _fields(text.todo_zh)
    for chinese in (text.zh, text.todo_zh):
        assert re.search("[\u4e00-\u9fff]", chinese), chinese


def test_every_fault_has_a_text() -> None:
    assert set(FAULTS) == set(Fault)
    assert all(text["en"] and text["zh"] for text in FAULTS.values())
    assert fault_text("from_the_future") == {"en": "from_the_future", "zh": "from_the_future"}


def test_a_param_that_is_missing_does_not_hide_the_alarm() -> None:
    assert sentence(ALARMS["line_down"].en, key="line_down", subject="sim-1", params={}) == (
        "Line sim-1 is out of sight: ?"
    )


def test_every_key_that_the_code_raises_is_in_the_registry() -> None:
    raised = {
        (path.name, key)
        for folder in ("firmware", "sync", "webui", "cli")
        for path in (ROOT / folder).rglob("*.py")
        for key in re.findall(
            r"(?:RaiseAlarm|raise_alarm|ResolveAlarm|resolve_alarm)\([^)]*?key=\"(\w+)\"", path.read_text()
        )
    }
    assert raised
    assert {(name, key) for name, key in raised if key not in ALARMS} == set()
