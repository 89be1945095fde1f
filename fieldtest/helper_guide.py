"""A machine does what a technician would: a program beside the box, told by JSON lines. A line simulator, a second box.

It gets ``{"act": "call", "line": "fxo-1", "seconds": 0, "file": ""}`` on its standard input, and answers with
``{"what": "done"}`` (or ``skip`` with a ``reason``, ``abort``) on its standard output as soon as the act is done, or
has begun when it lasts for ``seconds``; ``number`` with ``call`` and ``heard`` with ``listen`` where it knows.
"""

from __future__ import annotations

import json
import selectors
import shlex
import subprocess
import sys
from types import TracebackType
from typing import Self

import cattrs

from fieldtest.acts import Act, Reply
from fieldtest.results import Words
from firmware.errors import OffhookError

_ANSWER_S = 60.0


class HelperError(OffhookError):
    """The program that acts for the technician does not do its part."""


class PipedGuide:
    """The helper is whoever started this command, over its own standard input and output (``ssh box offhook ...``)."""

    exact = True

    def tell(self, words: Words) -> None:
        """Machines are not curious."""

    def ask(self, act: Act) -> Reply:
        """Raises `HelperError`."""
        sys.stdout.write(_order(act))
        sys.stdout.flush()
        return _reply("at the other end", act, sys.stdin.readline())


class HelperGuide:
    """A context manager: the program runs as long as it is open."""

    exact = True

    def __init__(self, command: str) -> None:
        self._command = command
        try:
            self._process = subprocess.Popen(  # noqa: S603  # the technician's own program
                shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except (OSError, ValueError) as error:
            raise HelperError(f"the helper {command!r} cannot be started: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5.0)

    def tell(self, words: Words) -> None:
        """Machines are not curious."""

    def ask(self, act: Act) -> Reply:
        """Raises `HelperError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(_order(act))
            self._process.stdin.flush()
        except OSError as error:
            raise HelperError(f"the helper {self._command!r} has ended: {error}") from error
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(_ANSWER_S):
                raise HelperError(f"the helper {self._command!r} did not answer {act.name} within {_ANSWER_S:g} s")
        return _reply(repr(self._command), act, self._process.stdout.readline())


def _order(act: Act) -> str:
    return json.dumps({"act": act.name, "line": act.line, "seconds": act.seconds, "file": act.file}) + "\n"


def _reply(helper: str, act: Act, line: str) -> Reply:
    try:
        return cattrs.structure(json.loads(line), Reply)
    except (ValueError, TypeError, cattrs.BaseValidationError) as error:
        raise HelperError(f"the helper {helper} answered {act.name} with {line!r:.200}") from error
