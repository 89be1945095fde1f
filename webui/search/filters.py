"""The filters of the call list, as they stand in its address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

TABS = ("all", "missed", "review")
PERIODS = ("today", "yesterday", "7d", "30d", "month")
DIRECTIONS = ("incoming", "outgoing")
RESULTS = ("answered", "missed", "rejected", "no_answer", "busy", "failed", "abandoned", "unsupervised")
HAS = ("note", "tag", "protected")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TEXT_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What a person asked for. What an address says wrongly is left out, so an old link still shows calls."""

    tab: str = "all"
    q: str = ""
    period: str = ""
    since: str = ""
    """First day at the box, ``YYYY-MM-DD``; wins over ``period``."""
    until: str = ""
    """Last day, included."""
    line: tuple[str, ...] = field(default=())
    direction: str = ""
    result: str = ""
    tag: str = ""
    has: str = ""

    @classmethod
    def of(cls, args: MultiDict[str, str]) -> CallFilter:
        """Out of the address of the list."""
        return cls(
            tab=_one_of(args.get("tab"), TABS) or "all",
            q=" ".join(args.get("q", "").replace("\x00", " ").split())[:_TEXT_AT_MOST],
            period=_one_of(args.get("period"), PERIODS),
            since=_day(args.get("since")),
            until=_day(args.get("until")),
            line=tuple(sorted({line[:64] for line in args.getlist("line") if line}))[:32],
            direction=_one_of(args.get("direction"), DIRECTIONS),
            result=_one_of(args.get("result"), RESULTS),
            tag=args.get("tag", "").strip()[:40],
            has=_one_of(args.get("has"), HAS),
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the tab narrows the list."""
        return any(getattr(self, each.name) for each in fields(self) if each.name != "tab")

    def address(self, **changes: object) -> str:
        """The query of the same list with ``changes``; empty values are left out."""
        values: dict[str, object] = {each.name: getattr(self, each.name) for each in fields(self)} | changes
        pairs: list[tuple[str, str]] = []
        for name, value in values.items():
            if isinstance(value, tuple):
                pairs += [(name, str(each)) for each in value]
            elif value and (name, value) != ("tab", "all"):
                pairs.append((name, str(value)))
        return urlencode(pairs)

    def days(self, today: date) -> tuple[date | None, date | None]:
        """First and last day asked for, both included."""
        if self.since or self.until:
            return _as_date(self.since), _as_date(self.until)
        first = {
            "today": today,
            "yesterday": today - timedelta(days=1),
            "7d": today - timedelta(days=6),
            "30d": today - timedelta(days=29),
            "month": today.replace(day=1),
        }.get(self.period)
        return first, (today - timedelta(days=1) if self.period == "yesterday" else None)

    def moments_ms(self, zone: ZoneInfo, now: datetime) -> tuple[int | None, int | None]:
        """From (included) and until (not included), in UTC milliseconds; days are days at the box."""
        first, last = self.days(now.astimezone(zone).date())
        return (
            None if first is None else _midnight_ms(first, zone),
            None if last is None else _midnight_ms(last + timedelta(days=1), zone),
        )


def only(mapping: Mapping[str, str], allowed: Sequence[str]) -> dict[str, str]:
    """The words of ``mapping`` for the values that a filter offers, in that order."""
    return {name: mapping[name] for name in allowed if name in mapping}


def _one_of(value: str | None, allowed: tuple[str, ...]) -> str:
    return value if value in allowed else ""


def _day(value: str | None) -> str:
    return value if value and _DATE.fullmatch(value) and _as_date(value) else ""


def _as_date(value: str) -> date | None:
    try:
        day = date.fromisoformat(value) if value else None
    except ValueError:
        return None
    return day if day is None or 1971 <= day.year <= 2200 else None


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)
