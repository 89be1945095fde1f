"""Opens the box's database for reading, and knows the box's own time zone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import click
from sqlite_utils import Database

from cli.context import Box
from firmware import config
from firmware.store import settings
from firmware.store.database import open_reader
from firmware.store.queries import Period


@contextmanager
def reading(box: Box) -> Iterator[Database]:
    """The database, read only. Raises `StoreError` when it is missing, damaged or of another version."""
    db = open_reader(box.database)
    try:
        yield db
    finally:
        db.close()


def zone_of(db: Database) -> ZoneInfo:
    """The time zone that the box's settings name."""
    stored = settings.newest(db)
    in_force, _faults = config.salvage(stored.document if stored else "")
    return in_force.box.zone


class IsoMoment(click.ParamType[datetime]):
    """A date or a time as ISO 8601 writes it; without an offset it is meant in the box's time zone."""

    name = "ISO"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no ISO 8601 time; write 2026-11-22 or 2026-11-22T09:30", param, ctx)


ISO = IsoMoment()


def period(since: datetime | None, until: datetime | None, zone: tzinfo) -> Period:
    """From ``since`` (included) to ``until`` (not included)."""
    return Period(since_utc_ms=_utc_ms(since, zone), until_utc_ms=_utc_ms(until, zone))


def _utc_ms(moment: datetime | None, zone: tzinfo) -> int | None:
    if moment is None:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)
