"""The plan's meter against cases worked out by hand, to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from firmware.minutes import (
    LastMinutes,
    MeteredCall,
    Plan,
    Usage,
    charged_s,
    is_emergency,
    is_free,
    new_levels,
    period_of,
    usage,
    verdict,
    warned_level,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def call(start: str, seconds: float, number: str = "13800138000") -> MeteredCall:
    answered = local(start)
    return MeteredCall(number=number, answered=answered, ended=answered + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("step_s", "minimum_s", "seconds", "charged"),
    [
        (60, 0, 0.4, 60),
        (60, 0, 1, 60),
        (60, 0, 59.999, 60),
        (60, 0, 60, 60),
        (60, 0, 60.001, 120),
        (60, 0, 61, 120),
        (1, 0, 61, 61),
        (1, 0, 60.2, 61),
        (6, 0, 61, 66),
        (1, 30, 4, 30),
        (1, 30, 31, 31),
        (60, 60, 4, 60),
        (6, 30, 31, 36),
        (60, 0, 3600, 3600),
        (60, 0, 3601, 3660),
    ],
)
def test_a_call_counts_in_whole_steps_and_at_least_the_minimum(
    step_s: int, minimum_s: int, seconds: float, charged: int
) -> None:
    assert charged_s(Plan(billing_step_s=step_s, minimum_s=minimum_s), seconds) == charged


@pytest.mark.parametrize(
    ("reset_day", "now", "begins", "ends"),
    [
        (1, "2026-11-22T12:00:00", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        (22, "2026-11-22T00:00:00", "2026-11-22T00:00:00", "2026-12-22T00:00:00"),
        (22, "2026-11-21T23:59:59", "2026-10-22T00:00:00", "2026-11-22T00:00:00"),
        (31, "2027-02-15T10:00:00", "2027-01-31T00:00:00", "2027-02-28T00:00:00"),
        (31, "2027-02-28T00:00:00", "2027-02-28T00:00:00", "2027-03-31T00:00:00"),
        (29, "2028-02-29T08:00:00", "2028-02-29T00:00:00", "2028-03-29T00:00:00"),
        (15, "2027-01-03T08:00:00", "2026-12-15T00:00:00", "2027-01-15T00:00:00"),
    ],
)
def test_the_period_begins_at_local_midnight_of_the_reset_day(reset_day: int, now: str, begins: str, ends: str) -> None:
    assert period_of(Plan(reset_day=reset_day), local(now), SHANGHAI) == (local(begins), local(ends))


def test_a_period_over_the_change_of_the_clocks_is_an_hour_shorter() -> None:
    begins, ends = period_of(Plan(), local("2027-03-20T12:00", BERLIN), BERLIN)
    assert ends - begins == timedelta(days=31) - timedelta(hours=1)


def test_a_month_worked_out_by_hand() -> None:
    """100 minutes, each begun minute counts, 400 numbers and 10086 are free, the month begins on the 5th."""
    plan = Plan(included_minutes=100, reset_day=5, free_numbers=("400*", "10086"))
    calls = [
        call("2026-11-04T23:59:59", 600),  # the month before
        call("2026-11-05T00:00:00", 61),  # 2 min
        call("2026-11-06T09:00:00", 60),  # 1 min
        call("2026-11-07T09:00:00", 3599),  # 60 min
        call("2026-11-07T11:00:00", 1800, "4008001234"),  # free
        call("2026-11-07T12:00:00", 60, "+864008001234"),  # free, written internationally
        call("2026-11-08T12:00:00", 90, "10086"),  # free
        call("2026-11-08T13:00:00", 30, "100861"),  # 1 min: not 10086
        call("2026-11-09T13:00:00", 45, "110"),  # an emergency costs nothing
    ]
    now = local("2026-11-15T00:00:00")
    used = usage(plan, calls, now, SHANGHAI)
    assert (used.calls, used.free_calls) == (4, 4)
    assert used.used_s == 64 * 60
    assert used.left_s == 36 * 60
    assert used.used_percent == 64.0
    assert used.forecast_s == 64 * 60 * 30 // 10
    assert used.will_run_out


def test_a_call_that_is_up_counts_so_far_and_belongs_to_the_period_it_was_answered_in() -> None:
    plan = Plan(included_minutes=10, billing_step_s=1)
    up = MeteredCall(number="1", answered=local("2026-11-30T23:59:00"))
    assert usage(plan, [up], local("2026-11-30T23:59:30"), SHANGHAI).used_s == 30
    assert usage(plan, [up], local("2026-12-01T00:00:30"), SHANGHAI).used_s == 0


def test_nothing_is_left_below_zero_and_without_a_meter_nothing_is_left_at_all() -> None:
    calls = [call("2026-11-05T00:00:00", 700)]
    now = local("2026-11-22T00:00:00")
    assert usage(Plan(included_minutes=10), calls, now, SHANGHAI).left_s == 0
    assert usage(Plan(), calls, now, SHANGHAI).left_s is None
    assert not usage(Plan(), calls, now, SHANGHAI).will_run_out


@pytest.mark.parametrize("mode", [LastMinutes.ASK, LastMinutes.BLOCK])
@pytest.mark.parametrize(
    ("used_s", "number", "held_back"),
    [
        (5 * 60 - 1, "13900139000", False),
        (5 * 60, "13900139000", True),
        (10 * 60, "13900139000", True),
        (10 * 60, "110", False),
        (10 * 60, "1-1-2", False),
        (10 * 60, "911", False),
        (10 * 60, "4001", False),
    ],
)
def test_the_last_minutes_are_kept_for_emergencies(
    mode: LastMinutes, used_s: int, number: str, held_back: bool
) -> None:
    plan = Plan(included_minutes=10, billing_step_s=1, last_minutes=5, at_last_minutes=mode, free_numbers=("400*",))
    used = usage(plan, [call("2026-11-05T00:00:00", used_s)], local("2026-11-22T00:00:00"), SHANGHAI)
    assert verdict(plan, used, number) is (mode if held_back else LastMinutes.ALLOW)


def test_warnings_come_once_per_level_and_again_in_a_new_period() -> None:
    plan = Plan(included_minutes=10, billing_step_s=1)
    now = local("2026-11-22T00:00:00")

    def after(seconds: int) -> Usage:
        return usage(plan, [call("2026-11-05T00:00:00", seconds)], now, SHANGHAI)

    assert warned_level(plan, after(479)) is None
    assert warned_level(plan, after(480)) == 80
    assert warned_level(plan, after(570)) == 95
    assert new_levels(plan, after(479), after(480)) == [80]
    assert new_levels(plan, after(480), after(500)) == []
    assert new_levels(plan, after(100), after(600)) == [80, 95]
    december = usage(plan, [call("2026-12-01T00:00:00", 490)], local("2026-12-02T00:00:00"), SHANGHAI)
    assert new_levels(plan, after(600), december) == [80]


def test_emergency_numbers_are_known_however_they_are_written() -> None:
    assert is_emergency(" 1 1 0")
    assert not is_emergency("1100")
    assert not is_free(Plan(free_numbers=("400*",)), None)
