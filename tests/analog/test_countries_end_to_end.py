"""Calls in every country, as pin levels and sound from the street's own table, compared with the street's own log."""

from __future__ import annotations

import pytest

from firmware.model import CallStatus, Direction, Outcome
from firmware.signals.countries import profiles
from simulator.line_script import LineScript, ScriptedCall
from simulator.networks import NETWORKS
from tests.analog.virtual_box import VirtualBox

NUMBER = "02155550001"
DIALLED = "18005550199"


def day(code: str) -> LineScript:
    """Answered, missed, outgoing, and for each way a far end's leaving shows, one more."""
    network = NETWORKS[code]
    heralded = network.before and network.caller_id.startswith("dtmf")
    script = LineScript(network, seed=sum(map(ord, code)))
    script.rest(2).rings(2, NUMBER, heralded=heralded).rest(0.4).lifts().rest(0.3).talks(4).hangs_up().rest(8)
    script.rings(2, NUMBER, heralded=heralded).rest(12)
    script.lifts().rest(0.2).dials(DIALLED).talks(4).hangs_up().rest(8)
    for how in network.ends:
        script.lifts().rest(0.2).dials(DIALLED).rest(0.5)
        if how == "reversal":
            script.reversal(True)
        script.talks(5).far_end_leaves(how).rest(3).hangs_up().rest(8)
    return script


def test_the_street_knows_every_country_of_the_box() -> None:
    assert set(NETWORKS) == set(profiles())


@pytest.mark.parametrize("code", sorted(NETWORKS))
def test_every_call_of_the_street_is_in_the_list_and_no_other(code: str) -> None:
    script, box = day(code), VirtualBox(code)
    box.play(script.edges, script.pcm(), script.now_s + 10)
    assert box.anomalies == []
    assert [entry for entry in box.entries if entry.call is None] == []
    calls = list(box.calls.values())
    assert len(calls) == len(script.log), [(c.direction, c.number, c.outcome) for c in calls]
    for call, real in zip(calls, script.log, strict=True):
        _same(box, call, real, code)


def _same(box: VirtualBox, call: object, real: ScriptedCall, code: str) -> None:
    assert call.status is CallStatus.ENDED
    assert call.direction is Direction(real.direction)
    assert call.number == real.number, real
    assert box.seconds(call.started) == pytest.approx(real.began_s, abs=0.1)
    if real.direction == "incoming":
        assert call.outcome is (Outcome.ANSWERED if real.answered else Outcome.MISSED)
    # An end that only a flash could be (the country's flashes are as long) is told by the handset.
    assert box.seconds(call.ended) == pytest.approx(real.ended_s, abs=1.2) or _told_by_the_handset(real, code)


def _told_by_the_handset(real: ScriptedCall, code: str) -> bool:
    """The box cannot know it sooner: the country's hook flashes are as long as the open loop."""
    return real.how == "open_loop" and profiles()[code].flash_ms[1] > 250
