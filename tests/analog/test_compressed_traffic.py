"""Thousands of calls as raw sensor edges, faster than real time: none missed, none invented, the ledger balanced."""

from __future__ import annotations

import random
import time

import pytest

from firmware.model import Direction, Outcome
from simulator.line_script import LineScript
from simulator.networks import NETWORKS
from tests.analog.virtual_box import VirtualBox

LINES = 8
BOUNCE_MS = (0.0, 5.0, 20.0, 40.0)
FLASH_MS = {"GB": (90, 130), "US": (300, 900)}
"""As people of these countries flash; where an open loop ends calls, flashes are shorter than that."""
CODES = ("CN", "US", "GB", "DE", "FR", "AT", "JP", "IN")


def a_day(code: str, calls: int, seed: int) -> LineScript:
    """Calls of every kind with flashes, bounce, short reversals and other rubbish between them; no sound."""
    dice = random.Random(seed)
    script = LineScript(NETWORKS[code], seed=seed)
    script.rest(2)
    for _ in range(calls):
        script.bounce_ms = dice.choice(BOUNCE_MS)
        kind = dice.random()
        if kind < 0.4:
            script.rings(dice.randint(1, 3), None).rest(dice.uniform(0.1, 0.6)).lifts()
            _talk(script, dice, code)
        elif kind < 0.65:
            script.rings(dice.randint(1, 3), None)
        else:
            script.lifts()
            _talk(script, dice, code)
        script.rest(dice.uniform(9, 20))
        if dice.random() < 0.3:
            _rubbish(script, dice)
    return script


def _talk(script: LineScript, dice: random.Random, code: str) -> None:
    script.rest(dice.uniform(3, 60))
    if dice.random() < 0.2:
        script.flash(dice.uniform(*FLASH_MS.get(code, (90, 250)))).rest(dice.uniform(2, 10))
    script.hangs_up()


def _rubbish(script: LineScript, dice: random.Random) -> None:
    """Lightning, a tinkle, a contact: shorter than anything that means something."""
    sensor = dice.choice(("ring", "off_hook", "polarity"))
    script.edges += [(sensor, True, script.now_s), (sensor, False, script.now_s + dice.uniform(0.001, 0.05))]
    script.rest(dice.uniform(9, 12))


def _play(per_line: int) -> tuple[int, int, int, float]:
    """Missed, false, unexplained; and the hours of line time."""
    missed = false = unexplained = 0
    hours = 0.0
    for number, code in enumerate(CODES[:LINES]):
        script, box = a_day(code, per_line, seed=800 + number), VirtualBox(code, sound=False)
        box.play(script.edges, None, script.now_s + 20)
        calls = list(box.calls.values())
        unexplained += len([e for e in box.entries if e.call is None]) + len(box.anomalies)
        theirs = [(round(box.seconds(c.started)), c) for c in calls]
        for real in script.log:
            found = [c for at, c in theirs if abs(box.seconds(c.started) - real.began_s) < 0.2]
            right = [
                c
                for c in found
                if c.direction is Direction(real.direction)
                and abs(box.seconds(c.ended) - real.ended_s) < 0.3
                and (c.outcome in (Outcome.MISSED,)) == (real.how == "gave_up")
            ]
            missed += not right
        false += len(calls) - len(script.log)
        hours += script.now_s / 3600
    return missed, false, unexplained, hours


def test_hundreds_of_calls_on_eight_lines() -> None:
    missed, false, unexplained, _ = _play(60)
    assert (missed, false, unexplained) == (0, 0, 0)


@pytest.mark.soak
def test_ten_thousand_calls_on_eight_lines() -> None:
    began = time.monotonic()
    missed, false, unexplained, hours = _play(1250)
    took_s = time.monotonic() - began
    print(f"10 000 calls, {hours:.0f} hours of line time in {took_s:.0f} s: {missed} missed, {false} false")
    assert (missed, false, unexplained) == (0, 0, 0)
    assert took_s < hours * 3600
