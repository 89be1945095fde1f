"""docs/call-machine.md is what the table says."""

from __future__ import annotations

from pathlib import Path

from firmware.call_machine import TABLE
from firmware.events import LINE_EVENTS, event_kind
from firmware.state_diagram import COMMAND, page

PAGE = Path(__file__).parents[2] / "docs" / "call-machine.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"the table changed: run {COMMAND}"


def test_the_page_says_how_to_make_it_and_names_every_event_and_rule() -> None:
    text = page()
    assert COMMAND in text
    assert all(f"`{event_kind(event)}`" in text for event in LINE_EVENTS)
    assert all(rule.handler.__name__.replace("_", " ") in text for rule in TABLE.values())
    assert text.count("```mermaid") == 1
