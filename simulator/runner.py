"""Runs a scenario: the calls of one line one after the other, the lines at the same time."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

from firmware.errors import OffhookError
from firmware.worker import Worker
from simulator.conversation import StoppedError, rest
from simulator.journal import Journal, StreetCall, utc_ms
from simulator.office import Office
from simulator.scenario import CallPlan, Scenario, ScenarioError

log = logging.getLogger("offhook.street")

_BACK_DEADLINE_S = 30.0


class Player(Protocol):
    """Plays one planned call on its line."""

    def play(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None: ...


class Runner:
    """The street's conductor."""

    def __init__(self, players: dict[str, Player], offices: dict[str, Office], journal: Journal) -> None:
        self._players = players
        self._offices = offices
        self._journal = journal
        self._workers: list[Worker] = []
        self._lock = threading.Lock()
        self._planned = 0
        self._made = 0

    @property
    def running(self) -> bool:
        return any(worker.alive for worker in self._workers)

    @property
    def planned(self) -> int:
        """Calls of all scenarios so far; `Journal.count` of them are over."""
        return self._planned

    def run(self, scenario: Scenario) -> None:
        """Starts the scenario and returns. Raises `ScenarioError` when it needs a line that is not there."""
        lines: dict[str, list[CallPlan]] = {}
        for plan in scenario.calls:
            lines.setdefault(plan.line, []).append(plan)
        if missing := sorted(set(lines) - set(self._players)):
            raise ScenarioError(
                f"scenario {scenario.name} calls {', '.join(missing)}; this street has {', '.join(self._players)}"
            )
        if self.running:
            raise ScenarioError(f"scenario {scenario.name} must wait: another one is still running")
        self._planned += len(scenario.calls)
        started = time.monotonic()
        self._workers = [self._worker(line, plans, started) for line, plans in lines.items()]
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Ends every call that is up."""
        for worker in self._workers:
            worker.request_stop()
        for worker in self._workers:
            worker.join(20.0)
        self._workers = []

    def _worker(self, line: str, plans: list[CallPlan], started: float) -> Worker:
        return Worker(f"street-{line}", lambda stop: self._line(line, plans, started, stop))

    def _line(self, line: str, plans: list[CallPlan], started: float, stop: threading.Event) -> None:
        try:
            for n, plan in enumerate(plans):
                rest(stop, max(started + plan.at_s - time.monotonic(), plan.gap_s if n else 0))
                self._call(line, plan, stop)
        except StoppedError:
            log.info("line %s: the street closes", line)

    def _call(self, line: str, plan: CallPlan, stop: threading.Event) -> None:
        with self._lock:
            self._made += 1
            number = self._made
        call = StreetCall(
            id=f"{number:04d}-{line}",
            line=line,
            direction="outgoing" if plan.kind.outgoing else "incoming",
            number=plan.number,
            presentation="withheld" if plan.number is None else "valid",
            start_utc_ms=utc_ms(),
        )
        try:
            self._players[line].play(plan, call, stop)
        except StoppedError:
            call.trouble = "the street closed in mid-call"
            raise
        except OffhookError as error:
            call.trouble = str(error)
            log.warning("call %s did not go as planned: %s", call.id, error)
        finally:
            if call.end_utc_ms is None:
                call.end_utc_ms = utc_ms()
            self._journal.write(call)
        if call.faults and not self._offices[line].wait_until_ready(_BACK_DEADLINE_S):
            log.warning("line %s: the box does not show the line ready again", line)
