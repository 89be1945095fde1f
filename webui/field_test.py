"""A field test led from a phone: the run's thread asks, the page shows and answers; a reload loses nothing."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from attrs import evolve, frozen

from fieldtest.access import Access
from fieldtest.acts import Act, Reply
from fieldtest.conductor import Conductor, Plan
from fieldtest.results import Words
from fieldtest.run import Run
from firmware.errors import OffhookError
from firmware.worker import Worker

log = logging.getLogger("offhook.web")

_LONGEST_S = 1800.0
"""Nobody answered for so long: the run ends here, and can be gone on with."""
_LOOK_S = 0.2


@frozen(kw_only=True)
class Shown:
    """What a phone sees now. ``number`` changes with each question; an answer to an older one is not taken."""

    number: int = 0
    act: Act | None = None
    going_on: Act | None = None
    """An act with seconds that has begun, and until when (time.monotonic)."""
    until_s: float = 0.0
    told: tuple[Words, ...] = ()
    fault: str = ""

    @property
    def seconds_left(self) -> int:
        return max(0, round(self.until_s - time.monotonic()))


class FieldTestDesk:
    """At most one run at a time. A `Guide`, of which a person holds the other end."""

    exact = False

    def __init__(self, data_dir: Path, run_dir: Path) -> None:
        self._access = Access(data_dir, run_dir)
        self._changed = threading.Condition()
        self._shown = Shown()
        self._reply: Reply | None = None
        self._worker: Worker | None = None
        self._ending = False

    # --- for the page -----------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self._worker is not None and self._worker.alive

    @property
    def shown(self) -> Shown:
        with self._changed:
            return self._shown

    def begin(self, plan: Plan) -> Run:
        """Starts a new run. Raises `OffhookError` when it cannot begin."""
        conductor = Conductor(self._access, self, plan)
        run = conductor.begin()
        self._start(conductor, run, None)
        return run

    def go_on(self, run: Run, again: str | None = None) -> None:
        """Goes on with ``run``; ``again``: tests that subject once more."""
        plan = Plan(technician=run.technician)
        self._start(Conductor(self._access, self, plan), run, again)

    def answer(self, number: int, reply: Reply) -> bool:
        """False when the question was another one, which happens with two phones and after a reload."""
        with self._changed:
            if self._shown.act is None or self._shown.number != number or self._reply is not None:
                return False
            self._reply = reply
            self._changed.notify_all()
            return True

    def stop(self) -> None:
        """Ends the run at its next question, as a technician would; it can be gone on with."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    # --- for the run ------------------------------------------------------------------------------------------------

    def ask(self, act: Act) -> Reply:
        until_s = time.monotonic() + _LONGEST_S
        with self._changed:
            self._reply = None
            self._shown = evolve(self._shown, number=self._shown.number + 1, act=act, going_on=None)
            while self._reply is None and not self._ending and time.monotonic() < until_s:
                self._changed.wait(_LOOK_S)
            reply = self._reply or Reply(what="abort")
            going_on = act if act.seconds and reply.what == "done" else None
            self._shown = Shown(
                number=self._shown.number, going_on=going_on, until_s=time.monotonic() + act.seconds, told=()
            )
            self._reply = None
            return reply

    def tell(self, words: Words) -> None:
        with self._changed:
            self._shown = evolve(self._shown, told=(*self._shown.told, words)[-4:])

    # ----------------------------------------------------------------------------------------------------------------

    def _start(self, conductor: Conductor, run: Run, again: str | None) -> None:
        if self.running:
            raise OffhookError("a field test is going on already; end it first")
        with self._changed:
            self._ending, self._reply = False, None
            self._shown = Shown(number=self._shown.number + 1)
        self._worker = Worker("field-test", lambda _stop: self._lead(conductor, run, again))
        self._worker.start()

    def _lead(self, conductor: Conductor, run: Run, again: str | None) -> None:
        try:
            conductor.go_on(run) if again is None else conductor.repeat(run, again)
        except (OffhookError, OSError) as error:
            log.warning("the field test stopped: %s", error)
            with self._changed:
                self._shown = Shown(number=self._shown.number + 1, fault=str(error))
            return
        with self._changed:
            self._shown = Shown(number=self._shown.number + 1)
