"""What a call's row says beyond what the exchange sent: the number as the world reads it, and which ring it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware.effects import SaveCall
from firmware.model import CallFlag, LineKind, Presentation
from firmware.store.facts import LineKnown
from firmware.store.queries import list_calls
from tests.store.world import LINE, START, World, outbox, ringing


def known(country: str) -> LineKnown:
    return LineKnown(line=LINE, kind=LineKind.ANALOG, driver="fxo-gpio", label="", at=START, country=country)


@pytest.mark.parametrize(
    ("country", "number", "written"),
    [
        ("CN", "13800138000", "+8613800138000"),
        ("US", "2125550199", "+12125550199"),
        ("GB", "02079460018", "+442079460018"),
        ("CN", "10086", None),
        ("CN", None, None),
        ("", "13800138000", None),
        ("", "+8613800138000", "+8613800138000"),
    ],
)
def test_a_number_is_read_by_the_country_of_its_line(
    world: World, country: str, number: str | None, written: str | None
) -> None:
    call = replace(ringing(START), number=number, presentation=Presentation.VALID)
    world.store([known(country), SaveCall(call=call)])
    (row,) = list_calls(world.read())
    assert (row["number"], row["number_e164"]) == (number, written)
    assert outbox(world)[-1][2]["number_e164"] == written


def test_a_number_that_was_read_is_not_read_anew_when_the_country_changes(world: World) -> None:
    call = replace(ringing(START), number="13800138000", presentation=Presentation.VALID)
    world.store([known("CN"), SaveCall(call=call)])
    world.store([known("GB"), SaveCall(call=replace(call, ring_pattern="normal"))])
    (row,) = list_calls(world.read())
    assert (row["number_e164"], row["ring_pattern"]) == ("+8613800138000", "normal")


def test_a_number_that_was_hard_to_read_says_so(world: World) -> None:
    world.store([SaveCall(call=replace(ringing(START), number="123", flags=frozenset({CallFlag.CALLER_DOUBTFUL})))])
    (row,) = list_calls(world.read())
    assert "may be wrong" in row["note"]["en"]
    assert "可能有误" in row["note"]["zh"]
