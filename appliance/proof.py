"""After each start: does this version do what the box is for? Only then is its slot marked good."""

from __future__ import annotations

import http.client
import logging
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from appliance import self_test
from appliance.desk import Desk
from appliance.rauc import Rauc, RaucError
from firmware.errors import OffhookError
from firmware.ipc.client import RecorderClient
from firmware.store.database import integrity_faults, open_reader
from firmware.update_wishes import Phase

log = logging.getLogger("offhook.proof")

DEADLINE_S = 600.0
"""For recorder, page and database to come up; a Pi takes half a minute, an emulated one several."""
_LOOK_EVERY_S = 2.0


class NotProvedError(OffhookError):
    """What this version does not do."""


def recorder_answers(run_dir: Path) -> None:
    with RecorderClient(run_dir / "recorder.sock") as client:
        client.request("hello")


def database_is_sound(data_dir: Path) -> None:
    db = open_reader(data_dir / "offhook.db")
    try:
        faults = integrity_faults(db, quick=True)
    finally:
        db.close()
    if faults:
        raise NotProvedError(f"database: {faults[0]}")


def page_answers(address: str) -> None:
    """Any answer of the page itself will do, also one that sends to the login; a proxy's 502 is none."""
    context = ssl.create_default_context()
    # The box's certificate is its own; that it answers is the question here, on the machine itself.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(address, timeout=30, context=context) as answer:
            code = answer.status
    except urllib.error.HTTPError as error:
        code = error.code
    except (OSError, http.client.HTTPException) as error:
        raise NotProvedError(f"page: {error}") from error
    if code >= 500:
        raise NotProvedError(f"page: it answers {code}")


def prove(checks: list[Callable[[], None]], *, deadline_s: float = DEADLINE_S) -> None:
    """Each check until it holds. Raises `NotProvedError` with the last fault when the time is over."""
    end = time.monotonic() + deadline_s
    for check in checks:
        while True:
            try:
                check()
                break
            except (OffhookError, OSError) as error:
                if time.monotonic() >= end:
                    raise NotProvedError(str(error)) from error
                time.sleep(_LOOK_EVERY_S)


class Prover:
    """What happens once after each start (offhook-prove.service)."""

    def __init__(
        self, data_dir: Path, *, rauc: Rauc, version: str, slot: str, checks: list[Callable[[], None]],
        test_call: Callable[[], object] = self_test.run, restart: Callable[[], None], deadline_s: float = DEADLINE_S,
    ) -> None:  # fmt: skip
        self._desk = Desk(data_dir, version=version, slot=slot)
        self._rauc = rauc
        self._version = version
        self._slot = slot
        self._checks = checks
        self._test_call = test_call
        self._restart = restart
        self._deadline_s = deadline_s

    def run(self) -> bool:
        """Whether this version proved itself; if not, and another one ran before it, the box restarts into that."""
        pending = self._desk.pending()
        if pending is None:
            return self._as_usual()
        if self._slot == pending.from_slot:
            self._came_back(pending.candidate, pending.why if pending.complete else "")
            return self._as_usual()
        self._desk.tell(Phase.PROVING, "proving", candidate=pending.candidate, progress=100)
        try:
            prove(self._checks, deadline_s=self._deadline_s)
            self._test_call()
        except (OffhookError, OSError) as error:
            log.error("version %s does not prove itself: %s", self._version, error)
            self._desk.remember(replace(pending, why=str(error)[:300]))
            self._rauc.mark_bad()
            self._restart()
            return False
        self._rauc.mark_good()
        self._desk.forget()
        key = "went_back" if pending.back else "done"
        self._desk.tell(Phase.DONE, key, candidate=self._version, progress=100, other=pending.from_version)
        log.info("version %s proved itself", self._version)
        return True

    def _came_back(self, candidate: str, why: str) -> None:
        pending = self._desk.pending()
        complete = pending is not None and pending.complete
        self._desk.forget()
        if complete:
            self._desk.tell(
                Phase.ROLLED_BACK,
                "rolled_back",
                candidate=candidate,
                other="",
                why=why or "it did not start / 未能启动",
            )
        else:
            self._desk.tell(Phase.FAILED, "interrupted", candidate=candidate)

    def _as_usual(self) -> bool:
        """The slot proved itself before; its boot counter is filled again once the box is up."""
        if self._desk.told() is None:
            self._desk.tell(Phase.IDLE, "idle")
        try:
            prove(self._checks, deadline_s=self._deadline_s)
            self._rauc.mark_good()
        except (NotProvedError, RaucError) as error:
            # No restart by itself: the recorder may be recording though the page is not there.
            log.error("the box is not complete: %s", error)
            return False
        return True
