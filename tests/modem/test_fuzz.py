"""The fuzzing corpus replayed, and whole dialogues made up: no exception, and a way out of every state."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from firmware.events import CallEnded
from firmware.model import LineId
from firmware.modem.at_events import ListedCall, parse_line
from firmware.modem.dialects import dialect, families
from firmware.modem.tracker import CallTracker, Phase
from simulator.manuals import MANUALS
from simulator.module_firmware import Firmware
from simulator.module_state import Quirks, State
from tests.fuzz.at import _at, _each_call_ends_once, one
from tests.modem.test_transcripts import ALL

CORPUS = sorted((Path(__file__).parent.parent / "fuzz" / "corpus" / "at").glob("*"))
WORDS = [urc.example for family in families() for urc in dialect(family).urcs]


@pytest.mark.parametrize("file", CORPUS, ids=lambda f: f.name)
def test_the_corpus_still_passes(file: Path) -> None:
    one(file.read_bytes())


@pytest.mark.parametrize("step", [1, 7, 30])
def test_the_quoted_dialogues_pass_in_any_chunks(step: int) -> None:
    for dialogue in ALL:
        one(bytes([step]) + dialogue.capture)


@given(st.integers(0, 255), st.lists(st.sampled_from([*WORDS, "OK", "ERROR", "AT+CLCC", "RDY"]), max_size=30))
@settings(max_examples=150, deadline=None)
def test_words_of_all_families_in_any_order(step: int, words: list[str]) -> None:
    one(bytes([step]) + "".join(f"\r\n{word}\r\n" for word in words).encode())


class Dialogues(RuleBasedStateMachine):
    """A module of some family and its network do what they like; the line follows, and always finds its way out."""

    def __init__(self) -> None:
        super().__init__()
        self.clock_s = 100.0
        self.module = Firmware(Quirks(), lambda: self.clock_s, MANUALS["sim7600"])
        self.tracker = CallTracker(LineId("sim-1"))
        self.told: list[object] = []
        self.foremost: list[object] = []
        self.swaps = 0
        self.plug("sim7600", True)

    @initialize(model=st.sampled_from(sorted(MANUALS)), pushes=st.booleans())
    def plug(self, model: str, pushes: bool) -> None:
        self.finish()
        self.module = Firmware(Quirks(pushes_calls=pushes), lambda: self.clock_s, MANUALS[model])
        self.module.boot()
        for family in families():
            if dialect(family).recognised_by:
                for row in dialect(family).init:
                    self.module.command(row.send)
        self.module.settings["E"] = "0"
        self.foremost, self.swaps = [], 0
        self.told = list(self.tracker.line_up([], _at(self.clock_s)))

    @rule(number=st.sampled_from(["+8613800138000", "10086", None]))
    def somebody_calls(self, number: str | None) -> None:
        if len(self.module.calls) < 2:
            self.hear(self.module.incoming(number, 0 if number else 1))

    @rule(
        what=st.sampled_from(
            ["caller_hangs_up", "remote_answers", "answer", "remote_rings", "remote_hangs_up", "hang_up"]
        )
    )
    def happens(self, what: str) -> None:
        if what == "answer" and (self.module.main is None or self.module.main.outgoing):
            return  # NO CARRIER is then the result of ATA, which the session takes, and no word about a call
        self.hear(getattr(self.module, what)())

    @rule(word=st.sampled_from(["BUSY", "NO ANSWER", "NO CARRIER"]))
    def is_refused(self, word: str) -> None:
        self.hear(self.module.remote_refuses(word))

    @rule(value=st.sampled_from(["0", "1", "2"]))
    def is_held(self, value: str) -> None:
        self.swaps += 2
        self.hear(self.module.hold(value))

    @rule()
    def box_dials(self) -> None:
        if self.module.command("ATD112;")[-1] == "OK":
            self.told += self.tracker.dialing("112", _at(self.clock_s))
        self.hear(self.module.take_later())

    @rule(seconds=st.floats(0.05, 5))
    def time_passes(self, seconds: float) -> None:
        self.clock_s += seconds
        self.told += self.tracker.on_time(_at(self.clock_s))

    @rule()
    def the_box_asks(self) -> None:
        rows = [event for event in map(parse_line, self.module.list_calls()) if isinstance(event, ListedCall)]
        self.told += self.tracker.on_list(rows, _at(self.clock_s))

    def hear(self, lines: list[str]) -> None:
        self.clock_s += 0.02
        main = self.module.main
        if main is not None and main.state is not State.WAITING and all(main is not seen for seen in self.foremost):
            self.foremost.append(main)
        for line in lines:
            self.told += self.tracker.on_event(parse_line(line), _at(self.clock_s))

    def finish(self) -> None:
        self.module.calls.clear()
        for _ in range(2):
            self.clock_s += 2.0
            self.told += self.tracker.on_time(_at(self.clock_s))
            self.told += self.tracker.on_list([], _at(self.clock_s))
        assert self.tracker.phase is Phase.IDLE
        _each_call_ends_once(self.told)
        ended = sum(isinstance(event, CallEnded) for event in self.told)
        assert ended <= len(self.foremost) + self.swaps, "one call of the module became several"

    def teardown(self) -> None:
        for _ in range(2):
            self.clock_s += 2.0
            self.told += self.tracker.on_time(_at(self.clock_s))
            self.the_box_asks()
        assert (self.tracker.phase is Phase.IDLE) == (self.module.state in {State.IDLE, State.OFF})
        self.finish()


Dialogues.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestDialogues = Dialogues.TestCase
