"""Random walks of one line through everything that can happen to it, as data that hypothesis can shrink."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from firmware import events as ev
from firmware.model import Direction, LineId, LineKind, Presentation

LINE = LineId("line-1")
_YEAR_S = 365 * 86400


class Turn(Enum):
    """What may happen beside line events."""

    KILLED = "the recorder is killed and started again"
    STOPPED = "the recorder is stopped cleanly and started again"
    REBOOTED = "the machine loses its power and starts again"


@dataclass(frozen=True)
class Happening:
    """``gap_ms`` after the last step, it is stamped ``late_ms`` too early, the wall clock off by ``jump_s``."""

    what: type[ev.LineEvent] | Turn
    fields: dict[str, Any]
    gap_ms: int
    late_ms: int
    jump_s: int


def _numbers() -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, "10086", "+8613800138000"])


_FIELDS: dict[type[ev.LineEvent], dict[str, st.SearchStrategy[Any]]] = {
    ev.LineUp: {
        "condition": st.sampled_from(ev.LineCondition),
        "direction": st.sampled_from(Direction),
        "number": _numbers(),
    },
    ev.LineDown: {"reason": st.just("pulled")},
    ev.RingPaused: {"pattern": st.sampled_from([None, "normal", "short-short"])},
    ev.CallerId: {
        "number": _numbers(),
        "presentation": st.sampled_from(Presentation),
        "doubtful": st.booleans(),
    },
    ev.CallerIdRejected: {"reason": st.just("wrong checksum")},
    ev.DigitDialled: {"digit": st.sampled_from("0123456789*#ABCD")},
    ev.DigitReceived: {"digit": st.sampled_from("0123456789*#ABCD")},
    ev.DialStarted: {"number": _numbers()},
    ev.CallEnded: {"cause": st.sampled_from(ev.EndCause)},
    ev.WaitingCall: {"number": _numbers()},
    ev.DialRequested: {"number": st.just("10086"), "request": st.just("r1")},
    ev.AnswerRequested: {"request": st.just("r2")},
    ev.HangUpRequested: {"request": st.just("r3")},
    ev.DigitsRequested: {"digits": st.just("12#"), "request": st.just("r6")},
    ev.FlashRequested: {"request": st.just("r4")},
    ev.PlayRequested: {"request": st.just("r5"), "pcm": st.just(b"")},
}

_GAPS_MS = st.one_of(st.integers(0, 50), st.integers(0, 500), st.integers(50, 4_000), st.integers(4_000, 40_000))
_LATE_MS = st.one_of(st.just(0), st.integers(0, 3_000))
_JUMPS_S = st.one_of(st.just(0), st.just(0), st.just(0), st.sampled_from([-_YEAR_S, 3 * _YEAR_S, 7]))


def _happening(kind: type[ev.LineEvent]) -> st.SearchStrategy[Happening]:
    return st.builds(
        Happening,
        what=st.just(kind),
        fields=st.fixed_dictionaries(_FIELDS.get(kind, {})),
        gap_ms=_GAPS_MS,
        late_ms=_LATE_MS,
        jump_s=_JUMPS_S,
    )


_RESTARTS = st.builds(
    Happening, what=st.sampled_from(Turn), fields=st.just({}), gap_ms=_GAPS_MS, late_ms=st.just(0), jump_s=_JUMPS_S
)

KINDS = st.sampled_from(LineKind)
# A line without a device is dull, and so is one that never rings: these come more often.
_OFTEN = (
    *(ev.LineUp, ev.LineUp, ev.LineUp, ev.Ring, ev.Ring, ev.CallerId, ev.OffHook, ev.OffHook),
    *(ev.CallEnded, ev.DigitDialled, ev.DigitDialled, ev.Answered),
)
HAPPENINGS = st.one_of(*(_happening(kind) for kind in (*ev.LINE_EVENTS, *_OFTEN)))


def _walks(step: st.SearchStrategy[Happening]) -> st.SearchStrategy[list[Happening]]:
    """Short ones, which shrink well, and long ones, which get far."""
    return st.one_of(st.lists(step, max_size=15), st.lists(step, min_size=30, max_size=60))


WALKS = _walks(HAPPENINGS)
WALKS_WITH_RESTARTS = _walks(st.one_of(HAPPENINGS, HAPPENINGS, HAPPENINGS, _RESTARTS))
