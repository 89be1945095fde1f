"""Carries out wishes for updates: checks, waits for quiet, installs into the other slot, restarts into it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.desk import Desk, Pending
from appliance.rauc import Bundle, Rauc, RaucError
from appliance.versions import is_downgrade
from firmware.errors import OffhookError
from firmware.ipc.client import RecorderClient
from firmware.update_wishes import Action, Phase, When, Wish, incoming, take

log = logging.getLogger("offhook.update")

COMPATIBLE = "offhook-arm64"
_LOOK_EVERY_S = 2.0
_TELL_EVERY_PERCENT = 5


def refusal(bundle: Bundle, running: str, *, allow_downgrade: bool) -> tuple[str, dict[str, str]] | None:
    """Why a bundle with a good signature is not installed: a key of `texts` and its blanks. None: it is."""
    if bundle.compatible != COMPATIBLE:
        return "other_kind", {"compatible": bundle.compatible[:40]}
    try:
        older = is_downgrade(bundle.version, running)
    except ValueError:
        return "unknown_version", {}
    return ("downgrade", {}) if older and not allow_downgrade else None


def is_quiet(lines: list[dict[str, Any]]) -> bool:
    """Whether no line is in a call, from the recorder's state (docs/interfaces.md, LINE)."""
    return all(line["phase"] == "idle" and line["call"] is None for line in lines)


def recorder_is_quiet(run_dir: Path) -> bool:
    """A recorder that does not answer records nothing that an update could disturb."""
    try:
        with RecorderClient(run_dir / "recorder.sock") as client:
            return is_quiet(client.request("state")["lines"])
    except OffhookError:
        return True


class Updater:
    """Works through the wishes that are there; started by systemd whenever one comes."""

    def __init__(
        self, data_dir: Path, run_dir: Path, *, rauc: Rauc, version: str, slot: str,
        quiet: Callable[[], bool], restart: Callable[[], None], pause: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._data = data_dir
        self._run = run_dir
        self._rauc = rauc
        self._version = version
        self._slot = slot
        self._quiet = quiet
        self._restart = restart
        self._pause = pause
        self._desk = Desk(data_dir, version=version, slot=slot)
        self._later: list[Wish] = []

    def serve(self) -> None:
        """Until no wish is left, or the box restarts."""
        while wishes := [*self._later, *take(self._run)]:
            self._later = wishes[1:]
            if self._carry_out(wishes[0]):
                return

    def _carry_out(self, wanted: Wish) -> bool:
        """True: the box restarts now."""
        log.info("%s, by %s", wanted.action, wanted.by)
        try:
            if wanted.action is Action.BACK:
                return self._back(wanted)
            if wanted.action is Action.INSTALL:
                return self._install(wanted)
        except RaucError as error:
            self._desk.forget()
            self._desk.tell(Phase.FAILED, "failed", wanted, why=str(error))
        return False  # a cancel with nothing to cancel

    def _install(self, wanted: Wish) -> bool:
        bundle = self._taken(wanted)
        if bundle is None:
            self._desk.tell(Phase.REFUSED, "no_bundle", wanted)
            return False
        try:
            return self._install_from(bundle, wanted)
        finally:
            bundle.unlink(missing_ok=True)

    def _install_from(self, path: Path, wanted: Wish) -> bool:
        self._desk.tell(Phase.CHECKING, "checking", wanted)
        try:
            bundle = self._rauc.bundle(path)
        except RaucError as error:
            self._desk.tell(Phase.REFUSED, "not_signed", wanted, why=str(error)[:200])
            return False
        candidate = bundle.version
        if refused := refusal(bundle, self._version, allow_downgrade=wanted.allow_downgrade):
            key, params = refused
            self._desk.tell(Phase.REFUSED, key, wanted, candidate=candidate, **params)  # type: ignore[arg-type]
            return False
        if wanted.when is When.NOW and not self._quiet():
            self._desk.tell(Phase.REFUSED, "in_call", wanted, candidate=candidate)
            return False
        if not self._wait_for_quiet(wanted, candidate):
            return False
        pending = Pending(wanted.id, wanted.by, candidate, self._version, self._slot, complete=False)
        self._desk.remember(pending)
        told = 0
        self._desk.tell(Phase.INSTALLING, "installing", wanted, candidate=candidate)

        def progress(percent: int) -> None:
            nonlocal told
            if percent >= told + _TELL_EVERY_PERCENT:
                told = percent
                self._desk.tell(Phase.INSTALLING, "installing", wanted, candidate=candidate, progress=percent)

        self._rauc.install(path, progress)
        self._desk.remember(Pending(wanted.id, wanted.by, candidate, self._version, self._slot, complete=True))
        # A call that began meanwhile is not cut.
        self._wait_for_quiet(wanted, candidate, may_cancel=False)
        self._desk.tell(Phase.RESTARTING, "restarting", wanted, candidate=candidate, progress=100)
        self._restart()
        return True

    def _back(self, wanted: Wish) -> bool:
        other = next((slot for slot in self._rauc.slots() if not slot.booted), None)
        if other is None or not other.good:
            self._desk.tell(Phase.REFUSED, "no_other", wanted)
            return False
        if wanted.when is When.NOW and not self._quiet():
            self._desk.tell(Phase.REFUSED, "in_call", wanted)
            return False
        if not self._wait_for_quiet(wanted, other.version):
            return False
        self._desk.remember(
            Pending(wanted.id, wanted.by, other.version, self._version, self._slot, complete=True, back=True)
        )
        self._rauc.go_to_other()
        self._desk.tell(Phase.RESTARTING, "restarting", wanted, candidate=other.version, progress=100)
        self._restart()
        return True

    def _wait_for_quiet(self, wanted: Wish, candidate: str, *, may_cancel: bool = True) -> bool:
        """False: it was cancelled."""
        told = False
        while not self._quiet():
            if not told:
                self._desk.tell(Phase.WAITING, "waiting", wanted, candidate=candidate)
                told = True
            for other in take(self._run):
                if other.action is Action.CANCEL and may_cancel:
                    self._desk.tell(Phase.REFUSED, "cancelled", wanted, candidate=candidate)
                    return False
                if other.action is not Action.CANCEL:
                    self._later.append(other)
            self._pause(_LOOK_EVERY_S)
        return True

    def _taken(self, wanted: Wish) -> Path | None:
        """The bundle, out of everybody else's reach: whoever brought it can change it no more."""
        brought = incoming(self._data) / wanted.bundle
        if brought.is_symlink() or not brought.is_file():
            return None
        folder = self._data / "updates" / "taken"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.iterdir():  # of an update that a power cut ended
            left.unlink()
        taken = folder / wanted.bundle
        brought.replace(taken)
        taken.chmod(0o600)
        return taken
