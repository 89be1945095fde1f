"""Deletes the oldest sealed sound when the disk runs short; calls, ledger and the recordings' rows always stay."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from firmware.store import alarms, outbox
from firmware.store.second_writer import SecondWriter
from firmware.store.transaction import Row, Transaction, fetch

log = logging.getLogger("offhook.janitor")

AT_ONCE = 20
"""Recordings per transaction: the recorder waits for the lock meanwhile, so it must be short."""

SLACK_BYTES = 8 * 1024 * 1024
"""A run deletes at most this much more than what lacked at its start: where a file system frees space late, or somebody
else fills it, deleting on and on would not help."""

QUIET_DAYS = 7
"""After so long without a deletion the note about it is taken back."""


@dataclass(frozen=True, slots=True)
class Space:
    total_bytes: int
    free_bytes: int

    @property
    def free_percent(self) -> float:
        return 100 * self.free_bytes / self.total_bytes if self.total_bytes else 100.0

    def lacks_bytes(self, min_free_percent: float) -> int:
        return max(0, round(self.total_bytes * min_free_percent / 100) - self.free_bytes)


def space_of(folder: Path) -> Space:
    """The file system that holds ``folder``, as an ordinary user may fill it."""
    usage = shutil.disk_usage(folder)
    return Space(usage.total, usage.free)


@dataclass(frozen=True, slots=True)
class Deleted:
    recordings: int
    bytes: int
    enough: bool
    """As much is free now as the settings ask for."""


def make_room(
    writer: SecondWriter, data_dir: Path, *, min_free_percent: int, space: Callable[[Path], Space] = space_of
) -> Deleted:
    """Deletes until ``min_free_percent`` of the disk is free. What is in the cloud already goes first, then the oldest.

    A recording is marked first and its files go afterwards, so that a power cut in between leaves no row that promises
    sound which is gone; `finish_deletions` does the rest at the next run.
    """
    finish_deletions(writer, data_dir)
    count = size = 0
    until_ms = 0
    budget = space(data_dir).lacks_bytes(min_free_percent) + SLACK_BYTES
    while (lacking := space(data_dir).lacks_bytes(min_free_percent)) and size < budget:
        victims = _victims(writer.db, lacking)
        if not victims:
            break
        writer.write(lambda tx, rows=victims: _mark(tx, rows))  # type: ignore[misc]
        count += len(victims)
        size += sum(row["bytes"] for row in victims)
        until_ms = max(until_ms, *(row["started_utc_ms"] for row in victims))
        finish_deletions(writer, data_dir)
    now_free = space(data_dir)
    enough = now_free.lacks_bytes(min_free_percent) == 0
    exhausted = not enough and not _victims(writer.db, 1)
    writer.write(lambda tx: _tell(tx, count, until_ms, min_free_percent, now_free if exhausted else None))
    if count:
        log.warning("deleted old sound", extra={"offhook": {"recordings": count, "bytes": size, "enough": enough}})
    return Deleted(count, size, enough)


def finish_deletions(writer: SecondWriter, data_dir: Path) -> int:
    """Removes the files of recordings that are marked as deleted. May be killed at any point and run again."""
    rows = fetch(
        writer.db,
        "SELECT id, flac_path, opus_path, peaks_path FROM recording WHERE status = 'deleted' AND flac_path IS NOT NULL",
    )
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        for row in some:
            for path in _files(data_dir, row):
                path.unlink(missing_ok=True)
        writer.write(lambda tx, rows=some: _forget_paths(tx, rows))  # type: ignore[misc]
    return len(rows)


def _victims(db: Database, lacking_bytes: int) -> list[Row]:
    rows = fetch(
        db,
        """
        SELECT r.id, r.call_id, r.line, r.started_utc_ms, coalesce(r.flac_size, 0) + coalesce(r.opus_size, 0) AS bytes,
            EXISTS (SELECT 1 FROM outbox_file f WHERE f.recording_id = r.id AND f.sha256 = r.flac_sha256
                AND f.state = 'stored') AS stored
        FROM recording r WHERE r.status = 'sealed'
        ORDER BY stored DESC, r.boot_no, r.started_boot_ns, r.id LIMIT ?
        """,
        (AT_ONCE,),
    )
    chosen: list[Row] = []
    for row in rows:
        if sum(victim["bytes"] for victim in chosen) >= lacking_bytes:
            break
        chosen.append(row)
    return chosen


def _mark(tx: Transaction, rows: Sequence[Row]) -> None:
    for row in rows:
        tx.execute("UPDATE recording SET status = 'deleted' WHERE id = ? AND status = 'sealed'", (row["id"],))
        outbox.withdraw_files(tx, row["id"])
        body = {"id": row["id"], "call_id": row["call_id"], "line": row["line"], "status": "deleted"}
        outbox.put(tx, "recording.deleted", body | {"reason": "retention", "stored": bool(row["stored"])})


def _forget_paths(tx: Transaction, rows: Sequence[Row]) -> None:
    for row in rows:
        tx.execute(
            "UPDATE recording SET flac_path = NULL, opus_path = NULL, peaks_path = NULL WHERE id = ?", (row["id"],)
        )


def _files(data_dir: Path, row: Row) -> list[Path]:
    paths = [data_dir / row[name] for name in ("flac_path", "opus_path", "peaks_path") if row[name]]
    return [*paths, (data_dir / row["flac_path"]).with_suffix(".chain.jsonl")]


def _tell(tx: Transaction, count: int, until_ms: int, min_free_percent: int, too_little: Space | None) -> None:
    if count:
        until = datetime.fromtimestamp(until_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        params = {"count": str(count), "until": until, "min_free_percent": str(min_free_percent)}
        alarms.raise_alarm(tx, key="retention_deleted", subject="disk", at=tx.now, params=params)
    else:
        long_ago_ms = tx.now.utc_ms - QUIET_DAYS * 86_400_000
        if tx.row(
            "SELECT 1 FROM alarm WHERE key = 'retention_deleted' AND resolved_utc_ms IS NULL AND last_utc_ms < ?",
            (long_ago_ms,),
        ):
            alarms.resolve_alarm(tx, key="retention_deleted", subject="disk", at=tx.now)
    if too_little is None:
        alarms.resolve_alarm(tx, key="retention_exhausted", subject="disk", at=tx.now)
    elif not alarms.stands(tx.db, "retention_exhausted"):
        params = {"free_percent": f"{too_little.free_percent:.1f}"}
        alarms.raise_alarm(tx, key="retention_exhausted", subject="disk", at=tx.now, params=params)
