"""What the Calls page shows, read from the database without ever writing to it."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from firmware.errors import StoreError
from firmware.store import settings
from firmware.store.boot import corrected
from firmware.store.database import open_reader
from webui.search.places import BootRow

PAGE_SIZE = 50

_STARTED = corrected("call.started_utc_ms", "call.started_boot_ns", "b")
_CALLS = f"""
    SELECT call.id, call.line, coalesce(line.label, call.line) AS line_label, coalesce(line.kind, '') AS line_kind,
        direction, status, number, name, presentation, call.boot_no, call.started_boot_ns,
        {_STARTED} AS started_utc_ms,
        {corrected("answered_utc_ms", "answered_boot_ns", "ba")} AS answered_utc_ms,
        {corrected("ended_utc_ms", "ended_boot_ns", "be")} AS ended_utc_ms,
        outcome, end_reason, flags,
        (SELECT text FROM call_note WHERE call_id = call.id) AS note,
        (SELECT json_group_array(tag) FROM call_tag WHERE call_id = call.id) AS tags,
        EXISTS (SELECT 1 FROM call_review WHERE call_id = call.id) AS reviewed,
        EXISTS (SELECT 1 FROM call_protection WHERE call_id = call.id) AS protected
    FROM call JOIN boot b ON b.boot_no = call.boot_no
        LEFT JOIN boot ba ON ba.boot_no = coalesce(call.answered_boot_no, call.boot_no)
        LEFT JOIN boot be ON be.boot_no = coalesce(call.ended_boot_no, call.boot_no)
        LEFT JOIN line ON line.id = call.line
"""  # noqa: S608  constants only
_RECORDINGS = """
    SELECT id, call_id, line, part, status, duration_ms, roles, cut_short, one_way, silent, flac_path, opus_path, error,
        peaks_path
    FROM recording
"""


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One part of a call's sound; paths are relative to the data folder."""

    id: str
    call_id: str
    line: str
    part: int
    status: str
    duration_ms: int | None
    roles: tuple[str, ...]
    cut_short: bool
    one_way: bool
    silent: bool
    flac_path: str | None
    opus_path: str | None
    error: str | None
    peaks_path: str | None = None
    gap_count: int = 0
    gap_ms: int = 0

    @property
    def playable(self) -> bool:
        return self.status == "sealed" and (self.opus_path is not None or self.flac_path is not None)


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call as the list shows it."""

    id: str
    line: str
    line_label: str
    line_kind: str
    direction: str
    status: str
    number: str | None
    name: str | None
    presentation: str
    boot_no: int
    started_boot_ns: int
    started_utc_ms: int
    answered_utc_ms: int | None
    ended_utc_ms: int | None
    outcome: str | None
    end_reason: str | None
    flags: frozenset[str]
    note: str | None
    tags: tuple[str, ...]
    reviewed: bool
    protected: bool
    recordings: tuple[RecordingRow, ...] = field(default=())

    @property
    def duration_ms(self) -> int | None:
        """Time of talking, or of the whole call when nobody saw the answer; ``None`` until it ends or without talk."""
        if self.ended_utc_ms is None or self.outcome not in ("answered", "unsupervised"):
            return None
        return max(0, self.ended_utc_ms - (self.answered_utc_ms or self.started_utc_ms))


class CallReader:
    """Read-only view of the recorder's database; one per request."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def connection(self) -> sqlite3.Connection:
        """For what only one page asks."""
        return self._connection

    def newest(self) -> list[CallRow]:
        """The newest calls, without the search index's help."""
        return self._calls(f"ORDER BY call.boot_no DESC, call.started_boot_ns DESC, call.id DESC LIMIT {PAGE_SIZE}", ())

    def calls(self, call_ids: Sequence[str]) -> list[CallRow]:
        """The calls of these ids, in this order; unknown ones are left out."""
        found: dict[str, CallRow] = {}
        for start in range(0, len(call_ids), 500):
            some = call_ids[start : start + 500]
            marks = ", ".join("?" * len(some))
            found |= {call.id: call for call in self._calls(f"WHERE call.id IN ({marks})", some)}
        return [found[call_id] for call_id in call_ids if call_id in found]

    def line_labels(self) -> dict[str, str]:
        """Every line there ever was, by id."""
        return {
            str(row["id"]): str(row["label"])
            for row in self._connection.execute("SELECT id, label FROM line ORDER BY label, id")
        }

    def tags(self) -> list[str]:
        """The tags in use, the most used first."""
        rows = self._connection.execute("SELECT tag FROM call_tag GROUP BY tag ORDER BY count(*) DESC, tag LIMIT 200")
        return [str(row["tag"]) for row in rows]

    def boots(self) -> list[BootRow]:
        rows = self._connection.execute(
            "SELECT boot_no, first_utc_ms, first_boot_ns, offset_ms FROM boot ORDER BY boot_no"
        )
        return [BootRow(**dict(row)) for row in rows]

    def call(self, call_id: str) -> CallRow | None:
        found = self._calls("WHERE call.id = ?", (call_id,))
        return found[0] if found else None

    def recording(self, recording_id: str) -> RecordingRow | None:
        rows = self._connection.execute(
            f"{_RECORDINGS} WHERE id = ?",
            (recording_id,),
        ).fetchall()
        return _recording(rows[0], {}) if rows else None

    def kept_recordings(self) -> set[str]:
        """Ids of the recordings whose sound is there."""
        return {str(row[0]) for row in self._connection.execute("SELECT id FROM recording WHERE status = 'sealed'")}

    def time_zone(self) -> str | None:
        """The zone that the settings in force name."""
        setting = settings.newest(Database(self._connection))
        if setting is None:
            return None
        box = tomllib.loads(setting.document).get("box", {})
        zone = box.get("time_zone")
        return zone if isinstance(zone, str) else None

    def _calls(self, tail: str, arguments: Sequence[object]) -> list[CallRow]:
        rows = self._connection.execute(
            f"{_CALLS} {tail}",
            arguments,
        ).fetchall()
        recordings = self._recordings([row["id"] for row in rows])
        return [_call(row, recordings.get(row["id"], ())) for row in rows]

    def _recordings(self, call_ids: Sequence[str]) -> dict[str, list[RecordingRow]]:
        marks = ",".join("?" * len(call_ids))
        rows = self._connection.execute(
            f"{_RECORDINGS} WHERE call_id IN ({marks}) ORDER BY call_id, part",
            call_ids,
        ).fetchall()
        gap_rows = self._connection.execute(
            "SELECT recording_id, count(*), coalesce(sum(missing_ms), 0) FROM gap JOIN recording ON "  # noqa: S608
            f"recording.id = gap.recording_id WHERE call_id IN ({marks}) GROUP BY recording_id",
            call_ids,
        ).fetchall()
        gaps = {row[0]: (int(row[1]), int(row[2])) for row in gap_rows}
        by_call: dict[str, list[RecordingRow]] = defaultdict(list)
        for row in rows:
            by_call[row["call_id"]].append(_recording(row, gaps))
        return by_call


@contextmanager
def open_calls(data_dir: Path) -> Iterator[CallReader]:
    """A reader for the length of one request. Raises `StoreError` when there is no usable database."""
    database = open_reader(data_dir / "offhook.db")
    try:
        database.conn.row_factory = sqlite3.Row
        yield CallReader(database.conn)
    except sqlite3.Error as error:
        raise StoreError(f"the calls cannot be read ({error}); run `offhook doctor`") from error
    finally:
        database.conn.close()


def _call(row: sqlite3.Row, recordings: Sequence[RecordingRow]) -> CallRow:
    values: dict[str, Any] = dict(row)
    values["flags"] = frozenset(json.loads(values["flags"]))
    values["tags"] = tuple(sorted(json.loads(values["tags"])))
    values["reviewed"], values["protected"] = bool(values["reviewed"]), bool(values["protected"])
    return CallRow(**values, recordings=tuple(recordings))


def _recording(row: sqlite3.Row, gaps: dict[str, tuple[int, int]]) -> RecordingRow:
    values: dict[str, Any] = dict(row)
    values["roles"] = tuple(json.loads(values["roles"]))
    for flag in ("cut_short", "one_way", "silent"):
        values[flag] = bool(values[flag])
    count, missing_ms = gaps.get(values["id"], (0, 0))
    return RecordingRow(**values, gap_count=count, gap_ms=missing_ms)
