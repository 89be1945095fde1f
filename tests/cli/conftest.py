"""A shell on an empty data folder, and one on a folder with calls in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware.effects import Account, Fault, RaiseAlarm
from firmware.model import LineId, Presentation
from firmware.store.migrate import migrate
from firmware.store.writer import StoreWriter
from tests.cli.shell import LINE, START, Shell, StillClock, answered_call


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "data").mkdir()
    (tmp_path / "run").mkdir()
    return Shell(tmp_path / "data", tmp_path / "run")


@pytest.fixture
def write(shell: Shell) -> Callable[..., None]:
    """Stores facts as the recorder would."""

    def store(*facts: Any) -> None:
        migrate(shell.data / "offhook.db")
        writer = StoreWriter(shell.data / "offhook.db", StillClock(), boot_name="b")
        writer.start()
        writer.submit(facts)
        writer.stop(10.0)

    return store


@pytest.fixture
def two_calls(shell: Shell, write: Callable[..., None]) -> None:
    """A recorded call, one that a power cut ended on another line, a named fault and an alarm."""
    write(
        *answered_call(shell.data),
        *answered_call(
            shell.data, 600, line=LineId("fxo-2"), number=None, name=None, presentation=Presentation.WITHHELD
        ),
        Account(line=LINE, at=START.plus_s(10), kind="polarity_reversed", fault=Fault.REVERSAL_WITHOUT_CALL),
        RaiseAlarm(
            key="line_down", subject="fxo-2", at=START.plus_s(20), params={"reason": "USB device was unplugged"}
        ),
    )
