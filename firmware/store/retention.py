"""Deletes sound by the rules of the settings; calls, ledger and the recordings' rows always stay.

A recording is marked first and its files go afterwards, so that a power cut in between leaves no row that promises
sound which is gone; `finish_deletions` does the rest at the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from firmware.config_retention import CloudCopy, RetentionSettings
from firmware.store import alarms, retention_ask
from firmware.store.deletion import mark_deleted
from firmware.store.retention_plan import Plan, Space, Victim, least_room, plan, space_of
from firmware.store.second_writer import SecondWriter
from firmware.store.transaction import Row, Transaction, fetch

log = logging.getLogger("offhook.janitor")

AT_ONCE = 20
"""Recordings per transaction: the recorder waits for the lock meanwhile, so it must be short."""

SLACK_BYTES = 8 * 1024 * 1024
"""A run deletes at most this much more than what lacked at its start: where a file system frees space late, or somebody
else fills it, deleting on and on would not help."""

EMERGENCY_PERCENT = 2.0
"""While a question waits for an answer, so much of the disk is kept free all the same: recording goes before asking."""

QUIET_DAYS = 7
"""After so long without a deletion the note about it is taken back."""

BY = "retention"
"""Who deleted it, as the log of deletions says."""


@dataclass(frozen=True, slots=True)
class Deleted:
    recordings: int
    bytes: int
    enough: bool
    """As much is free now as the settings ask for."""
    asked: bool = False
    """Nothing more is deleted before a person has answered."""


def make_room(
    writer: SecondWriter,
    data_dir: Path,
    *,
    rules: RetentionSettings,
    cloud: CloudCopy = CloudCopy.NOTHING,
    settings_version: int = 0,
    space: Callable[[Path], Space] = space_of,
) -> Deleted:
    """One run: what ``rules`` want gone goes, unless that is so much that a person must say yes first."""
    finish_deletions(writer, data_dir)
    now_ms = writer.now().utc_ms
    at_first = space(data_dir)
    wanted = plan(writer.db, rules, cloud=cloud, space=at_first, now_utc_ms=now_ms)
    permission = writer.write(lambda tx: retention_ask.permission(tx, wanted, settings_version))
    if permission is retention_ask.Permission.WAIT:
        percent = min(EMERGENCY_PERCENT, rules.min_free_percent / 2)
        wanted = least_room(writer.db, rules, cloud=cloud, space=at_first, percent=percent)
    elif permission is retention_ask.Permission.REFUSED:
        wanted = Plan((), wanted.kept, wanted.waiting_for_cloud, wanted.protected, wanted.still_lacking_bytes)
    gone = _delete(writer, data_dir, wanted.victims)
    if permission is retention_ask.Permission.GO:
        gone += _until_free(writer, data_dir, rules=rules, cloud=cloud, space=space)
    now_free = space(data_dir)
    enough = now_free.lacks_bytes(rules.min_free_percent) == 0
    asked = permission is not retention_ask.Permission.GO
    left = plan(writer.db, rules, cloud=cloud, space=now_free, now_utc_ms=now_ms)
    stuck = not enough and (not left.victims or permission is retention_ask.Permission.REFUSED)
    writer.write(lambda tx: _tell(tx, gone, rules.min_free_percent, now_free if stuck else None, left))
    size = sum(victim.bytes for victim in gone)
    if gone:
        log.warning("deleted old sound", extra={"offhook": {"recordings": len(gone), "bytes": size, "enough": enough}})
    return Deleted(len(gone), size, enough, asked)


def _until_free(
    writer: SecondWriter,
    data_dir: Path,
    *,
    rules: RetentionSettings,
    cloud: CloudCopy,
    space: Callable[[Path], Space],
) -> list[Victim]:
    """Sizes in the database are not quite what a file system gives back: goes on until it is enough, within limits."""
    gone: list[Victim] = []
    while sum(victim.bytes for victim in gone) < SLACK_BYTES:
        now = space(data_dir)
        if not now.lacks_bytes(rules.min_free_percent):
            break
        more = least_room(writer.db, rules, cloud=cloud, space=now, percent=rules.min_free_percent).victims
        if not more:
            break
        gone += _delete(writer, data_dir, more[:AT_ONCE])
    return gone


def _delete(writer: SecondWriter, data_dir: Path, victims: Sequence[Victim]) -> list[Victim]:
    for start in range(0, len(victims), AT_ONCE):
        some = victims[start : start + AT_ONCE]
        writer.write(lambda tx, some=some: _mark(tx, some))  # type: ignore[misc]
        finish_deletions(writer, data_dir)
    return list(victims)


def _mark(tx: Transaction, victims: Sequence[Victim]) -> None:
    for rule, same in groupby(victims, key=lambda victim: victim.rule):
        mark_deleted(tx, [victim.row | {"stored": victim.in_cloud} for victim in same], rule=rule, by=BY)


def finish_deletions(writer: SecondWriter, data_dir: Path) -> int:
    """Removes the files of recordings that are marked as deleted. May be killed at any point and run again."""
    rows = fetch(
        writer.db,
        "SELECT id, flac_path, opus_path, peaks_path FROM recording WHERE status = 'deleted' AND flac_path IS NOT NULL",
    )
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        for row in some:
            for path in files_of(data_dir, row):
                path.unlink(missing_ok=True)
        writer.write(lambda tx, rows=some: forget_paths(tx, rows))  # type: ignore[misc]
    return len(rows)


def forget_paths(tx: Transaction, rows: Sequence[Row]) -> None:
    """Their files are gone."""
    for row in rows:
        tx.execute(
            "UPDATE recording SET flac_path = NULL, opus_path = NULL, peaks_path = NULL WHERE id = ?", (row["id"],)
        )


def files_of(data_dir: Path, row: Row) -> list[Path]:
    """Every file of a recording, as its row names them."""
    paths = [data_dir / row[name] for name in ("flac_path", "opus_path", "peaks_path") if row[name]]
    return [*paths, (data_dir / row["flac_path"]).with_suffix(".chain.jsonl")]


def _tell(tx: Transaction, gone: Sequence[Victim], min_free_percent: int, too_little: Space | None, left: Plan) -> None:
    if gone:
        until_ms = max(victim.started_utc_ms for victim in gone)
        until = datetime.fromtimestamp(until_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        params = {"count": str(len(gone)), "until": until, "min_free_percent": str(min_free_percent)}
        alarms.raise_alarm(tx, key="retention_deleted", subject="disk", at=tx.now, params=params)
    else:
        long_ago_ms = tx.now.utc_ms - QUIET_DAYS * 86_400_000
        if tx.row(
            "SELECT 1 FROM alarm WHERE key = 'retention_deleted' AND resolved_utc_ms IS NULL AND last_utc_ms < ?",
            (long_ago_ms,),
        ):
            alarms.resolve_alarm(tx, key="retention_deleted", subject="disk", at=tx.now)
    _tell_of(tx, "retention_unsynced", too_little if left.waiting_for_cloud else None, left.waiting_for_cloud)
    _tell_of(tx, "retention_exhausted", None if left.waiting_for_cloud else too_little)


def _tell_of(tx: Transaction, key: str, too_little: Space | None, count: int = 0) -> None:
    if too_little is None:
        alarms.resolve_alarm(tx, key=key, subject="disk", at=tx.now)
    elif not alarms.stands(tx.db, key):
        params = {"free_percent": f"{too_little.free_percent:.1f}", "count": str(count)}
        alarms.raise_alarm(tx, key=key, subject="disk", at=tx.now, params=params)
