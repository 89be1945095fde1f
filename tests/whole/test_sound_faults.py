"""Sound devices that are missing, vanish or stay silent: the call is listed, the admin told, what was heard is kept."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.whole.house import House, talk, until

pytestmark = [pytest.mark.slow, pytest.mark.sound, pytest.mark.timeout(180)]


def test_missing_at_the_start(build: Callable[..., House]) -> None:
    house = build(analog=["fxo-1"])
    house.pull("sound", "fxo-1")
    house.begin(all_heard=False)
    until(lambda: ("sound_lost", "fxo-1") in house.alarms(), 10.0)
    alarm = house.alarms()["sound_lost", "fxo-1"]
    assert alarm["severity"] == "critical"
    assert alarm["todo"]["en"]
    assert alarm["todo"]["zh"]
    assert house.line("fxo-1")["sound"] == "lost"

    house.play(talk("fxo-1"))
    until(lambda: not house.playing(), 60.0, every_s=0.5)
    (call,) = house.sealed_calls()
    assert call["outcome"] == "answered", "a call without sound is still a call"
    assert [r["status"] for r in call["recordings"]] == ["failed"]

    house.put_back("sound", "fxo-1")
    until(lambda: house.line("fxo-1")["sound"] == "ok", 10.0)
    until(lambda: ("sound_lost", "fxo-1") not in house.alarms(), 5.0)


def test_vanishing_in_the_call(build: Callable[..., House]) -> None:
    house = build(analog=["fxo-1"])
    house.begin()
    house.play(talk("fxo-1", answer_after_s=2.0))
    until(lambda: bool(house.line("fxo-1").get("recording")), 20.0)
    time.sleep(1.5)
    house.pull("sound", "fxo-1")
    until(lambda: ("sound_lost", "fxo-1") in house.alarms(), 5.0)
    assert not house.line("fxo-1")["recording"], "the page does not claim what is not true"
    time.sleep(1.0)
    house.put_back("sound", "fxo-1")
    until(lambda: not house.playing(), 60.0, every_s=0.5)

    (call,) = house.sealed_calls()
    (recording,) = call["recordings"]
    assert recording["status"] == "sealed"
    gaps = [gap for gap in recording["gaps"] if gap["cause"] == "device_lost"]
    assert len(gaps) == 1
    assert 500 <= gaps[0]["missing_ms"] <= 6000
    assert house.ledger()["balanced"]


def test_silence_in_a_call_is_told_within_three_seconds(build: Callable[..., House]) -> None:
    house = build(analog=["fxo-1"])
    house.begin()
    house.play(talk("fxo-1", answer_after_s=2.0, talk=[{"side": "local", "prompt": "l01", "pause_s": 9.0}]))
    until(lambda: (house.line("fxo-1").get("call") or {}).get("status") == "talking", 20.0, every_s=0.05)
    house.pull("voice", "fxo-1")
    muted_s = time.monotonic()
    until(lambda: ("sound_silent", "fxo-1") in house.alarms(), 8.0)
    assert time.monotonic() - muted_s <= 4.0, "3 s of silence, a block of sound and the way to here"
    assert house.line("fxo-1")["sound"] == "silent"
    house.put_back("voice", "fxo-1")
    until(lambda: ("sound_silent", "fxo-1") not in house.alarms(), 5.0)
    until(lambda: not house.playing(), 60.0, every_s=0.5)
    (call,) = house.sealed_calls()
    assert not call["recordings"][0]["silent"], "somebody spoke in the end"


def test_a_lost_module_interrupts_its_call_and_comes_back(build: Callable[..., House]) -> None:
    house = build(sim=["sim-1"])
    house.begin()
    house.play(talk("sim-1"))
    until(lambda: bool(house.line("sim-1").get("recording")), 20.0)
    time.sleep(1.0)
    house.pull("module", "sim-1")
    until(lambda: ("line_down", "sim-1") in house.alarms(), 5.0)
    until(lambda: not house.playing(), 60.0, every_s=0.5)
    house.put_back("module", "sim-1")
    until(lambda: house.box.lines_present({"sim-1"}), 20.0)
    assert ("line_down", "sim-1") not in house.alarms()

    (call,) = house.sealed_calls()
    assert call["outcome"] == "answered"
    assert call["end_reason"] == "device_lost"
    assert "interrupted" in call["flags"]
    assert call["recordings"][0]["status"] == "sealed"
