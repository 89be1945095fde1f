"""How much of a SIM's plan is used: calls in, minutes used, left and forecast out, exact to the second (pure)."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final

import attrs
from attrs.validators import optional

EMERGENCY_NUMBERS: Final = frozenset(
    {"000", "08", "110", "111", "112", "113", "115", "117", "118", "119", "120", "122", "999", "911"}
)
"""What 3GPP TS 22.101 10.1.1 (000, 08, 110, 112, 118, 119, 911, 999) and China's police, fire, ambulance and traffic
accidents (110, 119, 120, 122) answer; and what some other countries dial. Never blocked, whatever the plan says."""


class LastMinutes(StrEnum):
    """What to do about a call that would begin in the last minutes of the plan."""

    ALLOW = "allow"
    ASK = "ask"
    """A person must say that it is meant."""
    BLOCK = "block"


def _from(lowest: int, highest: int = 1_000_000) -> Callable[[Any, Any, int], None]:
    def check(_instance: Any, _attribute: Any, value: int) -> None:
        if not lowest <= value <= highest:
            raise ValueError(f"must be {lowest} to {highest}, not {value}")

    return check


@attrs.frozen(kw_only=True)
class Plan:
    """What the operator charges for. ``included_minutes`` None: no meter."""

    included_minutes: int | None = attrs.field(default=None, validator=optional(_from(0)))
    billing_step_s: int = attrs.field(default=60, validator=_from(1, 3600))
    """A call counts in whole steps: 60 for each begun minute, 1 for seconds."""
    minimum_s: int = attrs.field(default=0, validator=_from(0, 3600))
    """A call that was answered counts at least this long."""
    reset_day: int = attrs.field(default=1, validator=_from(1, 31))
    """Day of the month on which the period begins, at midnight where the box stands; 31 is the last day of each."""
    free_numbers: tuple[str, ...] = ()
    """Numbers that cost nothing; one that ends with ``*`` stands for all that begin so (``400*``)."""
    warn_percent: tuple[int, ...] = (80, 95)
    last_minutes: int = attrs.field(default=0, validator=_from(0))
    """What is kept back: calls that begin with so little or less left are asked about or blocked."""
    at_last_minutes: LastMinutes = LastMinutes.ALLOW


@attrs.frozen(kw_only=True)
class MeteredCall:
    """An answered outgoing call; ``ended`` None while it is up. Both moments in UTC."""

    number: str | None
    answered: datetime
    ended: datetime | None = None


@attrs.frozen(kw_only=True)
class Usage:
    """The plan's period as it stands. All seconds are as charged."""

    period_begins: datetime
    period_ends: datetime
    calls: int
    free_calls: int
    used_s: int
    included_s: int | None
    forecast_s: int
    """What will be used by the end of the period if it goes on as since its beginning."""

    @property
    def left_s(self) -> int | None:
        """Never below 0; None without a meter."""
        return None if self.included_s is None else max(0, self.included_s - self.used_s)

    @property
    def used_percent(self) -> float:
        return 100 * self.used_s / self.included_s if self.included_s else 0.0

    @property
    def will_run_out(self) -> bool:
        return self.included_s is not None and self.forecast_s > self.included_s


def charged_s(plan: Plan, seconds: float) -> int:
    """What a call of ``seconds`` counts as. A call that was never answered is no call here.

    Operators measure whole seconds and round up: 60.2 s are 61 s, and with steps of a minute two minutes.
    """
    whole = max(1, plan.minimum_s, -int(-seconds // 1))
    return -(-whole // plan.billing_step_s) * plan.billing_step_s


def is_free(plan: Plan, number: str | None, *, country_code: str = "86") -> bool:
    """Whether ``number`` costs nothing. ``+86400…`` and ``400…`` are the same number."""
    if number is None:
        return False
    forms = {bare(number), national(number, country_code)}
    return any(_matches(free, form) for free in plan.free_numbers for form in forms)


def is_emergency(number: str) -> bool:
    return bare(number) in EMERGENCY_NUMBERS


def bare(number: str) -> str:
    return re.sub(r"[\s()./-]", "", number)


def national(number: str, country_code: str) -> str:
    digits = bare(number)
    for prefix in (f"+{country_code}", f"00{country_code}"):
        if digits.startswith(prefix):
            return digits[len(prefix) :]
    return digits


def _matches(free: str, number: str) -> bool:
    wanted = bare(free)
    return number.startswith(wanted[:-1]) if wanted.endswith("*") else number == wanted


def period_of(plan: Plan, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Begin (included) and end (not included) of the period ``now`` is in, in UTC."""
    local = now.astimezone(zone)
    begin = _reset_in(plan, local.year, local.month, zone)
    if begin > now:
        year, month = _before(local.year, local.month)
        return _reset_in(plan, year, month, zone), begin
    year, month = _after(local.year, local.month)
    return begin, _reset_in(plan, year, month, zone)


def usage(plan: Plan, calls: Iterable[MeteredCall], now: datetime, zone: tzinfo, *, country_code: str = "86") -> Usage:
    """The plan's meter at ``now``. A call belongs to the period it was answered in; one that is up counts so far."""
    begins, ends = period_of(plan, now, zone)
    mine = [call for call in calls if begins <= call.answered < ends]
    paid = [call for call in mine if not _costs_nothing(plan, call.number, country_code)]
    used_s = sum(charged_s(plan, ((call.ended or now) - call.answered).total_seconds()) for call in paid)
    return Usage(
        period_begins=begins,
        period_ends=ends,
        calls=len(paid),
        free_calls=len(mine) - len(paid),
        used_s=used_s,
        included_s=None if plan.included_minutes is None else plan.included_minutes * 60,
        forecast_s=_forecast_s(used_s, begins, ends, now),
    )


def _costs_nothing(plan: Plan, number: str | None, country_code: str) -> bool:
    return is_free(plan, number, country_code=country_code) or (number is not None and is_emergency(number))


def verdict(plan: Plan, used: Usage, number: str, *, country_code: str = "86") -> LastMinutes:
    """What to do about a call to ``number`` now. Emergency and free numbers are always allowed."""
    if plan.at_last_minutes is LastMinutes.ALLOW or used.left_s is None:
        return LastMinutes.ALLOW
    if _costs_nothing(plan, number, country_code):
        return LastMinutes.ALLOW
    return plan.at_last_minutes if used.left_s <= plan.last_minutes * 60 else LastMinutes.ALLOW


def warned_level(plan: Plan, used: Usage) -> int | None:
    """The highest of the plan's warning levels that is reached."""
    return max((level for level in plan.warn_percent if used.used_percent >= level), default=None)


def new_levels(plan: Plan, before: Usage, after: Usage) -> Sequence[int]:
    """The warning levels passed between two looks, lowest first; all that are reached in a period that has begun."""
    reached = [level for level in sorted(plan.warn_percent) if after.used_percent >= level]
    if before.period_begins != after.period_begins:
        return reached
    return [level for level in reached if before.used_percent < level]


def _forecast_s(used_s: int, begins: datetime, ends: datetime, now: datetime) -> int:
    """In proportion to the time; the first day is taken as whole, else one call at breakfast forecasts a disaster."""
    gone = max(now - begins, timedelta(days=1))
    return round(used_s * max(1.0, (ends - begins) / gone))


def _reset_in(plan: Plan, year: int, month: int, zone: tzinfo) -> datetime:
    day = min(plan.reset_day, calendar.monthrange(year, month)[1])
    return datetime(year, month, day, tzinfo=zone).astimezone(UTC)


def _before(year: int, month: int) -> tuple[int, int]:
    return (year - 1, 12) if month == 1 else (year, month - 1)


def _after(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)
