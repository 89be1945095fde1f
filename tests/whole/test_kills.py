"""SIGKILL of the recorder in mid-call: what was safe stays, the call goes on, the hole has a name."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.whole.house import House, talk, until

pytestmark = [pytest.mark.slow, pytest.mark.sound, pytest.mark.timeout(180)]


@pytest.mark.parametrize("line", ["fxo-1", "sim-1"])
def test_the_call_goes_on_as_part_two_of_the_same_row(build: Callable[..., House], line: str) -> None:
    house = build(**({"analog": ["fxo-1"]} if line == "fxo-1" else {"sim": ["sim-1"]}))
    house.begin()
    # Both sides speak twice: the kill falls into the first turn, the restart before the last.
    turns = [
        {"side": s, "prompt": p} for s, p in (("local", "l01"), ("remote", "r01"), ("local", "l02"), ("remote", "r02"))
    ]
    house.play(talk(line, talk=turns))
    until(lambda: bool(house.line(line).get("recording")), 20.0)
    until(lambda: house.line(line)["call"]["status"] == "talking", 10.0)
    killed_utc_ms = house.kill()
    house.recorder.revive()
    until(lambda: not house.playing(), 60.0, every_s=0.5)

    (call,) = house.sealed_calls()
    assert call["outcome"] == "answered"
    assert "interrupted" in call["flags"]
    first, second = call["recordings"]
    assert first["cut_short"]
    assert "cut short" in call["note"]["en"]
    lost_ms = killed_utc_ms - first["started_utc_ms"] - first["duration_ms"]
    assert lost_ms <= 1000
    assert second["started_utc_ms"] > killed_utc_ms  # how soon is a figure of bench/kills.py
    assert [gap["cause"] for gap in second["gaps"]] == ["recorder_down"]

    ledger = house.ledger()
    assert ledger["balanced"]
    assert ledger["balance"]["open"] == 0
    (hole,) = [e for e in ledger["entries"] if e["fault"] == "recorder_was_down"]
    assert hole["at_utc_ms"] <= killed_utc_ms <= hole["until_utc_ms"]


def test_a_call_that_ended_in_the_hole_is_listed_as_cut_short(build: Callable[..., House]) -> None:
    house = build(analog=["fxo-1"])
    house.begin()
    house.play(talk("fxo-1"))
    until(lambda: bool(house.line("fxo-1").get("recording")), 20.0)
    killed_utc_ms = house.kill()
    until(lambda: not house.playing(), 60.0, every_s=0.5)
    house.recorder.revive()
    house.recorder.wait_until(lambda: house.box.lines_present({"fxo-1"}), 30.0)

    (call,) = house.sealed_calls()
    assert (call["outcome"], call["end_reason"]) == ("answered", "recorder_restarted")
    assert abs(call["ended_utc_ms"] - killed_utc_ms) <= 1000, "it ends where it was last seen"
    (recording,) = call["recordings"]
    assert recording["status"] == "sealed"
    assert recording["cut_short"]
    assert not list((house.box.data / "spool").glob("*.raw")), "no orphan stays"


def test_killed_again_before_the_line_is_back_the_hole_reaches_from_the_first_kill(build: Callable[..., House]) -> None:
    house = build(sim=["sim-1"])
    house.begin()
    house.pull("module", "sim-1")
    # Shown on the socket is not yet stored: only what is stored survives a kill.
    until(lambda: any(entry["kind"] == "hole" for entry in house.ledger()["entries"]), 20.0)
    killed_utc_ms = house.kill()
    house.recorder.revive()
    # Long enough for marks of watching: the box watches, this line it does not see.
    until(lambda: house.box.state() is not None, 30.0)
    time.sleep(2.0)
    again_utc_ms = house.kill()
    house.put_back("module", "sim-1")
    house.recorder.revive()
    house.recorder.wait_until(lambda: house.box.lines_present({"sim-1"}), 30.0)

    holes = {e["fault"]: e for e in house.ledger()["entries"] if e["kind"] == "hole"}
    assert set(holes) == {"device_lost", "recorder_was_down"}
    down = holes["recorder_was_down"]
    assert down["at_utc_ms"] <= killed_utc_ms < again_utc_ms < down["until_utc_ms"]
    assert holes["device_lost"]["at_utc_ms"] <= killed_utc_ms
    assert holes["device_lost"]["until_utc_ms"] == down["until_utc_ms"]
