"""The exit codes of docs/interfaces.md, and which error ends in which."""

from __future__ import annotations

from enum import IntEnum

from firmware.errors import AlreadyRunningError, ConfigError, ConflictError, OffhookError, RequestError
from firmware.ipc.client import RecorderUnreachableError


class ExitCode(IntEnum):
    WELL = 0
    SOMETHING_IS_WRONG = 1
    WRONG_USE = 2
    NOT_RUNNING = 3
    REFUSED = 4


def exit_code_of(error: OffhookError) -> ExitCode:
    """What the shell gets for ``error``."""
    if isinstance(error, RecorderUnreachableError):
        return ExitCode.NOT_RUNNING
    if isinstance(error, RequestError | ConflictError | ConfigError | AlreadyRunningError):
        return ExitCode.REFUSED
    return ExitCode.SOMETHING_IS_WRONG
