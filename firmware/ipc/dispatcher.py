"""Finds the handler of a command and checks its arguments before the handler sees them."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware.errors import ConfigError, ConflictError, RequestError
from firmware.ipc.codec import ERROR_CODES, Reply, Request, refusal

log = logging.getLogger("offhook.ipc")

CommandHandler = Callable[..., Mapping[str, Any]]
"""Gets the arguments by name; returns the result. Refuses by raising `RequestError` (or `ConfigError`,
`ConflictError`). Called on the client's own thread: it may wait, with a deadline."""


@dataclass(frozen=True, slots=True)
class _Command:
    handler: CommandHandler
    required: Mapping[str, type]
    optional: Mapping[str, type] = field(default_factory=dict)


class Dispatcher:
    """Every command the recorder answers (`subscribe` is the server's own)."""

    def __init__(self) -> None:
        self._commands: dict[str, _Command] = {}

    def add(
        self,
        name: str,
        handler: CommandHandler,
        required: Mapping[str, type] | None = None,
        optional: Mapping[str, type] | None = None,
    ) -> None:
        """Answers command ``name`` with ``handler``; arguments of other names or types are refused before it."""
        self._commands[name] = _Command(handler, required or {}, optional or {})

    def __call__(self, request: Request) -> Reply:
        command = self._commands.get(request.cmd)
        if command is None:
            return refusal(
                "unknown_command", f"there is no command {request.cmd!r}{_hint(request.cmd, self._commands)}"
            )
        wrong = _wrong_arguments(request.args, command)
        if wrong:
            return refusal("bad_request", f"{request.cmd}: {'; '.join(wrong)}")
        return _run(command.handler, request)


def _run(handler: CommandHandler, request: Request) -> Reply:
    try:
        return Reply(result=handler(**request.args))
    except ConfigError as error:
        return refusal("invalid", str(error), faults=list(error.faults))
    except ConflictError as error:
        return refusal("conflict", str(error))
    except RequestError as error:
        code = error.code if error.code in ERROR_CODES else "internal"
        return refusal(code, str(error))
    except Exception:
        # One client's question must not end the recording of all lines; the traceback is for us.
        log.exception("command %s failed", request.cmd, extra={"offhook": {"command": request.cmd}})
        return refusal(
            "internal", f"{request.cmd} failed inside the recorder; journalctl -u offhook-recorder says where"
        )


def _wrong_arguments(args: Mapping[str, Any], command: _Command) -> list[str]:
    known = {**command.required, **command.optional}
    wrong = [f"{name!r} is missing" for name in command.required if name not in args]
    for name, value in args.items():
        if name not in known:
            wrong.append(f"there is no argument {name!r}{_hint(name, known)}")
        elif not _is_a(value, known[name]):
            wrong.append(f"{name!r} must be {_NAMES[known[name]]}, not {value!r:.40}")
    return wrong


_NAMES = {str: "a string", int: "a whole number", bool: "true or false", float: "a number", list: "a list"}


def _is_a(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _hint(name: str, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(sorted(names))}" if names else ""
