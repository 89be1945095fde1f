"""Makes the running lines be what the settings say: at the start, and whenever the settings change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import attrs
import phonenumbers

from firmware.config import LineSettings, Settings
from firmware.drivers import driver_type
from firmware.effects import RaiseAlarm, ResolveAlarm
from firmware.errors import OffhookError
from firmware.line_state import LineState, Phase
from firmware.live import LineAbout, SoundState
from firmware.model import LineId, LineKind
from firmware.policy import LinePolicy, recorded_from, ring_timeout_s
from firmware.ports import Clock, CountryAware, LineDriver, LineListener, Recorder
from firmware.recording_rules import RecordingRules
from firmware.runtime import RunningLine, Runtime
from firmware.signals.countries import CountryProfile, profile_of
from firmware.signals.listener import AnalogListener
from firmware.store.facts import HoleBegun, HoleEnded, LineKnown
from firmware.store.writer import StoreWriter

log = logging.getLogger("offhook.lines")


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a line takes over from the process before this one."""

    state: LineState | None = None
    hole: HoleBegun | None = None
    """Since when nobody watches the line."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """All of the settings that a line depends on: when any of it changes, the line is swapped."""

    line: LineSettings
    preroll_s: float
    country: str
    rules: RecordingRules

    def same_device(self, other: _Wanted) -> bool:
        """Whether only the recording rules differ: they change under a running driver, so that no event is lost."""
        return self == replace(other, rules=self.rules, line=attrs.evolve(other.line, record=self.line.record))


class LineKeeper:
    """Starts, swaps and stops lines. All of it runs on the core loop (`Runtime.do`), so lines never change under it."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        recorder: Recorder,
        store: StoreWriter,
        clock: Clock,
        attach: Callable[[LineId, object], None] = lambda _line, _driver: None,
        detach: Callable[[LineId], None] = lambda _line: None,
    ) -> None:
        """``attach`` is told of each driver before it starts, ``detach`` of each line that left."""
        self._attach = attach
        self._detach = detach
        self._runtime = runtime
        self._recorder = recorder
        self._store = store
        self._clock = clock
        self._wanted: dict[LineId, _Wanted] = {}
        self._running: dict[LineId, _Wanted] = {}

    def apply(self, settings: Settings, inherited: Mapping[LineId, Inherited] | None = None) -> None:
        """Runs the lines of ``settings``. A line that is in a call keeps its old settings until the call is over."""
        self._wanted = {
            line.id: _Wanted(line, settings.recording.preroll_s, settings.country_of(line), rules_of(settings, line))
            for line in settings.lines
        }
        self.settle(inherited)

    def settle(self, inherited: Mapping[LineId, Inherited] | None = None) -> None:
        """Swaps every line that differs from what is wanted and is not in a call."""
        for line in [line for line in self._running if self._wanted.get(line) != self._running[line]]:
            running = self._runtime.lines[line]
            if running.state.phase is not Phase.IDLE:
                continue
            wanted = self._wanted.get(line)
            if wanted is not None and wanted.same_device(self._running[line]):
                running.state = replace(running.state, policy=replace(running.state.policy, rules=wanted.rules))
                self._running[line] = wanted
            else:
                self._stop(line)
                if line not in self._wanted:
                    self._store.submit([HoleEnded(line=line, until=self._clock.now())])
        for line, wanted in self._wanted.items():
            if line not in self._running:
                self._start(wanted, (inherited or {}).get(line, Inherited()))

    @property
    def unsettled(self) -> bool:
        """Whether some line waits for the end of its call to be swapped."""
        return self._wanted != self._running

    def stop(self) -> None:
        """Stops every driver; open calls stay open in the database and go on after the next start."""
        for line in list(self._running):
            self._runtime.lines[line].driver.stop()
        self._runtime.leave()

    def _start(self, wanted: _Wanted, inherited: Inherited) -> None:
        now = self._clock.now()
        line = wanted.line
        try:
            driver = driver_type(line.driver)(line.id, line.options, self._runtime.post, self._clock)  # type: ignore[call-arg]
        except OffhookError as error:
            log.error("line %s cannot start: %s", line.id, error, extra={"offhook": {"line": line.id}})
            self._store.submit(
                [RaiseAlarm(key="line_misconfigured", subject=line.id, at=now, params={"reason": str(error)})]
            )
            return
        # A driver may be able to do less than its kind: a hat without a hook relay cannot answer.
        country = profile_of(wanted.country)
        if isinstance(driver, CountryAware):
            driver.use_country(country)
        policy = replace(policy_of(line, wanted.preroll_s, country), actions=driver.actions, rules=wanted.rules)
        state = replace(inherited.state or LineState(line=line.id, policy=policy), policy=policy)
        about = LineAbout(id=line.id, label=line.name, kind=driver.kind, driver=line.driver, country=wanted.country)
        source = driver.audio_source()
        running = RunningLine(
            about=about,
            driver=driver,
            state=state,
            sound=SoundState.OK if source is not None else SoundState.NONE,
        )
        self._store.submit(
            [
                LineKnown(
                    line=line.id,
                    kind=driver.kind,
                    driver=line.driver,
                    label=line.name,
                    at=now,
                    country=wanted.country,
                ),
                ResolveAlarm(key="line_misconfigured", subject=line.id, at=now),
                *([inherited.hole] if inherited.hole is not None else []),
            ]
        )
        self._runtime.add(running)
        if source is not None:
            self._recorder.add_line(line.id, source, wanted.preroll_s, _listener(line, driver, country))
        self._running[line.id] = wanted
        self._attach(line.id, driver)
        driver.start()

    def _stop(self, line: LineId) -> None:
        self._runtime.lines[line].driver.stop()
        self._recorder.remove_line(line)
        self._runtime.drop(line)
        self._detach(line)
        del self._running[line]


def rules_of(settings: Settings, line: LineSettings) -> RecordingRules:
    """Which calls of ``line`` are recorded."""
    recording = settings.recording
    calling_code = phonenumbers.country_code_for_region(settings.country_of(line))
    return RecordingRules(
        calls=line.record or recording.calls,
        always=recording.always,
        never=recording.never,
        calling_code=str(calling_code) if calling_code else "",
    )


def policy_of(line: LineSettings, preroll_s: float, country: CountryProfile) -> LinePolicy:
    """What the settings of a line mean for its calls."""
    kind = driver_type(line.driver).kind
    return LinePolicy(
        kind=kind,
        actions=driver_type(line.driver).actions,
        preroll_s=preroll_s,
        record_from=recorded_from(kind),
        answer_supervision=line.tells_answer(kind),
        ring_timeout_s=ring_timeout_s(kind, country),
    )


def _listener(line: LineSettings, driver: LineDriver, country: CountryProfile) -> LineListener | None:
    """Decoders of what an analog line carries; a module says everything in words."""
    if driver.kind is not LineKind.ANALOG:
        return None
    return AnalogListener(
        line.id,
        country=country,
        estimate_answer=not line.tells_answer(driver.kind),
        end_on_busy_tone=line.hangup_on_busy_tone,
        end_on_silence_s=line.hangup_on_silence_s or None,
    )
