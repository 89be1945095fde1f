"""What the cloud asks of the box: settings to put in force, and commands to carry out once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.errors import ConflictError, OffhookError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError, RefusedError
from sync import wire
from sync.outbox import Outbox, ask_for_file, note

log = logging.getLogger("offhook.sync")

CONFIG_VERSION = "cfg_ver"
_CONFIG_REPORT = "cfg_report"
DEADLINE_S = 5.0
BY = "cloud"


class CannotError(OffhookError):
    """A command cannot be carried out; the message goes back to the cloud."""


@dataclass(frozen=True, slots=True)
class Deeds:
    """What commands do to the process."""

    now: Callable[[], None]
    pause: Callable[[float], None]
    """Seconds; 0: until resumed."""
    resume: Callable[[], None]
    status: Callable[[], dict[str, Any]]


class Orders:
    def __init__(self, outbox: Outbox, socket: Path, deeds: Deeds) -> None:
        self._outbox = outbox
        self._socket = socket
        self._does: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "sync.now": lambda _args: _done(deeds.now),
            "sync.pause": lambda args: _done(lambda: deeds.pause(_seconds(args))),
            "sync.resume": lambda _args: _done(deeds.resume),
            "file.request": self._request_file,
            "status.get": lambda _args: deeds.status(),
        }

    def carry_out(self, command: wire.Command, *, allowed: bool, utc_ms: int) -> list[wire.Result]:
        """The answers to send. ``utc_ms`` is the cloud's time: a box without the right time must not miss a deadline.

        Remembered before it is done: a command that comes again, also after a power cut, is not done again once it has
        a result. One that was cut off is done again, which is why each of them may be. Raises `StoreError`.
        """
        before = self._outbox.take_command(command, utc_ms)
        if before is not None and before.state not in ("accepted", "running"):
            return [before]
        result = self._result(command, allowed=allowed, utc_ms=utc_ms)
        self._outbox.finish_command(command.op, result, utc_ms)
        log.info("command %s from the cloud: %s", command.op, result.state, extra={"offhook": {"command": command.id}})
        return [result] if before is not None else [wire.Result(id=command.id, state="accepted"), result]

    def put_in_force(self, desired: wire.Desired, *, allowed: bool) -> wire.Reported | None:
        """Puts the settings in force; what to report, or None when the recorder cannot be asked now."""
        known = int(self._outbox.note(CONFIG_VERSION) or 0)
        if desired.ver <= known:
            report = self._outbox.note(_CONFIG_REPORT)
            return wire.parse(report.encode(), wire.Reported) if report else wire.Reported(ver=known, applied=False)
        if not allowed:
            report_now = wire.Reported(ver=desired.ver, applied=False, error="sync.take_settings is false on this box")
        else:
            try:
                report_now = self._apply(desired)
            except (RecorderUnreachableError, ConflictError) as error:
                log.warning("settings of the cloud wait: %s", error)
                return None
        text = wire.build(report_now).decode()
        self._outbox.write([note(CONFIG_VERSION, str(desired.ver)), note(_CONFIG_REPORT, text)])
        return report_now

    def _result(self, command: wire.Command, *, allowed: bool, utc_ms: int) -> wire.Result:
        if not allowed:
            return wire.Result(id=command.id, state="failed", error="sync.take_commands is false on this box")
        if utc_ms > command.not_after_ms:
            return wire.Result(id=command.id, state="expired")
        act = self._does.get(command.op)
        if act is None:
            return wire.Result(id=command.id, state="unsupported", error=f"there is no {command.op}")
        try:
            return wire.Result(id=command.id, state="done", result=act(command.args))
        except CannotError as error:
            return wire.Result(id=command.id, state="failed", error=str(error))

    def _request_file(self, args: dict[str, Any]) -> dict[str, Any]:
        fid = args.get("fid")
        if not isinstance(fid, str) or not self._outbox.knows_file(fid):
            raise CannotError(f"this box has no file {fid!r:.60}")
        self._outbox.write([ask_for_file(fid)])
        return {}

    def _apply(self, desired: wire.Desired) -> wire.Reported:
        with RecorderClient(self._socket, DEADLINE_S) as client:
            base = client.request("config.get")["version"]
            try:
                applied = client.request("config.apply", base_version=base, document=desired.document, by=BY)
            except RefusedError as error:
                if error.code == "conflict":
                    raise ConflictError(str(error)) from error
                return wire.Reported(ver=desired.ver, applied=False, error=str(error)[:4000], effective=base)
        return wire.Reported(ver=desired.ver, applied=True, effective=applied["version"])


def _done(act: Callable[[], None]) -> dict[str, Any]:
    act()
    return {}


def _seconds(args: dict[str, Any]) -> float:
    value = args.get("for_s", 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 366 * 86400:
        raise CannotError(f"for_s must be 0 to a year of seconds, not {value!r:.40}")
    return float(value)
