"""One analog line as its three sensors show it: raw edges in, line events out; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from firmware.events import (
    CallEnded,
    DigitDialled,
    LineCondition,
    LineEvent,
    OffHook,
    OnHook,
    PolarityReversed,
    PrimaryAnswer,
    PrimaryAnswerOver,
    Ring,
    RingPaused,
)
from firmware.model import Instant, LineId
from firmware.signals.countries import Cadence
from firmware.signals.hook import HookChanged, HookDetector, HookTiming
from firmware.signals.polarity import PolarityDetector
from firmware.signals.primary_answer import LONGEST_S, PrimaryAnswers
from firmware.signals.pulse_dial import PulsedDigit, PulseDialDetector
from firmware.signals.ring import BurstBegan, RingDetector, RingReport, RingTiming
from firmware.signals.ring_pattern import RingPattern


class Sensor(StrEnum):
    """What a board tells about a line."""

    RING = "ring"
    OFF_HOOK = "off_hook"
    POLARITY = "polarity"
    BATTERY = "battery"
    """The exchange feeds the line: few boards can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopTiming:
    ring: RingTiming = field(default_factory=RingTiming)
    hook: HookTiming = field(default_factory=HookTiming)
    polarity_hold_ms: int = 80
    open_loop_ms: int | None = None
    """The loop opened for so long or longer, though not for good, is the exchange's word that the far end has gone
    (CPC, 250 to 900 ms). None: such a break is a hook flash. Must be longer than the flashes of this line."""
    reversal_ends: bool = False
    """Polarity that goes back to normal in a call is its end."""
    patterns: tuple[tuple[str, Cadence], ...] = ()
    """Ring patterns by which the line tells its numbers apart (`firmware.signals.ring_pattern`)."""
    ordinary_ring: Cadence | None = None
    primary_answers: bool = False
    """A telephone may take the line between short rings to be told who calls (`firmware.signals.primary_answer`)."""
    battery_cpc_ms: int = 100
    """Shorter losses of battery in a call are no message."""
    battery_cut_ms: int = 1200
    """Longer ones are a cut line: exchanges open the loop for 900 ms at most."""


class LoopWatch:
    """`feed` it every edge in order, call `advance` when `due` has come; both return the line's events."""

    def __init__(self, line: LineId, timing: LoopTiming, *, off_hook: bool = False) -> None:
        self._line = line
        self._ring = RingDetector(timing.ring)
        self._pattern = RingPattern(timing.patterns, timing.ordinary_ring)
        self._rang = Instant(0, 0)
        self._hook = HookDetector(timing.hook, off_hook=off_hook)
        self._polarity = PolarityDetector(timing.polarity_hold_ms)
        self._pulses = PulseDialDetector(closed=off_hook)
        self._primary = PrimaryAnswers(used=timing.primary_answers)
        self._primary_since: Instant | None = None
        self._timing = timing
        self._broken: Instant | None = None
        self._dead: Instant | None = None
        self._reversed = False
        self._cut = False

    @property
    def condition(self) -> LineCondition:
        """What the line is doing now."""
        if self._in_call:
            return LineCondition.IN_CALL
        ringing = self._ring.ringing or self._primary_since is not None
        return LineCondition.RINGING if ringing else LineCondition.IDLE

    @property
    def asks_to_be_answered(self) -> bool:
        """It rings as if for a number display: who takes the line now is told who calls."""
        return self._ring.ringing and not self._hook.level and self._primary.wanted(self._rang)

    @property
    def _in_call(self) -> bool:
        return self._hook.off_hook and self._primary_since is None

    @property
    def cut(self) -> bool:
        """The exchange has not fed the line for longer than it ever opens the loop."""
        return self._cut

    @property
    def loop_closed(self) -> bool:
        """What the loop sensor says, certain or not."""
        return self._hook.level

    def feed(self, sensor: Sensor, active: bool, at: Instant) -> list[LineEvent]:
        """``sensor`` changed to ``active`` (or was read again) at ``at``."""
        events = self.advance(at)
        match sensor:
            case Sensor.RING:
                events += self._from_ring(self._ring.feed(active, at))
            case Sensor.OFF_HOOK:
                events += self._from_pulses(self._pulses.feed(active, at))
                events += self._from_loop(active, at)
                events += self._from_hook(self._hook.feed(active, at))
            case Sensor.BATTERY:
                events += self._from_battery(active, at)
            case Sensor.POLARITY:
                events += self._from_polarity(self._polarity.feed(active, at, disturbed=self._ring.disturbed))
        return events

    def advance(self, now: Instant) -> list[LineEvent]:
        """Time has passed up to ``now`` without an edge."""
        disturbed = self._ring.disturbed
        if self._dead is not None and now.seconds_since(self._dead) >= self._timing.battery_cut_ms / 1000:
            self._cut = True
        return [
            *self._from_pulses(self._pulses.advance(now)),
            *self._from_ring(self._ring.advance(now)),
            *self._from_hook(self._hook.advance(now)),
            *self._talking_after_all(now),
            *self._from_polarity(self._polarity.advance(now, disturbed=disturbed)),
        ]

    def due(self) -> Instant | None:
        """When `advance` may have something to say; None: not before the next edge."""
        cut = None
        if self._dead is not None and not self._cut:
            cut = self._dead.plus_s(self._timing.battery_cut_ms / 1000)
        taken = self._primary_since if self._hook.level else None
        held = None if taken is None else taken.plus_s(LONGEST_S)
        all_dues = (self._ring.due(), self._hook.due(), self._polarity.due(), self._pulses.due(), cut, held)
        dues = [d for d in all_dues if d is not None]
        return min(dues, key=lambda d: d.boot_ns, default=None)

    def _from_ring(self, reports: Iterable[RingReport]) -> list[LineEvent]:
        events: list[LineEvent] = []
        for report in reports:
            if isinstance(report, BurstBegan):
                self._rang = report.at
                if self._primary_since is not None:  # an exchange rings no line that is taken
                    events += self._from_hook(self._hook.put_back())
                events.append(Ring(line=self._line, at=report.at))
            else:
                self._primary.burst_ended(self._rang, report.at)
                pattern = self._pattern.burst(self._rang, report.at)
                events.append(RingPaused(line=self._line, at=report.at, pattern=pattern))
        return events

    def _from_hook(self, reports: Iterable[HookChanged]) -> list[LineEvent]:
        events: list[LineEvent] = []
        for report in reports:
            self._broken = None
            events.append(self._lifted(report.at) if report.off_hook else self._put_back(report.at))
        return events

    def _lifted(self, at: Instant) -> LineEvent:
        self._reversed = False
        wanted = self._primary.wanted(at)
        self._primary.over()
        self._primary_since = at if wanted else None
        return (PrimaryAnswer if wanted else OffHook)(line=self._line, at=at)

    def _put_back(self, at: Instant) -> LineEvent:
        primary, self._primary_since = self._primary_since is not None, None
        return (PrimaryAnswerOver if primary else OnHook)(line=self._line, at=at)

    def _talking_after_all(self, now: Instant) -> list[LineEvent]:
        """Whoever took the line has kept it for longer than it takes to be told who calls."""
        since = self._primary_since
        if since is None or not self._hook.level or now.seconds_since(since) < LONGEST_S:
            return []
        self._primary_since = None
        return [OffHook(line=self._line, at=since)]

    def _from_loop(self, closed: bool, at: Instant) -> list[LineEvent]:
        """The loop closes again after a break that was too short for a handset put back."""
        if not self._in_call or closed == self._hook.level:
            return []
        began, self._broken = self._broken, None if closed else at
        shortest_ms = self._timing.open_loop_ms
        if not closed or began is None or shortest_ms is None or at.seconds_since(began) < shortest_ms / 1000:
            return []
        return [CallEnded(line=self._line, at=began)]

    def _from_battery(self, fed: bool, at: Instant) -> list[LineEvent]:
        if not fed:
            self._dead = self._dead or at
            return []
        began, self._dead = self._dead, None
        self._cut = False
        if began is None or not self._in_call:
            return []
        gone_s = at.seconds_since(began)
        message = self._timing.battery_cpc_ms / 1000 <= gone_s < self._timing.battery_cut_ms / 1000
        return [CallEnded(line=self._line, at=began)] if message else []

    def _from_pulses(self, digits: Iterable[PulsedDigit]) -> list[LineEvent]:
        return [DigitDialled(line=self._line, at=d.at, digit=d.digit) for d in digits]

    def _from_polarity(self, reports: Iterable[Instant]) -> list[LineEvent]:
        events: list[LineEvent] = []
        for at in reports:
            events.append(PolarityReversed(line=self._line, at=at))
            if self._in_call and self._timing.reversal_ends and self._reversed:
                events.append(CallEnded(line=self._line, at=at))
            self._reversed = not self._reversed
        return events
