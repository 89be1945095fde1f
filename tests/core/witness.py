"""Plays a walk to the call machine and holds every step against what must always be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from firmware.call_machine import ALWAYS_TO_TABLE, TABLE, leave, step
from firmware.effects import Account, Effect, SaveCall, StartRecording, StopRecording
from firmware.events import CallerId, LineDown, LineEvent, Tick, event_kind
from firmware.line_state import LineState, Phase, restored
from firmware.model import Call, CallId, CallStatus, EndReason, Instant, LineKind, RecordingId
from tests.core.story import policy
from tests.core.walk import LINE, Happening, Turn

_START = Instant(boot_ns=10**12, utc_ns=1_795_348_800_000_000_000)


class Witness:
    """Everything ever done on the line, checked as it is done."""

    def __init__(self, kind: LineKind) -> None:
        self.state = LineState(line=LINE, policy=policy(kind))
        self.now = _START
        self.calls: dict[CallId, Call] = {}
        self.started: dict[RecordingId, StartRecording] = {}
        self.stopped: dict[RecordingId, Instant] = {}
        self.owed: Counter[tuple[int, str]] = Counter()
        """Evidence that no ledger entry accounts for yet."""
        self.faults: list[tuple[int, str]] = []
        """Entries that are faults, which a call may claim."""
        self.over_restart: set[CallId] = set()
        """Calls that were open at a restart: their moments need not compare."""
        self.trace: list[tuple[Effect, ...]] = []

    def live(self, walk: Sequence[Happening]) -> None:
        for happening in walk:
            self.happens(happening)
        self.end_of_walk()

    def happens(self, happening: Happening) -> None:
        self.now = self.now.plus_s(happening.gap_ms / 1000)
        self.now = replace(self.now, utc_ns=self.now.utc_ns + happening.jump_s * 10**9)
        if isinstance(happening.what, Turn):
            self._restart(happening.what)
        else:
            at = self.now.plus_s(-happening.late_ms / 1000)
            self.take(happening.what(line=LINE, at=at, **happening.fields))

    def take(self, event: LineEvent) -> None:
        before = self.state
        self.state, effects = step(before, event)
        again = step(before, event)
        assert again == (self.state, effects), "a replay gives the same"
        if before.present or isinstance(event, ALWAYS_TO_TABLE):
            rule = TABLE[before.phase, type(event)]
            assert self.state.phase in rule.to, f"{event_kind(event)} led from {before.phase} to {self.state.phase}"
        else:
            assert self.state.phase is before.phase
        if event.evidence or (isinstance(event, CallerId) and event in self.state.pending):
            self.owed[event.at.boot_ns, event_kind(event)] += 1
        self._witness(effects)
        self._check_state()

    def end_of_walk(self) -> None:
        """The device goes, its deadlines pass: now nothing may be left open."""
        self.now = self.now.plus_s(60)
        self.take(LineDown(line=LINE, at=self.now, reason="end of the walk"))
        for _ in range(2):
            self.now = self.now.plus_s(60)
            self.take(Tick(line=LINE, at=self.now))
        assert self.state.phase is Phase.IDLE
        assert all(call.status is CallStatus.ENDED for call in self.calls.values()), "no call is lost"
        assert set(self.started) == set(self.stopped), "every recording is stopped once"
        assert not +self.owed, "all evidence is in the ledger"
        parts = Counter(start.call for start in self.started.values())
        assert all(call.parts == parts[call.id] for call in self.calls.values())

    # --- what is done -------------------------------------------------------------------------------------------------

    def _witness(self, effects: Sequence[Effect]) -> None:
        self.trace.append(tuple(effects))
        for effect in effects:
            match effect:
                case SaveCall(call=call):
                    self._saved(call)
                case StartRecording():
                    assert effect.recording not in self.started
                    assert effect.call in self.calls
                    assert self.calls[effect.call].parts == effect.part
                    assert not self.open_recordings, "at most one open recording"
                    assert 0 <= effect.preroll_s <= self.state.policy.preroll_s
                    self.started[effect.recording] = effect
                case StopRecording():
                    assert effect.recording in self.open_recordings
                    assert effect.at.boot_ns >= self.started[effect.recording].at.boot_ns
                    self.stopped[effect.recording] = effect.at
                case Account():
                    self._accounted(effect)
                case _:
                    pass

    def _saved(self, call: Call) -> None:
        old = self.calls.get(call.id)
        assert old is None or old.status is not CallStatus.ENDED, "an ended call never changes"
        if old is None:
            open_calls = [c.id for c in self.calls.values() if c.status is not CallStatus.ENDED]
            assert not open_calls, "a line has one call at a time"
        else:
            assert (call.started, call.line) == (old.started, old.line)
            assert call.parts >= old.parts
            assert call.flags >= old.flags
        assert (call.status is CallStatus.ENDED) == (call.outcome is not None) == (call.ended is not None)
        if call.id not in self.over_restart:
            moments = [m.boot_ns for m in (call.started, call.answered, call.ended) if m is not None]
            assert moments == sorted(moments)
        self.calls[call.id] = call

    def _accounted(self, entry: Account) -> None:
        assert (entry.call is None) != (entry.fault is None), "a call or a fault, never both, never neither"
        assert entry.call is None or entry.call in self.calls, "the call is stored"
        if entry.claims:
            self.faults.remove((entry.at.boot_ns, entry.kind))
            return
        if entry.fault is not None:
            self.faults.append((entry.at.boot_ns, entry.kind))
        self.owed[entry.at.boot_ns, entry.kind] -= 1
        assert self.owed[entry.at.boot_ns, entry.kind] >= 0, "nothing is accounted for twice"

    @property
    def open_recordings(self) -> set[RecordingId]:
        return set(self.started) - set(self.stopped)

    def _check_state(self) -> None:
        state = self.state
        assert (state.phase is Phase.IDLE) == (state.call is None)
        assert self.open_recordings == ({state.recording} if state.recording else set())
        assert state.call is None or state.call == self.calls[state.call.id], "what the machine knows is stored"
        if state.call is not None and state.phase.value != state.call.status:
            assert state.suspended_by is EndReason.RECORDER_RESTARTED, "only a restart leaves a call as it was stored"
        if state.phase is Phase.SUSPENDED:
            assert not state.present
            assert state.suspended_since is not None
        if not state.present:
            assert state.phase in (Phase.IDLE, Phase.SUSPENDED)
            assert not state.recording
        waits = state.phase in (Phase.RINGING, Phase.SUSPENDED) or bool(state.pending)
        assert (state.deadline_ns is not None) == waits, "a deadline stands exactly when something is waited for"

    # --- the recorder goes and comes ----------------------------------------------------------------------------------

    def _restart(self, turn: Turn) -> None:
        if turn is Turn.STOPPED:
            self.state, effects = leave(self.state, self.now)
            self._witness(effects)
            assert not self.open_recordings
        for recording in self.open_recordings:
            self.stopped[recording] = self.now  # recovery finishes the orphan at the next start
        for herald in self.state.pending:
            self.owed[herald.at.boot_ns, event_kind(herald)] -= 1  # the hole in watching is their named fault
        last_seen, call = self.now, self.state.call
        self.now = self.now.plus_s(5)
        if turn is Turn.REBOOTED:
            self.now = replace(self.now, boot_ns=15 * 10**9)
            # As `firmware.inheritance` places it: by the wall clock, on the clock of this boot.
            last_seen = replace(last_seen, boot_ns=self.now.boot_ns - 5 * 10**9)
            # Moments of another boot are other moments to the ledger, too.
            self.owed.clear()
        if call is None:
            self.state = LineState(line=LINE, policy=self.state.policy)
            return
        self.over_restart.add(call.id)
        self.state = restored(LINE, self.state.policy, call, last_seen=last_seen, now=self.now)
