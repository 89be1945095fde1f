"""What the cloud asks of the box: settings to put in force, and commands to carry out once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.errors import ConflictError, OffhookError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError, RefusedError
from sync import wire
from sync.logs import NoLogError, collect
from sync.longer import Longer, kept_of
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
    def __init__(
        self, outbox: Outbox, socket: Path, deeds: Deeds, *, longer: Longer, data_dir: Path, allow_erase: bool = False
    ) -> None:
        self._outbox = outbox
        self._longer = longer
        self._data_dir = data_dir
        self._allow_erase = allow_erase
        self._socket = socket
        self._does: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "sync.now": lambda _args: _done(deeds.now),
            "sync.pause": lambda args: _done(lambda: deeds.pause(_seconds(args))),
            "sync.resume": lambda _args: _done(deeds.resume),
            "file.request": self._request_file,
            "status.get": lambda _args: deeds.status(),
            "config.get": lambda _args: dict(zip(("version", "document"), outbox.settings(), strict=True)),
            "recording.erase": self._erase,
            "log.upload": self._upload_log,
        }

    def carry_out(self, command: wire.Command, *, allowed: bool, utc_ms: int) -> list[wire.Result]:
        """The answers to send. ``utc_ms`` is the cloud's time: a box without the right time must not miss a deadline.

        Remembered before it is done: a command that comes again, also after a power cut, is not done again once it has
        a result. One that was cut off is done again, which is why each of them may be. Raises `StoreError`.
        """
        before = self._outbox.take_command(command, utc_ms)
        if before is not None and before.state != "accepted":
            return [before]
        result = self._result(command, allowed=allowed, utc_ms=utc_ms)
        self._outbox.finish_command(command.op, result, utc_ms)
        log.info("command %s from the cloud: %s", command.op, result.state, extra={"offhook": {"command": command.id}})
        return [result] if before is not None else [wire.Result(id=command.id, state="accepted"), result]

    def see_to_longer(self, utc_ms: int) -> list[wire.Result]:
        """What became of commands that take their time: those that are over now. Raises `StoreError`."""
        over = []
        for op, running in self._outbox.running_commands():
            kept = kept_of(running)
            before = dict(kept)
            result = self._longer.drive(running.id, op, kept, utc_ms)
            if result is not None:
                self._outbox.finish_command(op, result, utc_ms)
                log.info("command %s from the cloud: %s", op, result.state, extra={"offhook": {"command": running.id}})
                over.append(result)
            elif kept != before:
                self._outbox.finish_command(op, wire.Result(id=running.id, state="running", result=kept), utc_ms)
        return over

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
        if act is None and command.op not in Longer.ops:
            return wire.Result(id=command.id, state="unsupported", error=f"there is no {command.op}")
        try:
            if act is None:
                return wire.Result(id=command.id, state="running", result=self._longer.begin(command, utc_ms))
            return wire.Result(id=command.id, state="done", result=act(command.args))
        except (CannotError, ValueError) as error:
            return wire.Result(id=command.id, state="failed", error=str(error))

    def _request_file(self, args: dict[str, Any]) -> dict[str, Any]:
        fid = args.get("fid")
        if not isinstance(fid, str) or not self._outbox.knows_file(fid):
            raise CannotError(f"this box has no file {fid!r:.60}")
        self._outbox.write([ask_for_file(fid)])
        return {}

    def _erase(self, args: dict[str, Any]) -> dict[str, Any]:
        if not self._allow_erase:
            raise CannotError("sync.allow_erase is false on this box")
        recording, reason = args.get("recording"), args.get("reason", "")
        if not isinstance(recording, str) or not isinstance(reason, str):
            raise CannotError("recording must be the id of one, and reason text")
        try:
            with RecorderClient(self._socket, DEADLINE_S) as client:
                return client.request("recording.erase", recording=recording, by=BY, reason=reason[:500])
        except (RefusedError, RecorderUnreachableError) as error:
            raise CannotError(str(error)) from error

    def _upload_log(self, args: dict[str, Any]) -> dict[str, Any]:
        hours = args.get("hours", 24)
        if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 720:
            raise CannotError(f"hours must be 0 to 720, not {hours!r:.40}")
        now_ms = time.time_ns() // 1_000_000
        try:
            file = collect(self._data_dir, name=str(now_ms), hours=hours, utc_ms=now_ms)
        except (NoLogError, OSError) as error:
            raise CannotError(str(error)) from error
        self._outbox.write([file.mark])
        return {"fid": file.fid}

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
