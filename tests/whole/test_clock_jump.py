"""The wall clock jumps by years in mid-call: the call is one call of its true length, at its true time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from firmware.events import LineCondition, LineUp, OffHook, OnHook, Ring
from firmware.line_state import LineState
from firmware.live import LineAbout, LiveView
from firmware.model import Instant, LineId, LineKind
from firmware.policy import LinePolicy
from firmware.runtime import RunningLine, Runtime
from firmware.store import queries
from firmware.store.database import open_reader
from firmware.store.migrate import migrate
from firmware.store.writer import StoreWriter
from tests.whole.deaf import DeafRecorder, StillDriver

LINE = LineId("fxo-1")
YEARS_MS = 5 * 365 * 86_400_000


class JumpingClock:
    """The boot clock runs; the wall clock is wrong by five years until somebody sets it."""

    def __init__(self) -> None:
        self.wrong_by_ms = YEARS_MS

    def now(self) -> Instant:
        true_ns = time.time_ns()
        return Instant(time.clock_gettime_ns(time.CLOCK_BOOTTIME), true_ns - self.wrong_by_ms * 1_000_000)


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_clock_set_in_mid_call(tmp_path: Path, direction: str) -> None:
    clock = JumpingClock()
    if direction == "back":
        clock.wrong_by_ms = -YEARS_MS
    migrate(tmp_path / "offhook.db")
    store = StoreWriter(tmp_path / "offhook.db", clock)
    store.start()
    live = LiveView(clock)
    runtime = Runtime(
        clock=clock, store=store, recorder=DeafRecorder(), live=live, publish=lambda _: None, on_turn=lambda: None
    )
    policy = LinePolicy(kind=LineKind.ANALOG)
    about = LineAbout(id=LINE, label="1", kind=LineKind.ANALOG, driver="fxo-gpio")
    runtime.add(RunningLine(about=about, driver=StillDriver(), state=LineState(line=LINE, policy=policy)))

    began_utc_ms = time.time_ns() // 1_000_000
    for make in (
        lambda at: LineUp(line=LINE, at=at, condition=LineCondition.IDLE),
        lambda at: Ring(line=LINE, at=at),
        lambda at: OffHook(line=LINE, at=at),
    ):
        runtime.post(make(clock.now()))
        runtime.turn(0.1)
    time.sleep(0.4)
    clock.wrong_by_ms = 0
    time.sleep(0.4)
    runtime.post(OnHook(line=LINE, at=clock.now()))
    runtime.turn(0.1)
    store.stop(10.0)

    reader = open_reader(tmp_path / "offhook.db")
    (call,) = queries.list_calls(reader)
    ledger = queries.ledger(reader)
    reader.conn.close()
    assert call["outcome"] == "answered"
    assert abs(call["started_utc_ms"] - began_utc_ms) < 1000, "shown at its true time once the clock is right"
    assert 700 <= call["ended_utc_ms"] - call["answered_utc_ms"] <= 2000, "and with its true length"
    assert ledger["balance"]["call"] == 3
    assert ledger["balanced"]
