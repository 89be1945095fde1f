"""Tells the call machine what happens on one line, second by second, and remembers what it wanted done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from firmware.call_machine import step
from firmware.effects import Account, Effect, SaveCall, StartRecording, StopRecording
from firmware.events import LineCondition, LineEvent, LineUp, Tick
from firmware.line_state import LineState, Phase
from firmware.model import Call, Instant, LineId, LineKind
from firmware.policy import LinePolicy, recorded_from

NOON = Instant(boot_ns=600_000_000_000, utc_ns=1_795_348_800_000_000_000)
"""2026-11-22 12:00:00 UTC, ten minutes after the start of the machine."""
ALL_ACTIONS = frozenset({"dial", "answer", "hang_up"})

E = TypeVar("E")


def policy(kind: LineKind, **changes: Any) -> LinePolicy:
    """What the settings give a line of ``kind`` that says nothing special."""
    actions = ALL_ACTIONS if kind is LineKind.SIM else frozenset()
    return replace(LinePolicy(kind=kind, actions=actions, record_from=recorded_from(kind)), **changes)


class Story:
    """One line; ``at_s`` counts seconds from noon. Deadlines that pass between two events tick by themselves."""

    def __init__(self, kind: LineKind = LineKind.ANALOG, *, state: LineState | None = None, **changes: Any) -> None:
        line = LineId("fxo-1" if kind is LineKind.ANALOG else "sim-1")
        self.state = state or LineState(line=line, policy=policy(kind, **changes))
        self.effects: list[Effect] = []
        self.jumped_ns = 0

    def up(self, at_s: float = 0.0, condition: LineCondition = LineCondition.IDLE, **fields: Any) -> list[Effect]:
        return self.say(at_s, LineUp, condition=condition, **fields)

    def say(self, at_s: float, kind: type[LineEvent], **fields: Any) -> list[Effect]:
        """``kind`` happens ``at_s`` seconds after noon. Returns what the machine wants done about it."""
        self.wait(at_s)
        return self._step(kind(line=self.state.line, at=self.moment(at_s), **fields))

    def wait(self, until_s: float) -> list[Effect]:
        """Nothing happens until then."""
        done: list[Effect] = []
        while (due := self.state.deadline_ns) is not None and due <= self.moment(until_s).boot_ns:
            done += self._step(Tick(line=self.state.line, at=self.moment((due - NOON.boot_ns) / 1e9)))
        return done

    def clock_jumps(self, seconds: float) -> None:
        """The wall clock is set; the clock that counts since the start of the machine does not care."""
        self.jumped_ns += round(seconds * 1e9)

    def moment(self, at_s: float) -> Instant:
        plain = NOON.plus_s(at_s)
        return Instant(plain.boot_ns, plain.utc_ns + self.jumped_ns)

    def _step(self, event: LineEvent) -> list[Effect]:
        self.state, effects = step(self.state, event)
        self.effects += effects
        return list(effects)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def all(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def calls(self) -> list[Call]:
        """Every call as it was saved last, in the order of their beginnings."""
        return list({save.call.id: save.call for save in self.all(SaveCall)}.values())

    @property
    def call(self) -> Call:
        """The one call of this story."""
        (only,) = self.calls
        return only

    @property
    def phase(self) -> Phase:
        return self.state.phase

    @property
    def sound(self) -> list[tuple[int, float, float | None]]:
        """Every recording: its part, and from which second to which it holds sound (the time before not counted)."""
        stops = {stop.recording: stop.at for stop in self.all(StopRecording)}
        return [
            (start.part, self.second(start.at), self.second(stops.get(start.recording)))
            for start in self.all(StartRecording)
        ]

    @property
    def ledger(self) -> list[tuple[str, str]]:
        """Every entry: the kind of event, and ``call`` or the fault it ended in."""
        return [(entry.kind, entry.fault.value if entry.fault else "call") for entry in self.all(Account)]

    @staticmethod
    def second(moment: Instant | None) -> Any:
        return None if moment is None else round(moment.seconds_since(NOON), 6)
