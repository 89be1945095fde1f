"""What the rules would delete now, what they will delete next, and when the disk is full: reads, never writes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlite_utils import Database

from firmware.config_retention import CloudCopy, RetentionSettings
from firmware.store.boot import corrected
from firmware.store.deletion import SEALED, Rule
from firmware.store.transaction import Row, fetch

DAY_MS = 86_400_000

ASK_ABOVE_PERCENT = 5.0
"""A run that would delete more than this part of what is kept asks first: wrong rules and wrong clocks do that."""

NEVER_ASK_UP_TO = 3
"""On a box with few recordings each single one is more than 5 %; asking every day would teach people to say yes."""

_STARTED = corrected("r.started_utc_ms", "r.started_boot_ns", "b")
_KEPT = SEALED.replace("r.started_utc_ms,", f"{_STARTED} AS started_utc_ms,", 1).replace(
    "FROM recording r ", "FROM recording r JOIN boot b ON b.boot_no = r.boot_no "
)
_OLDEST_FIRST = "ORDER BY r.boot_no, r.started_boot_ns, r.id"


@dataclass(frozen=True, slots=True)
class Space:
    """A file system, as an ordinary user may fill it."""

    total_bytes: int
    free_bytes: int

    @property
    def free_percent(self) -> float:
        return 100 * self.free_bytes / self.total_bytes if self.total_bytes else 100.0

    def lacks_bytes(self, min_free_percent: float) -> int:
        return max(0, round(self.total_bytes * min_free_percent / 100) - self.free_bytes)


def space_of(folder: Path) -> Space:
    """The file system that holds ``folder``."""
    usage = shutil.disk_usage(folder)
    return Space(usage.total, usage.free)


@dataclass(frozen=True, slots=True)
class Victim:
    """A recording that a rule would delete."""

    row: Row
    rule: Rule
    in_cloud: bool

    @property
    def bytes(self) -> int:
        return int(self.row["bytes"])

    @property
    def started_utc_ms(self) -> int:
        return int(self.row["started_utc_ms"])


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of the janitor, before it happens."""

    victims: tuple[Victim, ...]
    kept: int
    """Recordings whose sound is there now."""
    waiting_for_cloud: int
    """Recordings that would go, were they in the cloud."""
    protected: int
    """Recordings that would go, had nobody protected their call."""
    still_lacking_bytes: int
    """So much less than asked for is free even after this run."""

    @property
    def bytes(self) -> int:
        return sum(victim.bytes for victim in self.victims)

    @property
    def percent(self) -> float:
        return 100 * len(self.victims) / self.kept if self.kept else 0.0

    @property
    def asks(self) -> bool:
        """Whether a person must say yes first."""
        return len(self.victims) > NEVER_ASK_UP_TO and self.percent > ASK_ABOVE_PERCENT

    @property
    def newest_utc_ms(self) -> int:
        return max((victim.started_utc_ms for victim in self.victims), default=0)

    @property
    def in_cloud(self) -> int:
        return sum(victim.in_cloud for victim in self.victims)

    @property
    def calls(self) -> tuple[str, ...]:
        """Ids of the calls that lose sound, oldest first."""
        return tuple(dict.fromkeys(str(victim.row["call_id"]) for victim in self.victims))

    @property
    def by_line(self) -> dict[str, int]:
        return dict(Counter(str(victim.row["line"]) for victim in self.victims))


@dataclass(slots=True)
class _Choice:
    """What was chosen so far, and what was passed over and why."""

    rules: RetentionSettings
    cloud: CloudCopy
    victims: dict[str, Victim] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    protected: set[str] = field(default_factory=set)

    def offer(self, row: Row, rule: Rule) -> int:
        """Takes the recording unless something speaks for it. Returns the bytes that become free."""
        name = str(row["id"])
        if name in self.victims:
            return 0
        if row["protected"]:
            self.protected.add(name)
            return 0
        if self.rules.keep_until_in_cloud and self.cloud is not CloudCopy.NOTHING and not has(self.cloud, row):
            self.waiting.add(name)
            return 0
        self.victims[name] = Victim(row, rule, has(self.cloud, row))
        return int(row["bytes"])


def plan(db: Database, rules: RetentionSettings, *, cloud: CloudCopy, space: Space, now_utc_ms: int) -> Plan:
    """What a run at ``now_utc_ms`` would delete. ``cloud``: what goes there.

    First what is older than its line's days; then, while the disk lacks room, the oldest: what the cloud has before
    what it has not, and a line's sound only while less is free than that line's part.
    """
    choice = _Choice(rules, cloud)
    freed = sum(choice.offer(row, Rule.DAYS) for row in _too_old(db, rules, now_utc_ms))
    wanted = _lines_by_part(db, rules)
    for row in _while_lacking(db, wanted, space):
        lacking = space.lacks_bytes(rules.min_free_percent_of(row["line"])) - freed
        if lacking > 0:
            freed += choice.offer(row, Rule.SPACE)
        elif space.lacks_bytes(max(wanted.values(), default=0)) <= freed:
            break
    return Plan(
        victims=tuple(choice.victims.values()),
        kept=_kept(db),
        waiting_for_cloud=len(choice.waiting),
        protected=len(choice.protected),
        still_lacking_bytes=max(0, space.lacks_bytes(rules.min_free_percent) - freed),
    )


def least_room(db: Database, rules: RetentionSettings, *, cloud: CloudCopy, space: Space, percent: float) -> Plan:
    """What must go for ``percent`` of the disk to be free, whatever the lines' own parts are."""
    lacking = space.lacks_bytes(percent)
    choice = _Choice(rules, cloud)
    freed = 0
    if lacking:
        for row in _oldest(db):
            freed += choice.offer(row, Rule.SPACE)
            if freed >= lacking:
                break
    return Plan(
        victims=tuple(choice.victims.values()),
        kept=_kept(db),
        waiting_for_cloud=len(choice.waiting),
        protected=len(choice.protected),
        still_lacking_bytes=max(0, lacking - freed),
    )


def has(cloud: CloudCopy, row: Row) -> bool:
    """Whether the cloud has the sound of ``row`` in the form that it gets."""
    return bool(row["stored"]) or (cloud is CloudCopy.OPUS and bool(row["opus_stored"]))


def _too_old(db: Database, rules: RetentionSettings, now_utc_ms: int) -> Iterator[Row]:
    for line in _lines(db):
        days = rules.days_of(line)
        if days:
            yield from stream(
                db, f"AND r.line = ? AND {_STARTED} < ? {_OLDEST_FIRST}", (line, now_utc_ms - days * DAY_MS)
            )


def _while_lacking(db: Database, parts: dict[str, int], space: Space) -> Iterator[Row]:
    if not parts or not space.lacks_bytes(max(parts.values())):
        return
    yield from _oldest(db)


def _oldest(db: Database) -> Iterator[Row]:
    """Everything sealed: first what the cloud has, each from the oldest on."""
    in_cloud = "EXISTS (SELECT 1 FROM outbox_file o WHERE o.recording_id = r.id AND o.state = 'stored')"
    yield from stream(db, f"AND {in_cloud} {_OLDEST_FIRST}")
    yield from stream(db, f"AND NOT {in_cloud} {_OLDEST_FIRST}")


def stream(db: Database, tail: str, parameters: tuple[object, ...] = ()) -> Iterator[Row]:
    """Row by row: a box may keep a million recordings, and a Pi has little memory."""
    cursor = db.conn.execute(f"{_KEPT} {tail}", parameters)
    names = [column[0] for column in cursor.description]
    for values in cursor:
        yield dict(zip(names, values, strict=True))


def _lines(db: Database) -> list[str]:
    return [str(row["line"]) for row in fetch(db, "SELECT DISTINCT line FROM recording WHERE status = 'sealed'")]


def _lines_by_part(db: Database, rules: RetentionSettings) -> dict[str, int]:
    return {line: rules.min_free_percent_of(line) for line in _lines(db)}


def _kept(db: Database) -> int:
    return int(fetch(db, "SELECT count(*) AS n FROM recording WHERE status = 'sealed'")[0]["n"])
