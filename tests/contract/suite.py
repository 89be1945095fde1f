"""What every line driver must do, whatever its hardware. See docs/adding-a-line-driver.md.

A driver's test file subclasses `LineDriverContract` and gives it a *bench*: the world outside that one driver.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import attrs
import pytest

from firmware.call_machine import step
from firmware.clock import SystemClock
from firmware.config import parse_options
from firmware.drivers import driver_type
from firmware.effects import Account, Anomaly, Effect, LineAction, SaveCall
from firmware.errors import ConfigError, DeviceError
from firmware.events import (
    Answered,
    CallEnded,
    LineCondition,
    LineDown,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
    Ring,
    Tick,
)
from firmware.line_state import LineState, Phase
from firmware.model import Call, CallStatus, LineId, LineKind, Outcome
from firmware.policy import LinePolicy, recorded_from
from firmware.ports import LineDriver
from tests.contract.heard import Heard

LINE = LineId("line-1")
_AT_ONCE_S = 0.2
_LATE_S = 2.0
"""A driver may take so long to be sure of what it saw (debounce), but stamps the moment it happened."""
_OUT_OF_ORDER_S = 0.5
"""The longest time by which an event may be stamped earlier than the one before it."""
_SETTLES_S = 3.0
"""After so long everything that belongs to a call's end has been said."""


class LineBench(Protocol):
    """The world outside one line. A method returns when the thing is done there, not when the box has noticed."""

    name: str
    """The driver's name in the settings."""
    options: dict[str, Any]
    """Its ``[lines.options]``, for the device of this bench."""
    wrong_options: tuple[dict[str, Any], ...]
    """Options the driver's ``options_type`` must refuse."""

    def plug(self) -> None:
        """The device is there (again), its line idle, or as it was if that outlives the device."""
        ...

    def unplug(self) -> None: ...

    def ring(self) -> None:
        """Somebody calls; it rings until `give_up` or `answer`."""
        ...

    def give_up(self) -> None:
        """The caller gives up while it rings."""
        ...

    def answer(self, driver: LineDriver) -> None:
        """Somebody takes the ringing call: a handset is lifted, or a person tells the box to answer."""
        ...

    def end(self) -> None:
        """The answered call ends."""
        ...


class LineDriverContract:
    """Subclass as ``class TestMyDriver(LineDriverContract)`` with a fixture ``bench`` that yields a `LineBench`."""

    @pytest.fixture
    def heard(self) -> Heard:
        return Heard()

    @pytest.fixture
    def make(self, bench: LineBench, heard: Heard) -> Iterator[Callable[[], LineDriver]]:
        """Makes the driver as the product does: by its name, from the settings; stopped when the test is over."""
        made: list[LineDriver] = []

        def make() -> LineDriver:
            options = parse_options(bench.name, bench.options)
            made.append(driver_type(bench.name)(LINE, options, heard, SystemClock()))  # type: ignore[call-arg]
            return made[-1]

        yield make
        for driver in made:
            driver.stop()

    @pytest.fixture
    def driver(self, bench: LineBench, make: Callable[[], LineDriver], heard: Heard) -> LineDriver:
        """The driver, started on a device that is there; its line is in view."""
        bench.plug()
        driver = make()
        driver.start()
        heard.wait(LineUp)
        return driver

    # --- what it says of itself ---------------------------------------------------------------------------------------

    def test_it_declares_what_it_is(self, bench: LineBench) -> None:
        kind = driver_type(bench.name)
        assert isinstance(kind.kind, LineKind)
        assert attrs.has(kind.options_type)
        assert kind.actions <= {action.value for action in LineAction}

    def test_wrong_options_are_refused_with_a_reason(self, bench: LineBench) -> None:
        parse_options(bench.name, bench.options)
        assert bench.wrong_options
        for wrong in ({**bench.options, "there_is_no_such_setting": 1}, *bench.wrong_options):
            with pytest.raises(ConfigError) as refused:
                parse_options(bench.name, wrong)
            assert all(fault.strip() for fault in refused.value.faults)

    # --- coming into view ---------------------------------------------------------------------------------------------

    def test_first_it_says_that_the_line_is_up(self, driver: LineDriver, heard: Heard) -> None:
        first = heard.events[0]
        assert isinstance(first, LineUp)
        assert (first.line, first.condition) == (LINE, LineCondition.IDLE)

    def test_nothing_is_said_before_start(self, bench: LineBench, make: Callable[[], LineDriver], heard: Heard) -> None:
        bench.plug()
        make()
        time.sleep(0.5)
        assert heard.events == ()

    def test_a_missing_device_is_said_first_and_found_when_it_comes(
        self, bench: LineBench, make: Callable[[], LineDriver], heard: Heard
    ) -> None:
        bench.unplug()
        make().start()
        first = heard.wait(LineDown)
        assert heard.events[0] == first
        assert isinstance(first, LineDown)
        assert first.reason.strip()
        time.sleep(_SETTLES_S)  # it tries again and again meanwhile
        bench.plug()
        heard.wait(LineUp)
        assert len(heard.of(LineDown)) == 1, "a missing device is said once, not at each try"

    def test_a_call_that_was_there_first_is_said_with_the_line(
        self, bench: LineBench, make: Callable[[], LineDriver], heard: Heard
    ) -> None:
        bench.plug()
        bench.ring()
        time.sleep(0.5)
        make().start()
        up = heard.wait(LineUp)
        if isinstance(up, LineUp) and up.condition is not LineCondition.RINGING:
            heard.wait(Ring)  # it came into view between two bursts

    # --- calls --------------------------------------------------------------------------------------------------------

    def test_a_ring_is_said(self, bench: LineBench, driver: LineDriver, heard: Heard) -> None:
        bench.ring()
        assert heard.wait(Ring).line == LINE

    def test_the_end_is_said_exactly_once(self, bench: LineBench, driver: LineDriver, heard: Heard) -> None:
        self._answered_call(bench, driver, heard)
        time.sleep(_SETTLES_S)
        assert len(heard.of(OnHook, CallEnded)) == 1
        assert len(heard.of(OffHook, Answered)) == 1

    def test_a_missed_call_is_missed(self, bench: LineBench, driver: LineDriver, heard: Heard) -> None:
        bench.ring()
        heard.wait(Ring)
        bench.give_up()
        time.sleep(_SETTLES_S)
        calls, entries = _as_the_box_sees_it(driver, heard)
        assert [(call.outcome, call.parts) for call in calls] == [(Outcome.MISSED, 0)]
        assert all(entry.call for entry in entries)

    def test_two_calls_are_two_calls_without_a_fault(self, bench: LineBench, driver: LineDriver, heard: Heard) -> None:
        self._answered_call(bench, driver, heard)
        time.sleep(_SETTLES_S)
        self._answered_call(bench, driver, heard, before=1)
        time.sleep(_SETTLES_S)
        calls, entries = _as_the_box_sees_it(driver, heard)
        assert [(call.outcome, call.parts) for call in calls] == [(Outcome.ANSWERED, 1)] * 2
        assert all(entry.call for entry in entries), "everything it said is explained by the calls"

    def test_moments_are_those_at_which_things_happened(
        self, bench: LineBench, driver: LineDriver, heard: Heard
    ) -> None:
        self._answered_call(bench, driver, heard)
        for event, arrived in zip(heard.events, heard.arrivals, strict=True):
            assert -0.01 <= arrived.seconds_since(event.at) <= _LATE_S, event
            assert abs(event.at.utc_ns - event.at.boot_ns - (arrived.utc_ns - arrived.boot_ns)) < 1e9, "both clocks"
        for earlier, later in zip(heard.events, heard.events[1:], strict=False):
            assert later.at.seconds_since(earlier.at) > -_OUT_OF_ORDER_S, (earlier, later)

    # --- losing the device --------------------------------------------------------------------------------------------

    def test_a_lost_device_is_said_and_looked_for(self, bench: LineBench, driver: LineDriver, heard: Heard) -> None:
        bench.unplug()
        lost = heard.wait(LineDown)
        assert isinstance(lost, LineDown)
        assert lost.reason.strip()
        bench.plug()
        heard.wait(LineUp, count=2)
        assert len(heard.of(LineDown)) == 1
        bench.ring()
        heard.wait(Ring)

    def test_a_device_lost_in_a_call_loses_no_call(self, bench: LineBench, driver: LineDriver, heard: Heard) -> None:
        bench.ring()
        heard.wait(Ring)
        bench.answer(driver)
        heard.wait(OffHook, Answered)
        bench.unplug()
        heard.wait(LineDown)
        bench.plug()
        heard.wait(LineUp, count=2)
        calls, _ = _as_the_box_sees_it(driver, heard, until_everything_ended=True)
        assert [call.status for call in calls] == [CallStatus.ENDED]
        assert calls[0].outcome is Outcome.ANSWERED

    # --- orders and the end -------------------------------------------------------------------------------------------

    def test_orders_return_at_once_even_without_a_device(
        self, bench: LineBench, driver: LineDriver, heard: Heard
    ) -> None:
        bench.unplug()
        heard.wait(LineDown)
        for order in (driver.answer, driver.hang_up, lambda: driver.dial("10086")):
            began = time.monotonic()
            with contextlib.suppress(DeviceError):  # it may say that it cannot; it may not keep anybody waiting
                order()
            assert time.monotonic() - began < _AT_ONCE_S

    def test_an_order_it_cannot_follow_is_refused_with_a_reason(self, driver: LineDriver) -> None:
        orders = {
            LineAction.DIAL: lambda: driver.dial("10086"),
            LineAction.ANSWER: driver.answer,
            LineAction.HANG_UP: driver.hang_up,
        }
        for action, order in orders.items():
            if action.value not in driver.actions:
                with pytest.raises(DeviceError, match=r".+"):
                    order()

    def test_after_stop_nothing_is_said_and_no_thread_is_left(
        self, bench: LineBench, driver: LineDriver, heard: Heard
    ) -> None:
        threads = {thread.name for thread in threading.enumerate() if LINE in thread.name}
        bench.ring()
        heard.wait(Ring)
        began = time.monotonic()
        driver.stop()
        assert time.monotonic() - began < 5.0
        said = len(heard.events)
        assert not threads & {thread.name for thread in threading.enumerate()}
        bench.give_up()
        bench.unplug()
        time.sleep(1.0)
        assert len(heard.events) == said

    def test_it_stops_while_it_looks_for_its_device(
        self, bench: LineBench, make: Callable[[], LineDriver], heard: Heard
    ) -> None:
        bench.unplug()
        driver = make()
        driver.start()
        heard.wait(LineDown)
        began = time.monotonic()
        driver.stop()
        assert time.monotonic() - began < 5.0

    def test_the_sound_says_what_it_is(self, driver: LineDriver) -> None:
        source = driver.audio_source()
        if source is not None:
            assert source.rate_hz in {8000, 16000, 32000, 48000}
            assert 1 <= len(source.roles) <= 2
            assert len(set(source.roles)) == len(source.roles)

    def _answered_call(self, bench: LineBench, driver: LineDriver, heard: Heard, *, before: int = 0) -> None:
        rings = len(heard.of(Ring))
        bench.ring()
        heard.wait(Ring, count=rings + 1)
        bench.answer(driver)
        heard.wait(OffHook, Answered, count=before + 1)
        time.sleep(0.5)
        bench.end()
        heard.wait(OnHook, CallEnded, count=before + 1)


def _as_the_box_sees_it(
    driver: LineDriver, heard: Heard, *, until_everything_ended: bool = False
) -> tuple[list[Call], list[Account]]:
    """The calls and the ledger that the call machine makes of everything the driver said."""
    policy = LinePolicy(kind=driver.kind, actions=driver.actions, record_from=recorded_from(driver.kind))
    state = LineState(line=LINE, policy=policy)
    effects: list[Effect] = []
    now = SystemClock().now().plus_s(policy.ring_timeout_s)
    closing: list[LineEvent] = [Tick(line=LINE, at=now)]
    if until_everything_ended:
        later = now.plus_s(policy.suspend_s)
        closing += [LineDown(line=LINE, at=now, reason="end of the test"), Tick(line=LINE, at=later)]
    for event in [*heard.events, *closing]:
        state, done = step(state, event)
        effects += done
    assert not [effect for effect in effects if isinstance(effect, Anomaly)]
    assert state.phase is Phase.IDLE
    calls = list({effect.call.id: effect.call for effect in effects if isinstance(effect, SaveCall)}.values())
    return calls, [effect for effect in effects if isinstance(effect, Account)]
