"""A number display that takes the line to be told who calls, and people who take it to talk; and what calls become."""

from __future__ import annotations

import pytest

from firmware.analog.line_timing import loop_timing
from firmware.analog.profile import Debounce
from firmware.effects import Hearing, ListenFor
from firmware.events import (
    CallEnded,
    CallerId,
    LineCondition,
    OffHook,
    OnHook,
    PrimaryAnswer,
    PrimaryAnswerOver,
    Ring,
    RingPaused,
)
from firmware.line_state import Phase
from firmware.model import LineId, Outcome
from firmware.signals.countries import profile_of
from firmware.signals.loop_watch import LoopWatch, Sensor
from tests.core.story import Story
from tests.signals.timeline import ms, play, pulses

LINE = LineId("fxo-1")
_SILENT = (RingPaused,)


def watched(*edges, country="JP", until_ms=30_000):
    """(what, ms) of all that a line tells; ``edges``: (sensor, start ms, length ms)."""
    all_edges = []
    for sensor, start, length in edges:
        if sensor == "ring":
            all_edges += [(Sensor.RING, level, at) for level, at in pulses(start, length, 16)]
        else:
            all_edges += [(Sensor.OFF_HOOK, True, start), (Sensor.OFF_HOOK, False, start + length)]
    watch = LoopWatch(LINE, loop_timing(Debounce(), profile_of(country)))
    told = play(watch, sorted(all_edges, key=lambda edge: edge[2]), until_ms=until_ms)
    return [(type(event), ms(event.at)) for event in told if not isinstance(event, _SILENT)]


SHORT = [("ring", 1000, 500), ("ring", 2000, 500)]


def test_a_number_display_and_then_a_person():
    told = watched(
        *SHORT,
        ("ring", 3000, 200),
        ("hook", 3200, 1600),
        ("ring", 5300, 1000),
        ("ring", 8300, 1000),
        ("hook", 10_000, 5000),
    )
    assert told == [
        *((Ring, 1000), (Ring, 2000), (Ring, 3000)),
        *((PrimaryAnswer, 3200), (PrimaryAnswerOver, 4800)),
        *((Ring, 5300), (Ring, 8300), (OffHook, 10_000), (OnHook, 15_000)),
    ]


def test_a_number_display_and_nobody_at_home_and_the_caller_gives_up_at_once():
    told = watched(*SHORT, ("hook", 2700, 1500))
    assert told == [(Ring, 1000), (Ring, 2000), (PrimaryAnswer, 2700), (PrimaryAnswerOver, 4200)]


@pytest.mark.parametrize(
    "edges",
    [
        [("ring", 1000, 400), ("hook", 1400, 5000)],  # in the first burst, which is cut
        [("ring", 1000, 1000), ("hook", 2600, 5000)],  # between two rings
        [("ring", 1000, 1000), ("ring", 4000, 300), ("hook", 4300, 5000)],  # in the second one
        [*SHORT, ("ring", 4000, 1000), ("hook", 5600, 5000)],  # a line whose display does not answer
    ],
)
def test_a_person_who_answers_is_never_taken_for_a_number_display(edges):
    told = [kind for kind, _ in watched(*edges)]
    assert OffHook in told
    assert OnHook in told
    assert PrimaryAnswer not in told


def test_who_keeps_the_line_for_longer_than_the_exchange_waits_talks():
    told = watched(*SHORT, ("hook", 2700, 20_000))
    assert told[2:] == [(PrimaryAnswer, 2700), (OffHook, 2700), (OnHook, 22_700)]


def test_short_rings_mean_nothing_elsewhere():
    told = watched(*SHORT, ("hook", 2700, 1500), country="DE")
    assert told[2:] == [(OffHook, 2700), (OnHook, 4200)]


def test_nothing_ends_a_call_while_a_number_display_is_on_the_line():
    """The exchange turns the line round in the middle of it, twice."""
    watch = LoopWatch(LINE, loop_timing(Debounce(), profile_of("JP")))
    edges = [(Sensor.RING, level, at) for start in (1000, 2000) for level, at in pulses(start, 500, 16)]
    edges += [(Sensor.OFF_HOOK, True, 2700), (Sensor.POLARITY, True, 3100), (Sensor.POLARITY, False, 3500)]
    edges += [(Sensor.OFF_HOOK, False, 4200)]
    told = [type(event) for event in play(watch, edges, until_ms=9000)]
    assert CallEnded not in told
    assert told[-1] is PrimaryAnswerOver


def _displayed(line: Story) -> None:
    line.up()
    line.say(10.0, Ring)
    line.say(10.5, RingPaused)
    line.say(11.0, Ring)
    line.say(11.2, PrimaryAnswer)
    line.say(12.4, CallerId, number="0312345678")
    line.say(12.8, PrimaryAnswerOver)


def test_the_call_goes_on_ringing_and_is_answered_by_the_person():
    line = Story()
    _displayed(line)
    assert line.phase is Phase.RINGING
    line.say(14.0, Ring)
    line.say(15.0, RingPaused)
    line.say(16.0, OffHook)
    line.say(40.0, OnHook)
    assert (line.call.outcome, line.call.number) == (Outcome.ANSWERED, "0312345678")
    assert line.second(line.call.answered) == 16.0
    assert line.sound == [(1, 16.0, 40.0)]
    assert all(what == "call" for _, what in line.ledger)


@pytest.mark.parametrize("rings_on", [True, False])
def test_the_call_is_missed_when_nobody_else_answers(rings_on):
    line = Story()
    _displayed(line)
    if rings_on:
        line.say(14.0, Ring)
        line.say(15.0, RingPaused)
    line.wait(60.0)
    assert (line.call.outcome, line.call.answered) == (Outcome.MISSED, None)
    assert line.second(line.call.ended) == (15.0 if rings_on else 12.8)
    assert line.sound == []
    assert all(what == "call" for _, what in line.ledger)


def test_the_message_is_listened_for_from_the_primary_answer_on():
    """The short rings may have lasted for 6 s: what was ordered at the first of them is over by then."""
    line = Story()
    line.up()
    line.say(10.0, Ring)
    orders = [order for order in line.say(15.9, PrimaryAnswer) if isinstance(order, ListenFor)]
    assert [(order.what, line.second(order.at)) for order in orders] == [(Hearing.CALLER_ID, 15.9)]


def test_a_line_is_said_to_ring_meanwhile():
    watch = LoopWatch(LINE, loop_timing(Debounce(), profile_of("JP")))
    edges = [(Sensor.RING, level, at) for start in (1000, 2000) for level, at in pulses(start, 500, 16)]
    play(watch, [*edges, (Sensor.OFF_HOOK, True, 2700)], until_ms=3500)
    assert watch.condition is LineCondition.RINGING
