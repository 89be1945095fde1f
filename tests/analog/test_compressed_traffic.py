"""Thousands of calls, faster than real time: none missed, none invented, the ledger balanced.

They enter as raw sensor edges with bounce, as samples of a line's voltage (with ringing on top of it), and as the bytes
of a line monitor, never as decoded events.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from firmware.model import Call, Direction, Outcome
from firmware.signals.line_voltage import HookRule, VoltageSense
from simulator.line_script import LineScript, ScriptedCall
from simulator.line_volts import SHORT_FRENCH, VoltLine, volts
from simulator.networks import NETWORKS
from simulator.whozz import call_record, detail_record
from tests.analog.virtual_box import CallsOfALine, MonitorBox, VirtualBox

FLASH_MS = {"GB": (90, 130), "US": (300, 900)}
"""As people of these countries flash; where an open loop ends calls, flashes are shorter than that."""
BOUNCE_MS = (0.0, 5.0, 20.0, 40.0)
LINES = (
    *(("pins", code) for code in ("CN", "US", "GB", "AT")),
    *(("volts", code) for code in ("DE", "FR")),
    *(("monitor", code) for code in ("US", "JP")),
)
"""Eight lines: what tells of them, and their country."""
WAITING = "2125550142"


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


def _box(kind: str, code: str, per_line: int, seed: int) -> tuple[LineScript, CallsOfALine]:
    """A line after its day."""
    script = a_day(code, per_line, seed)
    end_s = script.now_s + 20
    if kind == "monitor":
        monitor = MonitorBox(code)
        monitor.play(_said(script, seed), end_s)
        return script, monitor
    if kind == "volts":
        line = SHORT_FRENCH if code == "FR" else VoltLine()
        rule = HookRule.DROP if code == "FR" else HookRule.HALF
        box = VirtualBox(code, volts=VoltageSense(rule, line.on_hook_v))
        ringing = [edge for edge in script.edges if edge[0] == "ring"]
        box.play(ringing, end_s, volts(script, line, until_s=end_s, seed=seed))
        return script, box
    box = VirtualBox(code)
    box.play(script.edges, end_s)
    return script, box


def _said(script: LineScript, seed: int) -> Iterator[tuple[float, bytes]]:
    """What a monitor makes of the line: it debounces by itself; now and then a second caller knocks in a call."""
    dice = random.Random(seed)
    said: list[tuple[float, bytes]] = []
    bursts = list(_bursts(script))

    def stamp(at_s: float) -> datetime:
        return datetime(2026, 11, 22) + timedelta(seconds=at_s)

    def tell(at_s: float, what: str) -> None:
        said.append((at_s, detail_record(1, what, stamp(at_s))))

    for at_s in bursts:
        tell(at_s, "R")
    for began_s, ended_s in _off_hook(script):
        tell(began_s, "F")
        tell(ended_s, "N")
        if ended_s - began_s > 12 and dice.random() < 0.3:
            at_s = began_s + 8
            record = call_record(1, WAITING, "", kind="I", stage="S", seconds=0, good=True, at=stamp(at_s))
            said.append((at_s, record))
    return iter(sorted(said))


def _bursts(script: LineScript) -> Iterator[float]:
    last = -1.0
    rubbish = Counter(round(at, 6) for sensor, level, at in script.edges if sensor == "ring")
    for at in sorted(at for sensor, level, at in script.edges if sensor == "ring" and level):
        if at - last > 0.15 and any(round(at + ms, 6) in rubbish for ms in (0.5 / script.network.ring_hz,)):
            yield at
        last = at


def _off_hook(script: LineScript) -> list[tuple[float, float]]:
    """Stretches in which a handset was up, without bounce, flashes and rubbish."""
    stretches: list[tuple[float, float]] = []
    up: float | None = None
    for _, level, at in sorted((e for e in script.edges if e[0] == "off_hook"), key=lambda edge: edge[2]):
        if level and up is None:
            up = at
        elif not level and up is not None:
            if stretches and up - stretches[-1][1] < 1.0:
                stretches[-1] = (stretches[-1][0], at)
            else:
                stretches.append((up, at))
            up = None
    return [(began, ended) for began, ended in stretches if ended - began > 0.2]


def _play(per_line: int) -> tuple[int, int, int, float]:
    """Missed, false, unexplained; and the hours of line time."""
    missed = false = unexplained = 0
    hours = 0.0
    for number, (kind, code) in enumerate(LINES):
        script, box = _box(kind, code, per_line, seed=800 + number)
        calls = list(box.calls.values())
        unexplained += len([e for e in box.entries if e.call is None and e.kind != "waiting_call"]) + len(box.anomalies)
        theirs = {round(box.seconds(c.started)): c for c in calls}
        lost = 0
        for real in script.log:
            found = [theirs.get(round(real.began_s) + n) for n in (-1, 0, 1)]
            lost += not any(c is not None and _same(box, c, real, kind) for c in found)
        if lost or len(calls) != len(script.log):
            print(f"{kind} {code}: {lost} of {len(script.log)} missed, {len(calls)} told")
        missed += lost
        false += max(0, len(calls) - len(script.log))
        hours += script.now_s / 3600
    return missed, false, unexplained, hours


def _same(box: CallsOfALine, call: Call, real: ScriptedCall, kind: str) -> bool:
    # A monitor says when a burst began; where it ended is a guess of up to a second and a half.
    late_s = 0.3 if kind == "pins" or real.how != "gave_up" else 1.6
    return (
        abs(box.seconds(call.started) - real.began_s) < 0.2
        and call.direction is Direction(real.direction)
        and abs(box.seconds(call.ended) - real.ended_s) < late_s
        and (call.outcome is Outcome.MISSED) == (real.how == "gave_up")
        and call.number != WAITING
    )


def test_hundreds_of_calls_on_eight_lines() -> None:
    missed, false, unexplained, _ = _play(30)
    assert (missed, false, unexplained) == (0, 0, 0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_calls_on_eight_lines() -> None:
    began = time.monotonic()
    missed, false, unexplained, hours = _play(1250)
    took_s = time.monotonic() - began
    print(f"10 000 calls, {hours:.0f} hours of line time in {took_s:.0f} s: {missed} missed, {false} false")
    assert (missed, false, unexplained) == (0, 0, 0)
    assert took_s < hours * 3600
