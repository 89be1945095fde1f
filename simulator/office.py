"""The person in the office who uses a SIM line: answers, dials and hangs up through the box's socket."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from firmware.errors import OffhookError, RequestError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError

_TRY_AGAIN_S = 0.1


class OfficeError(OffhookError):
    """The box did not do what the person asked for."""


class Office:
    """One person at one line. Every request opens its own connection, so a restarted recorder is no obstacle."""

    def __init__(self, socket: Path, line: str) -> None:
        self._socket = socket
        self._line = line

    def answer(self, deadline_s: float = 5.0) -> None:
        """Answers what rings. Raises `OfficeError` when the box still refuses after ``deadline_s``."""
        self._insist("line.answer", deadline_s)

    def dial(self, number: str, deadline_s: float = 5.0) -> None:
        self._insist("line.dial", deadline_s, number=number)

    def hang_up(self, deadline_s: float = 5.0) -> None:
        self._insist("line.hangup", deadline_s)

    def line(self) -> dict[str, Any] | None:
        """The line as the box shows it; None when the box does not answer."""
        try:
            with RecorderClient(self._socket) as client:
                lines = client.request("state")["lines"]
        except (RecorderUnreachableError, RequestError):
            return None
        return next((line for line in lines if line["id"] == self._line), None)

    def wait_until_ready(self, deadline_s: float) -> bool:
        """True when the box shows the line present, idle and heard within ``deadline_s``."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            line = self.line()
            if line and line["present"] and line["phase"] == "idle" and line["sound"] != "lost":
                return True
            time.sleep(0.25)
        return False

    def _insist(self, command: str, deadline_s: float, **arguments: Any) -> None:
        end = time.monotonic() + deadline_s
        while True:
            try:
                with RecorderClient(self._socket) as client:
                    client.request(command, line=self._line, **arguments)
                return
            except (RecorderUnreachableError, RequestError) as error:
                # The box may not have seen the ring yet, or be restarting: a person presses the button again.
                if time.monotonic() > end:
                    raise OfficeError(f"line {self._line}: the box refused {command}: {error}") from error
            time.sleep(_TRY_AGAIN_S)
