"""A day in the office, made from a seed: which calls come and go on which line. The same seed makes the same day."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from attrs import frozen

from simulator.scenario import CallPlan, FaultKind, FaultPlan, Kind, Scenario, Side, Turn
from simulator.speech import LOCAL, REMOTE

_NUMBERS = (
    "02155507301", "01055501842", "13800550123", "075555019914", "057155503328", "15900559876", "02855502217",
    "4005550188", "18600557045", "02055506613", "13300552299", "05325550417",
)  # fmt: skip
"""Numbers that nobody has: 555 or 0055 in each."""

_SHORTEST_REST_S = 3.5
_AFTER_UNANSWERED_RINGS_S = 9.5
"""The next ring on an analog line comes later than this after one that nobody answered: within a cadence's silence (and
what a box adds to it) nobody could tell a new call from the old one."""


@frozen(kw_only=True)
class _Recipe:
    """A kind of call, without the people in it."""

    kind: Kind
    answer_after_s: float = 3.0
    hang_up: Side = Side.LOCAL
    withheld: bool = False
    bounce: bool = False
    fault: FaultKind | None = None


def day(
    calls: int,
    seed: int = 1,
    *,
    analog: tuple[str, ...] = ("fxo-1", "fxo-2"),
    sim: tuple[str, ...] = ("sim-1", "sim-2"),
    rest_s: float = 0.0,
) -> Scenario:
    """``calls`` calls over the lines: every kind in turn, with shuffled numbers and prompts.

    Lines rest for up to ``rest_s`` seconds more than they must between two calls; with 0 the first calls of all lines
    come at the same moment, and 24 calls over four lines take about two minutes. Prompts are given out so that calls
    near in time never share one.
    """
    rng = random.Random(seed)  # noqa: S311  # scenery, not secrets
    people = _People(rng)
    recipes = {
        **{line: _turned(_analog(n % 2 == 1), 3 * n) for n, line in enumerate(analog)},
        **{line: _turned(_sim(n % 2 == 1), 3 * n) for n, line in enumerate(sim)},
    }
    plans: list[CallPlan] = []
    last: dict[str, CallPlan] = {}
    for n in range(calls):
        line = list(recipes)[n % len(recipes)]
        recipe = recipes[line][(n // len(recipes)) % len(recipes[line])]
        before = last.get(line)
        rang_out = before is not None and line in analog and before.kind is Kind.MISSED
        gap_s = (_AFTER_UNANSWERED_RINGS_S if rang_out else _SHORTEST_REST_S) + rng.uniform(0, 2 + rest_s)
        at_s = rng.uniform(0, rest_s) if before is None else 0.0
        last[line] = _plan(line, recipe, people, at_s=round(at_s, 1), gap_s=round(gap_s, 1))
        plans.append(last[line])
    return Scenario(name=f"a day of {calls} calls, seed {seed}", calls=tuple(plans))


class _People:
    """Hands out numbers and sentences, none of them twice in a while."""

    def __init__(self, rng: random.Random) -> None:
        self._numbers = itertools.cycle(rng.sample(_NUMBERS, len(_NUMBERS)))
        self._remote: Iterator[str] = itertools.cycle([p.id for p in rng.sample(REMOTE, len(REMOTE))])
        self._local: Iterator[str] = itertools.cycle([p.id for p in rng.sample(LOCAL, len(LOCAL))])

    def number(self) -> str:
        return next(self._numbers)

    def talk(self, *, local_first: bool) -> tuple[Turn, ...]:
        local = Turn(side=Side.LOCAL, prompt=next(self._local))
        remote = Turn(side=Side.REMOTE, prompt=next(self._remote))
        return (local, remote) if local_first else (remote, local)


def _plan(line: str, recipe: _Recipe, people: _People, *, at_s: float, gap_s: float) -> CallPlan:
    kind = recipe.kind
    return CallPlan(
        line=line,
        kind=kind,
        at_s=at_s,
        gap_s=gap_s,
        number=None if recipe.withheld else people.number(),
        rings=2,
        answer_after_s=recipe.answer_after_s,
        # Whoever is called says hello first.
        talk=people.talk(local_first=not kind.outgoing) if kind.talked else (),
        hang_up=recipe.hang_up,
        fault=FaultPlan(kind=recipe.fault) if recipe.fault else None,
        bounce=recipe.bounce,
    )


def _turned(recipes: list[_Recipe], by: int) -> list[_Recipe]:
    """The same recipes, begun at another place: two lines of a kind do not do the same at the same time."""
    by %= len(recipes)
    return recipes[by:] + recipes[:by]


def _analog(second: bool) -> list[_Recipe]:
    return [
        _Recipe(kind=Kind.ANSWERED, answer_after_s=6.5),
        _Recipe(kind=Kind.DIALLED, hang_up=Side.REMOTE),
        _Recipe(kind=Kind.MISSED),
        _Recipe(kind=Kind.ANSWERED, answer_after_s=6.5, withheld=True, hang_up=Side.REMOTE, bounce=True),
        _Recipe(kind=Kind.BUSY if second else Kind.UNANSWERED),
        # In the first silence, but not before the caller ID has come.
        _Recipe(kind=Kind.ANSWERED, answer_after_s=4.5, fault=FaultKind.PULL_SOUND if second else None),
    ]


def _sim(second: bool) -> list[_Recipe]:
    return [
        _Recipe(kind=Kind.ANSWERED),
        _Recipe(kind=Kind.DIALLED),
        _Recipe(kind=Kind.MISSED),
        _Recipe(kind=Kind.BUSY) if second else _Recipe(kind=Kind.ANSWERED, fault=FaultKind.PULL_MODULE),
        _Recipe(kind=Kind.UNANSWERED if second else Kind.REJECTED),
        _Recipe(kind=Kind.ANSWERED, withheld=True, hang_up=Side.REMOTE),
    ]
