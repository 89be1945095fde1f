"""Calls on every kind of line: each is listed as it was, heard as it was, and accounted for."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hil.bench import Bench, Played

from simulator.compare import Pairing
from simulator.journal import StreetCall
from simulator.scenario import CallPlan, FaultKind, FaultPlan, Kind, Side, Turn

HANG_UP_SEEN_MS = 1500
START_SEEN_MS = 1000
BACK_S = 30.0

_TALK = (Turn(side=Side.LOCAL, prompt="l01"), Turn(side=Side.REMOTE, prompt="r01"))
_CALLER = "02155507301"


pytestmark = [pytest.mark.needs_street, pytest.mark.quick]


@pytest.fixture(scope="module")
def four_at_once(bench: Bench) -> Played:
    """One call on each line, all at the same time: two answered, one missed, one dialled by the box.

    The test kernel has one processor for box and street together: there two at a time, one of each kind.
    """
    plans = (
        CallPlan(line="fxo-1", kind=Kind.ANSWERED, number=_CALLER, talk=_TALK, hang_up=Side.LOCAL),
        CallPlan(line="sim-1", kind=Kind.ANSWERED, number=_CALLER, answer_after_s=3.0, talk=_TALK, hang_up=Side.REMOTE),
        CallPlan(line="fxo-2", kind=Kind.MISSED, number="13800550123", rings=2),
        CallPlan(line="sim-2", kind=Kind.DIALLED, number="075555501234", answer_after_s=2.0, talk=_TALK),
    )
    if bench.name != "kernel":
        return bench.play(*plans)
    first, second = bench.play(*plans[:2]), bench.play(*plans[2:])
    return Played(merged(first.pairing, second.pairing), second.ledger)


def merged(first: Pairing, second: Pairing) -> Pairing:
    return Pairing(
        pairs=first.pairs + second.pairs,
        missing=first.missing + second.missing,
        extra=first.extra + second.extra,
    )


def both(played: Played, line: str) -> tuple[StreetCall, dict[str, Any]]:
    """The call on ``line`` as it was outside, and as the box lists it. There must be exactly one of each."""
    assert not [s for s in played.pairing.missing if s.line == line], "the box has no such call"
    assert not [b for b in played.pairing.extra if b["line"] == line], "the box lists a call that never was"
    (one,) = [pair for pair in played.pairing.pairs if pair.street.line == line]
    assert not one.street.trouble, one.street.trouble
    return one.street, one.box


@pytest.mark.needs_analog
@pytest.mark.needs_sim
@pytest.mark.needs_second_line
@pytest.mark.parametrize("line", ["fxo-1", "fxo-2", "sim-1", "sim-2"])
class TestFourAtOnce:
    """Each line's call is right although the others were busy too."""

    def test_the_call_is_listed_as_it_was(self, four_at_once: Played, line: str) -> None:
        street, box = both(four_at_once, line)
        assert (box["direction"], box["outcome"], box["number"]) == (street.direction, street.outcome, street.number)
        assert abs(box["started_utc_ms"] - street.start_utc_ms) <= START_SEEN_MS

    def test_its_end_was_seen_in_time(self, four_at_once: Played, line: str) -> None:
        street, box = both(four_at_once, line)
        assert abs(box["ended_utc_ms"] - street.end_utc_ms) <= HANG_UP_SEEN_MS

    def test_every_side_is_heard_where_it_belongs(self, bench: Bench, four_at_once: Played, line: str) -> None:
        street, box = both(four_at_once, line)
        if street.said:
            assert box["recordings"]
        assert bench.listen(four_at_once, line) == []

    def test_no_sound_is_missing(self, four_at_once: Played, line: str) -> None:
        _, box = both(four_at_once, line)
        assert [r["gaps"] for r in box["recordings"] if r["gaps"]] == []


def test_the_ledger_balances(four_at_once: Played) -> None:
    balance = four_at_once.ledger["balance"]
    assert four_at_once.ledger["balanced"]
    assert (balance["open"], balance["unexplained"], balance["fault"]) == (0, 0, 0)


@pytest.mark.needs_sim
@pytest.mark.needs_power_switch
def test_a_module_pulled_in_mid_call_ends_it_and_comes_back(bench: Bench) -> None:
    fault = FaultPlan(kind=FaultKind.PULL_MODULE, after_turns=1, back_after_s=2.0)
    played = bench.play(
        CallPlan(line="sim-1", kind=Kind.ANSWERED, number=_CALLER, answer_after_s=3.0, talk=_TALK, fault=fault)
    )
    street, box = both(played, "sim-1")
    assert abs(box["ended_utc_ms"] - street.end_utc_ms) <= HANG_UP_SEEN_MS
    assert box["recordings"][0]["status"] == "sealed"
    end = time.monotonic() + BACK_S
    while not bench.line("sim-1")["present"]:
        assert time.monotonic() < end, f"the module is not in sight {BACK_S:g} s after it was put back"
        time.sleep(0.2)
    assert played.ledger["balanced"]
    assert [e for e in played.ledger["entries"] if e["fault"] and e["line"] == "sim-1"], (
        "the time out of sight has no name"
    )
