"""The table names every pair of phase and event, and no rule leads where the table does not say."""

from __future__ import annotations

from firmware import events
from firmware.call_machine import ALWAYS_TO_TABLE, TABLE, WITHOUT_DEVICE, missing_rules
from firmware.events import LINE_EVENTS, LineAlarm, LineEvent, LineVoltage
from firmware.line_state import Phase


def test_the_table_is_total() -> None:
    assert missing_rules() == []
    assert len(TABLE) == len(Phase) * len(LINE_EVENTS)


def test_every_line_event_is_a_column() -> None:
    declared = {v for v in vars(events).values() if isinstance(v, type) and issubclass(v, LineEvent)}
    assert declared - {LineEvent, LineAlarm, LineVoltage} == set(LINE_EVENTS)


def test_every_rule_leads_somewhere() -> None:
    assert all(rule.to for rule in TABLE.values())


def test_without_a_device_no_event_has_two_rules() -> None:
    assert not set(ALWAYS_TO_TABLE) & set(WITHOUT_DEVICE)
