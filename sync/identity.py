"""This box's own certificate for the cloud: its key, the requests for it, and the one before until the new one works.

`identity.json` names the folders in force; each change of it is one rename, so that no power cut leaves half of a pair.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firmware.errors import OffhookError

FOLDER = "sync-identity"


class UnfitError(OffhookError):
    """A certificate that is not for this box's key or name, or not valid now."""


@dataclass(frozen=True, slots=True)
class Pair:
    cert: Path
    key: Path


class BoxIdentity:
    def __init__(self, data_dir: Path, dev: str) -> None:
        self._folder = data_dir / FOLDER
        self._dev = dev

    def pair(self) -> Pair | None:
        """Certificate and key in force; None before the first."""
        name = self._state().get("current")
        return self._pair(name) if name else None

    def name(self) -> str:
        """Of the one in force; empty before the first."""
        return self._state().get("current", "")

    @property
    def on_trial(self) -> bool:
        """The one in force has not been accepted by the broker yet, and there is one before it."""
        return bool(self._state().get("before"))

    def request(self) -> tuple[str, str]:
        """Id and CSR of the next certificate; the same until it comes, also after a restart."""
        state = self._state()
        name = state.get("next")
        if not name or not (self._folder / name / "key.pem").exists():
            name = f"id-{secrets.token_hex(8)}"
            self._make_key(name)
            self._put(state | {"next": name})
        from sync.papers import request  # noqa: PLC0415 - 7 MB, only for boxes that get certificates by themselves

        return name, request(self._folder / name / "key.pem", self._dev)

    def take(self, name: str, chain: str, now: datetime) -> None:
        """The answer to `request`: from now on in force, on trial when there was one before. Raises `UnfitError`."""
        state = self._state()
        if name != state.get("next"):
            raise UnfitError("it answers another request")
        self._check(name, chain, now)
        folder = self._folder / name
        _write(folder / "cert.pem", chain.encode())
        self._put({"current": name, "before": state.get("current")})

    def worked(self) -> None:
        """The broker accepted the one in force: the one before goes."""
        state = self._state()
        if before := state.pop("before", None):
            self._put(state)
            shutil.rmtree(self._folder / before, ignore_errors=True)

    def failed(self) -> bool:
        """The broker refuses the one in force: back to the one before. False when there is none."""
        state = self._state()
        before = state.get("before")
        if not before:
            return False
        self._put({"current": before})
        shutil.rmtree(self._folder / str(state["current"]), ignore_errors=True)
        return True

    def due(self, now: datetime) -> bool:
        """Whether two thirds of its life are over."""
        pair = self.pair()
        if pair is None or self.on_trial:
            return False
        from sync.papers import renew_from  # noqa: PLC0415

        return now >= renew_from(pair.cert)

    def _check(self, name: str, chain: str, now: datetime) -> None:
        from sync.papers import unfit_because  # noqa: PLC0415

        if why := unfit_because(chain, self._folder / name / "key.pem", dev=self._dev, now=now):
            raise UnfitError(why)

    def _make_key(self, name: str) -> None:
        folder = self._folder / name
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        from sync.papers import new_key  # noqa: PLC0415

        _write(folder / "key.pem", new_key())

    def _pair(self, name: str) -> Pair:
        return Pair(self._folder / name / "cert.pem", self._folder / name / "key.pem")

    def _state(self) -> dict[str, str]:
        try:
            state = json.loads((self._folder / "identity.json").read_text())
        except (OSError, ValueError):
            return {}
        return {key: value for key, value in state.items() if isinstance(value, str)} if isinstance(state, dict) else {}

    def _put(self, state: Mapping[str, str | None]) -> None:
        _write(self._folder / "identity.json", json.dumps({k: v for k, v in state.items() if v}).encode())


def utc_now(utc_ns: int) -> datetime:
    return datetime.fromtimestamp(utc_ns / 1e9, UTC)


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
