"""What shall happen in the street: calls as data, from a TOML file or a generator."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

import cattrs
from attrs import field, frozen, validators

from firmware.errors import OffhookError
from simulator.speech import PROMPTS


class ScenarioError(OffhookError):
    """A scenario does not say what it should; the message names the place."""


class Kind(StrEnum):
    """What a call comes to."""

    ANSWERED = "answered"
    MISSED = "missed"
    REJECTED = "rejected"
    """Only on a SIM line."""
    DIALLED = "dialled"
    """Outgoing, and the other side answers."""
    UNANSWERED = "unanswered"
    BUSY = "busy"

    @property
    def outgoing(self) -> bool:
        return self in (Kind.DIALLED, Kind.UNANSWERED, Kind.BUSY)

    @property
    def talked(self) -> bool:
        return self in (Kind.ANSWERED, Kind.DIALLED)


class Side(StrEnum):
    REMOTE = "remote"
    LOCAL = "local"


class FaultKind(StrEnum):
    """What goes wrong in a call."""

    PULL_MODULE = "pull_module"
    """The SIM module's USB plug is pulled."""
    PULL_SOUND = "pull_sound"
    """The line's sound device is pulled."""
    PULL_HAT = "pull_hat"
    """The line board is pulled off: all its pins are gone."""


@frozen(kw_only=True)
class Turn:
    """One of the two sides says a prompt (`simulator.speech.PROMPTS`)."""

    side: Side
    prompt: str = field(validator=validators.in_(PROMPTS))
    pause_s: float = field(default=0.0, validator=validators.ge(0))
    """So long nobody says anything before it."""


@frozen(kw_only=True)
class FaultPlan:
    kind: FaultKind
    after_turns: int = 1
    """It happens when so many turns were said, 1 s into what follows."""
    back_after_s: float = 3.0
    """So long after the call's end the device is there again."""


@frozen(kw_only=True)
class KnockPlan:
    """A second caller knocks when all was said (SIM lines)."""

    number: str
    taken: bool = False
    """The person takes him; the first caller hangs up meanwhile. Else he gives up."""
    prompt: str = field(default="r01", validator=validators.in_(PROMPTS))
    """What the second caller says when he is taken."""


@frozen(kw_only=True)
class CallPlan:
    """One call on one line, from the first ring or off-hook to the last on-hook."""

    line: str
    kind: Kind
    at_s: float = 0.0
    """Not earlier than this in the scenario; calls of one line follow each other."""
    gap_s: float = 4.0
    """How long the line rests after the call before it."""
    number: str | None = None
    """Who calls, or whom the office calls. None: the caller withholds it."""
    rings: int = field(default=3, validator=validators.ge(1))
    """How many ring bursts (ringback bursts) an unanswered call gets."""
    answer_after_s: float = 6.5
    """From the first ring (ringback) to the answer."""
    talk: tuple[Turn, ...] = ()
    hang_up: Side = Side.LOCAL
    fault: FaultPlan | None = None
    bounce: bool = False
    """Contacts bounce: each change of the loop and each start of a ring chatters for 20 ms (analog lines)."""
    knock: KnockPlan | None = None
    digits_in_call: str = ""
    """Keys the local side presses in the call (a menu)."""


@frozen(kw_only=True)
class Scenario:
    name: str
    calls: tuple[CallPlan, ...]


_converter = cattrs.Converter(forbid_extra_keys=True)


def parse(data: dict[str, Any]) -> Scenario:
    """A scenario from parsed TOML or JSON. Raises `ScenarioError` with every fault."""
    try:
        return _converter.structure(data, Scenario)
    except cattrs.BaseValidationError as error:
        faults = cattrs.transform_error(error, format_exception=_why)
        raise ScenarioError("the scenario is wrong: " + "; ".join(faults)) from error


def _why(error: BaseException, type_: type | None) -> str:
    if isinstance(error, ValueError) and error.args:
        return str(error.args[0]).splitlines()[0]  # a validator's own words
    return cattrs.v.format_exception(error, type_)


def load(path: Path) -> Scenario:
    """A scenario from a TOML file. Raises `ScenarioError`."""
    try:
        return parse(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"scenario {path} cannot be read: {error}") from error


def to_data(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON can carry it; `parse` reads it back."""
    data: dict[str, Any] = _converter.unstructure(scenario)
    return data
