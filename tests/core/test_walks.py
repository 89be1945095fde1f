"""Whatever happens on a line, in whatever order: no call and no evidence is lost, each recording is closed."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firmware.call_machine import ALWAYS_TO_TABLE, TABLE
from firmware.events import Answered, CallEnded, LineCondition, LineDown, LineEvent, LineUp, OnHook, Ring
from firmware.line_state import Phase
from firmware.model import LineKind
from tests.core.walk import KINDS, WALKS, WALKS_WITH_RESTARTS, Happening
from tests.core.witness import Witness

_MANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _seen(walk: Sequence[Happening]) -> list[Happening]:
    """The walk of a line whose device is there."""
    up = Happening(LineUp, {"condition": LineCondition.IDLE}, gap_ms=0, late_ms=0, jump_s=0)
    return [up, *walk]


@_MANY
@given(kind=KINDS, walk=WALKS)
def test_any_walk(kind: LineKind, walk: list[Happening]) -> None:
    Witness(kind).live(_seen(walk))


@_MANY
@given(kind=KINDS, walk=WALKS)
def test_any_walk_before_the_device_is_seen(kind: LineKind, walk: list[Happening]) -> None:
    Witness(kind).live(walk)


@_MANY
@given(kind=KINDS, walk=WALKS_WITH_RESTARTS)
def test_any_walk_with_the_recorder_killed_and_the_machine_restarted(kind: LineKind, walk: list[Happening]) -> None:
    Witness(kind).live(_seen(walk))


@_MANY
@given(kind=KINDS, walk=WALKS)
def test_a_replay_gives_the_same_ids_and_effects(kind: LineKind, walk: list[Happening]) -> None:
    first, second = Witness(kind), Witness(kind)
    first.live(_seen(walk))
    second.live(_seen(walk))
    assert first.trace == second.trace
    assert first.calls == second.calls


@_MANY
@given(kind=KINDS, walk=WALKS, cut=st.integers(0, 60), condition=st.sampled_from(LineCondition))
def test_losing_the_device_anywhere_loses_no_call(
    kind: LineKind, walk: list[Happening], cut: int, condition: LineCondition
) -> None:
    """The rest of the walk happens whether the device is there or not."""
    lost = Happening(LineDown, {"reason": "pulled"}, gap_ms=10, late_ms=0, jump_s=0)
    back = Happening(LineUp, {"condition": condition}, gap_ms=2_000, late_ms=0, jump_s=0)
    Witness(kind).live([*_seen(walk[:cut]), lost, back, *walk[cut:]])


def test_walks_reach_every_rule_and_every_phase_it_may_lead_to() -> None:
    """The walks are worth something only if they go everywhere; and the table declares nothing that never happens."""
    reached: set[tuple[Phase, type[LineEvent], Phase]] = set()

    class Mapper(Witness):
        def take(self, event: LineEvent) -> None:
            before = self.state
            super().take(event)
            if before.present or isinstance(event, ALWAYS_TO_TABLE):
                reached.add((before.phase, type(event), self.state.phase))

    # The dice seldom leave a ringing line alone for as long as a caller takes to give up.
    gave_up = [
        Happening(LineUp, {"condition": LineCondition.IDLE}, gap_ms=10, late_ms=0, jump_s=0),
        Happening(Ring, {}, gap_ms=10, late_ms=0, jump_s=0),
        Happening(OnHook, {}, gap_ms=40_000, late_ms=0, jump_s=0),
    ]

    # What the dice throw depends on which modules hypothesis finds loaded: a rare event gets a walk of its own.
    answered_twice = [
        Happening(LineUp, {"condition": LineCondition.IDLE}, gap_ms=10, late_ms=0, jump_s=0),
        Happening(Answered, {}, gap_ms=10_000, late_ms=0, jump_s=0),
        Happening(CallEnded, {}, gap_ms=10_000, late_ms=0, jump_s=0),
        Happening(Answered, {}, gap_ms=10, late_ms=500, jump_s=0),
    ]

    @settings(max_examples=1000, deadline=None, database=None, derandomize=True)
    @example(kind=LineKind.ANALOG, walk=gave_up)
    @example(kind=LineKind.ANALOG, walk=answered_twice)
    @example(kind=LineKind.SIM, walk=answered_twice)
    @given(kind=KINDS, walk=WALKS)
    def wander(kind: LineKind, walk: list[Happening]) -> None:
        Mapper(kind).live(_seen(walk))

    wander()
    # A suspended line has no device: only what says that it came back, or did not, gets to the table.
    reachable = {
        (phase, event, to)
        for (phase, event), rule in TABLE.items()
        for to in rule.to
        if phase is not Phase.SUSPENDED or event in ALWAYS_TO_TABLE
    }
    assert reachable <= reached, sorted((str(p), e.__name__, str(t)) for p, e, t in reachable - reached)
