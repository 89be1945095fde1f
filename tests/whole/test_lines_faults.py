"""Lines that misbehave: contacts that bounce, two rings in the same instant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.whole.house import House, talk, until

pytestmark = [pytest.mark.slow, pytest.mark.sound, pytest.mark.timeout(180)]


def test_bouncing_contacts_make_no_call_of_their_own(build: Callable[..., House]) -> None:
    house = build(analog=["fxo-1"])
    house.begin()
    house.play(talk("fxo-1", bounce=True))
    until(lambda: not house.playing(), 60.0, every_s=0.5)
    (call,) = house.sealed_calls()
    assert (call["outcome"], call["number"]) == ("answered", "13800550123")
    ledger = house.ledger()
    assert ledger["balance"]["fault"] == 0
    assert ledger["balanced"]


def test_two_rings_in_the_same_instant_are_two_calls(build: Callable[..., House]) -> None:
    house = build(analog=["fxo-1", "fxo-2"])
    house.begin()
    house.play(talk("fxo-1"), talk("fxo-2", number="01055501842"))
    until(lambda: not house.playing(), 60.0, every_s=0.5)
    calls = house.sealed_calls()
    assert {(c["line"], c["number"], c["outcome"]) for c in calls} == {
        ("fxo-1", "13800550123", "answered"),
        ("fxo-2", "01055501842", "answered"),
    }
    assert all(r["status"] == "sealed" for c in calls for r in c["recordings"])
