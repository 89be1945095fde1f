"""Calls in every country, as pin levels and sound from the street's own table, compared with the street's own log.

They enter as edges of a GPIO chip and as the sound of an ALSA device, go through the hat's driver, the decoders, the
core loop and the store of the box (`tests.analog.virtual_house`), and are read from its database.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.signals.countries import Disconnect, profiles
from firmware.store.transaction import Row
from simulator.line_script import LineScript, ScriptedCall
from simulator.networks import NETWORKS
from tests.analog.virtual_house import Rows, VirtualHouse
from tests.analog.virtual_time import START

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
        if how == "dial":  # means something only once the box knows that somebody answered
            script.rings_back(code).talks(6)
        script.talks(5).far_end_leaves(how).rest(3).hangs_up().rest(8)
    return script


def _lived(script: LineScript, house: VirtualHouse, monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(house.alsa_config))
    house.begin()
    try:
        house.play(script.edges, script.pcm(), script.now_s + 10)
    finally:
        rows = house.end()
    assert rows.alarms == []
    assert rows.faults == []
    assert (rows.balance["unexplained"], rows.balance["open"]) == (0, 0)
    return rows


def test_a_line_in_japan_without_a_number_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers the short rings: the exchange rings all the same, and it is one call without a number."""
    script = LineScript(NETWORKS["JP"], seed=3)
    script.rest(2).rings(2, None).rest(0.4).lifts().rest(0.3).talks(4).hangs_up().rest(8).rings(2, None).rest(12)
    rows = _lived(script, VirtualHouse(tmp_path, "JP"), monkeypatch)
    told = [(call["direction"], call["number"], call["outcome"]) for call in rows.calls]
    assert told == [("incoming", None, "answered"), ("incoming", None, "missed")]
    assert _seconds(rows.calls[1]["ended_utc_ms"]) == pytest.approx(script.log[1].ended_s, abs=0.2)


def test_the_street_knows_every_country_of_the_box() -> None:
    assert set(NETWORKS) == set(profiles())


WAYS = {
    Disconnect.BUSY_TONE: "busy",
    Disconnect.CONGESTION_TONE: "congestion",
    Disconnect.DIAL_TONE: "dial",
    Disconnect.LOOP_OPEN: "open_loop",
    Disconnect.REVERSAL: "reversal",
}


@pytest.mark.parametrize("code", sorted(NETWORKS))
def test_the_street_ends_calls_in_every_way_that_the_profile_names(code: str) -> None:
    assert {WAYS[way] for way in profiles()[code].disconnect} <= set(NETWORKS[code].ends)


@pytest.mark.parametrize("code", sorted(NETWORKS))
def test_every_call_of_the_street_is_in_the_list_and_no_other(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = day(code)
    rows = _lived(script, VirtualHouse(tmp_path, code), monkeypatch)
    told = [(call["direction"], call["number"], call["outcome"]) for call in rows.calls]
    assert len(rows.calls) == len(script.log), told
    for call, real in zip(rows.calls, script.log, strict=True):
        _same(call, real, code)


def _same(call: Row, real: ScriptedCall, code: str) -> None:
    assert call["status"] == "ended"
    assert call["direction"] == real.direction
    assert call["number"] == real.number, real
    assert _seconds(call["started_utc_ms"]) == pytest.approx(real.began_s, abs=0.1)
    if real.direction == "incoming":
        assert call["outcome"] == ("answered" if real.answered else "missed")
        assert (call["answered_utc_ms"] is not None) == real.answered, "to be told who calls is not to answer"
    # An end that only a flash could be (the country's flashes are as long) is told by the handset.
    ended_s = _seconds(call["ended_utc_ms"])
    assert ended_s == pytest.approx(real.ended_s, abs=1.2) or _told_by_the_handset(real, code)


def _seconds(utc_ms: int) -> float:
    return (utc_ms - START.utc_ms) / 1000


def _told_by_the_handset(real: ScriptedCall, code: str) -> bool:
    """The box cannot know it sooner: the country's hook flashes are as long as the open loop."""
    return real.how == "open_loop" and profiles()[code].flash_ms[1] > 250
