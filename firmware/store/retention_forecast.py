"""When the disk will be full at this week's rate, and what goes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from sqlite_utils import Database

from firmware.config_retention import CloudCopy, RetentionSettings
from firmware.store.retention_plan import DAY_MS, Space, plan, stream
from firmware.store.transaction import fetch

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class NextDeletion:
    """The calls of one day, the first to go."""

    day_utc_ms: int
    """Some moment of that day."""
    calls: int
    in_cloud: int
    due_utc_ms: int
    """About when."""


@dataclass(frozen=True, slots=True)
class Forecast:
    recordings: int
    """Whose sound is there."""
    bytes: int
    bytes_per_day: float
    """At the rate of the last week."""
    days_until_full: float | None
    """Until the rule of free space has to delete; None when nothing is being recorded."""
    next: NextDeletion | None
    not_in_cloud: int
    oldest_utc_ms: int | None


def forecast(
    db: Database, rules: RetentionSettings, *, cloud: CloudCopy, space: Space, now_utc_ms: int, zone: tzinfo
) -> Forecast:
    """Looks ahead from ``now_utc_ms``; days are those of ``zone``."""
    (sums,) = fetch(
        db,
        "SELECT count(*) AS recordings, coalesce(sum(coalesce(flac_size, 0) + coalesce(opus_size, 0)), 0) AS bytes, "
        "min(started_utc_ms) AS oldest, coalesce(sum(CASE WHEN started_utc_ms >= ? THEN coalesce(flac_size, 0) + "
        "coalesce(opus_size, 0) END), 0) AS lately FROM recording WHERE status = 'sealed'",
        (now_utc_ms - WEEK_DAYS * DAY_MS,),
    )
    (waiting,) = fetch(
        db,
        "SELECT count(*) AS n FROM recording r WHERE r.status = 'sealed' AND NOT EXISTS "
        "(SELECT 1 FROM outbox_file f WHERE f.recording_id = r.id AND f.state = 'stored')",
    )
    oldest = None if sums["oldest"] is None else int(sums["oldest"])
    per_day = _per_day(int(sums["lately"]), oldest, now_utc_ms)
    room = space.free_bytes - round(space.total_bytes * rules.min_free_percent / 100)
    days_until_full = max(0.0, room / per_day) if per_day else None
    return Forecast(
        recordings=int(sums["recordings"]),
        bytes=int(sums["bytes"]),
        bytes_per_day=per_day,
        days_until_full=days_until_full,
        next=_next(
            db,
            rules,
            cloud=cloud,
            space=space,
            now_utc_ms=now_utc_ms,
            zone=zone,
            days_until_full=days_until_full,
        ),
        not_in_cloud=int(waiting["n"]),
        oldest_utc_ms=oldest,
    )


def _per_day(bytes_lately: int, oldest_utc_ms: int | None, now_utc_ms: int) -> float:
    """A box that is two days old has had two days to fill its week."""
    if oldest_utc_ms is None:
        return 0.0
    days = min(float(WEEK_DAYS), max(1.0, (now_utc_ms - oldest_utc_ms) / DAY_MS))
    return bytes_lately / days


def _next(
    db: Database,
    rules: RetentionSettings,
    *,
    cloud: CloudCopy,
    space: Space,
    now_utc_ms: int,
    zone: tzinfo,
    days_until_full: float | None,
) -> NextDeletion | None:
    """What goes now; else the oldest sound that a rule of days reaches, or the disk's end, whichever comes first."""
    due_now = plan(db, rules, cloud=cloud, space=space, now_utc_ms=now_utc_ms).victims
    if due_now:
        return _of_first_day([(victim.row, now_utc_ms) for victim in due_now], zone)
    by_days = []
    for row in stream(db, "ORDER BY r.boot_no, r.started_boot_ns, r.id LIMIT 2000"):
        days = rules.days_of(str(row["line"]))
        if not row["protected"] and days:
            by_days.append((row, int(row["started_utc_ms"]) + days * DAY_MS))
    by_days.sort(key=lambda pair: pair[1])
    full_at = None if days_until_full is None else now_utc_ms + round(days_until_full * DAY_MS)
    if full_at is not None and (not by_days or full_at < by_days[0][1]):
        rows = stream(db, "ORDER BY r.boot_no, r.started_boot_ns, r.id LIMIT 2000")
        return _of_first_day([(row, full_at) for row in rows if not row["protected"]], zone)
    return _of_first_day(by_days, zone)


def _of_first_day(rows: list[tuple[dict[str, object], int]], zone: tzinfo) -> NextDeletion | None:
    if not rows:
        return None
    first, due = rows[0]
    day = _day(first, zone)
    same = [row for row, _ in rows if _day(row, zone) == day]
    calls = {row["call_id"] for row in same}
    in_cloud = {row["call_id"] for row in same if row["stored"]} - {r["call_id"] for r in same if not r["stored"]}
    return NextDeletion(_ms(first), len(calls), len(in_cloud), due)


def _ms(row: dict[str, object]) -> int:
    return int(str(row["started_utc_ms"]))


def _day(row: dict[str, object], zone: tzinfo) -> object:
    return datetime.fromtimestamp(_ms(row) / 1000, UTC).astimezone(zone).date()
