"""A day in the office, made from a seed: which calls come and go on which line. The same seed makes the same day."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from simulator.scenario import CallPlan, FaultKind, FaultPlan, Kind, Scenario, Side, Turn
from simulator.speech import LOCAL, REMOTE

_NUMBERS = (
    "02155507301", "01055501842", "13800550123", "075555019914", "057155503328", "15900559876", "02855502217",
    "4005550188", "18600557045", "02055506613", "13300552299", "05325550417",
)  # fmt: skip
"""Numbers that nobody has: 555 in each."""


def _talk(prompts: Iterator[tuple[str, str]], *, local_first: bool) -> tuple[Turn, ...]:
    remote, local = next(prompts)
    turns = [Turn(side=Side.LOCAL, prompt=local), Turn(side=Side.REMOTE, prompt=remote)]
    if not local_first:
        turns.reverse()
    return tuple(turns)


def day(
    calls: int,
    seed: int = 1,
    *,
    analog: tuple[str, ...] = ("fxo-1", "fxo-2"),
    sim: tuple[str, ...] = ("sim-1", "sim-2"),
) -> Scenario:
    """``calls`` calls over the lines: every kind in turn, shuffled numbers and prompts, two rings at the same time.

    24 calls over four lines take under 200 s. Prompts are given out so that calls near in time never share one.
    """
    rng = random.Random(seed)  # noqa: S311  # scenery, not secrets
    numbers = itertools.cycle(rng.sample(_NUMBERS, len(_NUMBERS)))
    prompts = zip(
        itertools.cycle([p.id for p in rng.sample(REMOTE, len(REMOTE))]),
        itertools.cycle([p.id for p in rng.sample(LOCAL, len(LOCAL))]),
        strict=False,
    )
    recipes = {
        **{line: _analog_recipes(n) for n, line in enumerate(analog)},
        **{line: _sim_recipes(n) for n, line in enumerate(sim)},
    }
    plans = []
    for n in range(calls):
        line = list(recipes)[n % len(recipes)]
        recipe = recipes[line][(n // len(recipes)) % len(recipes[line])]
        plans.append(_plan(line, recipe, numbers, prompts, rng, first=n < len(recipes)))
    return Scenario(name=f"a day of {calls} calls, seed {seed}", calls=tuple(plans))


_Recipe = dict[str, object]


def _plan(
    line: str,
    recipe: _Recipe,
    numbers: Iterator[str],
    prompts: Iterator[tuple[str, str]],
    rng: random.Random,
    *,
    first: bool,
) -> CallPlan:
    kind = Kind(str(recipe["kind"]))
    fault = recipe.get("fault")
    return CallPlan(
        line=line,
        kind=kind,
        # The first calls of all lines ring at the same moment; later ones come when the line has rested.
        gap_s=0 if first else round(rng.uniform(3.5, 5.5), 1),
        number=None if recipe.get("withheld") else next(numbers),
        rings=2,
        answer_after_s=float(str(recipe.get("answer_after_s", 6.5))),
        talk=_talk(prompts, local_first=not kind.outgoing) if kind.talked else (),
        hang_up=Side(str(recipe.get("hang_up", "local"))),
        fault=FaultPlan(kind=FaultKind(str(fault))) if fault else None,
        bounce=bool(recipe.get("bounce", False)),
    )


def _turned(recipes: list[_Recipe], by: int) -> list[_Recipe]:
    """The same recipes, begun at another place: two lines of a kind do not do the same at the same time."""
    return recipes[by:] + recipes[:by]


def _analog_recipes(n: int) -> list[_Recipe]:
    return _turned(
        [
            {"kind": "answered"},
            {"kind": "dialled", "answer_after_s": 3, "hang_up": "remote"},
            {"kind": "missed"},
            {"kind": "answered", "withheld": True, "hang_up": "remote", "bounce": True},
            {"kind": "busy"} if n % 2 else {"kind": "unanswered"},
            {"kind": "answered", "fault": "pull_sound"} if n % 2 else {"kind": "answered", "answer_after_s": 2.5},
        ],
        3 * (n % 2),
    )


def _sim_recipes(n: int) -> list[_Recipe]:
    return _turned(
        [
            {"kind": "answered", "answer_after_s": 3},
            {"kind": "dialled", "answer_after_s": 3},
            {"kind": "missed"},
            {"kind": "answered", "answer_after_s": 3, "fault": "pull_module"} if n % 2 == 0 else {"kind": "busy"},
            {"kind": "rejected", "answer_after_s": 3} if n % 2 == 0 else {"kind": "unanswered"},
            {"kind": "answered", "withheld": True, "answer_after_s": 3, "hang_up": "remote"},
        ],
        3 * (n % 2),
    )
