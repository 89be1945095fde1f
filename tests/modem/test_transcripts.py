"""Quoted dialogues of real modules, replayed through the parser and the tracker, and compared with what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware.model import Instant, LineId
from firmware.modem.at_capture import events, unescaped
from firmware.modem.at_events import ListedCall, parse_line
from firmware.modem.at_lines import LineCutter
from firmware.modem.tracker import CallTracker

FOLDER = Path(__file__).parent / "transcripts"


@dataclass
class Dialogue:
    brand: str
    title: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def capture(self) -> bytes:
        return "".join(f"{text}\n" for _, text in self.lines).encode()


def dialogues() -> Iterator[Dialogue]:
    for file in sorted(FOLDER.glob("*.txt")):
        dialogue: Dialogue | None = None
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                dialogue = Dialogue(file.stem, line.strip("[]"))
            elif dialogue is not None and line.startswith("= "):
                dialogue.kinds = line[2:].split()
            elif dialogue is not None and line.startswith("~ "):
                dialogue.told = [] if line == "~ -" else line[2:].split()
                yield dialogue
            elif dialogue is not None and " | " in line:
                source, _, text = line.partition(" | ")
                dialogue.lines.append((source, text))


ALL = list(dialogues())


def test_there_are_thirty_of_several_lines_of_each_main_family_and_each_line_says_where_it_is_from() -> None:
    for brand in ("simcom", "quectel", "huawei"):
        assert len([d for d in ALL if d.brand == brand and len(d.lines) > 1]) >= 30, brand
    assert all(source.strip() for d in ALL for source, _ in d.lines)


@pytest.mark.parametrize("dialogue", ALL, ids=lambda d: f"{d.brand}: {d.title}")
def test_a_dialogue_means(dialogue: Dialogue) -> None:
    assert [event["kind"] for event in events(dialogue.capture, dialogue.brand)] == dialogue.kinds


@pytest.mark.parametrize("dialogue", ALL, ids=lambda d: f"{d.brand}: {d.title}")
def test_the_line_tells(dialogue: Dialogue) -> None:
    tracker, now = CallTracker(LineId("sim-1")), Instant(10**12, 10**18)
    tracker.line_up([], now)
    cutter, told = LineCutter(), []
    for _, text in dialogue.lines:
        if not text.startswith("< "):
            continue
        for line in cutter.feed(unescaped(text[2:].encode())):
            now = now.plus_s(0.05)
            told += tracker.on_event(parse_line(line.text), now)
    told += tracker.on_time(now.plus_s(1))
    assert [type(event).__name__ for event in told] == dialogue.told


def test_a_quoted_list_reads_the_same_when_it_was_asked_for() -> None:
    """What +CLCC lines say does not depend on whether the module pushed them."""
    for dialogue in ALL:
        rows = [
            e for _, t in dialogue.lines for e in [parse_line(t[2:].replace("\\r\\n", ""))] if isinstance(e, ListedCall)
        ]
        asked = CallTracker(LineId("sim-1"))
        asked.line_up([], Instant(10**12, 10**18))
        asked.on_list(rows, Instant(2 * 10**12, 10**18))
