"""A filter in an address becomes ids of calls: what the list, its export and its bulk work share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask_login import current_user

from webui.call_list import CallReader
from webui.search import find
from webui.search.filters import CallFilter
from webui.search.find import PAGE_SIZE, Question
from webui.search.places import stretches
from webui.services import services

_CATCH_UP_S = 0.25


@dataclass(frozen=True, slots=True)
class Found:
    """One page of ids."""

    ids: list[str]
    more: bool
    count: int
    """At most one more than `webui.search.find.COUNTED_AT_MOST`."""
    at: int
    """The newest place when the list was opened: pages count from here, so that new calls push no row away."""
    newer: int
    """How many calls have come since."""
    complete: bool
    """False while the index is still being made."""


def box_zone() -> ZoneInfo:
    return ZoneInfo(services().zone.name() or "UTC")


def question(calls: CallReader, wanted: CallFilter) -> Question:
    """``wanted`` as this person may ask it."""
    since_ms, until_ms = wanted.moments_ms(box_zone(), datetime.now(UTC))
    asks_time = since_ms is not None or until_ms is not None
    return Question(
        wanted,
        stretches=stretches(calls.boots(), since_ms, until_ms) if asks_time else None,
        lines=current_user.lines,
        labels=calls.line_labels(),
    )


def look(calls: CallReader, wanted: CallFilter, *, at: int | None, number: int) -> Found:
    """Page ``number`` (from 1). Raises `StoreError` when the index cannot be used."""
    complete = services().search.catch_up(_CATCH_UP_S)
    asked = question(calls, wanted)
    with services().search.reader() as index:
        ids, newest = find.page(index, asked, at=at, number=number)
        count = find.count(index, asked, at=at)
        newer = 0 if at is None else find.count(index, asked) - count
    return Found(ids[:PAGE_SIZE], len(ids) > PAGE_SIZE, count, newest if at is None else at, max(0, newer), complete)


def all_ids(calls: CallReader, wanted: CallFilter, *, at_most: int) -> list[str]:
    """Ids of all calls of the filter, newest first. Raises `StoreError`."""
    services().search.catch_up(_CATCH_UP_S)
    asked = question(calls, wanted)
    with services().search.reader() as index:
        return find.everything(index, asked, at_most=at_most)
