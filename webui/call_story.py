"""What the page of one call tells beside its row: moments, markers, history, files, how long the sound stays."""

from __future__ import annotations

import base64
import json
import sqlite3
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.config_retention import CloudCopy, retention_part
from firmware.store.boot import corrected
from webui.call_list import CallReader, CallRow, RecordingRow

DAY_MS = 86_400_000
_POINTS_AT_MOST = 4_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened in a call."""

    kind: str
    after_ms: int
    """Since the call began; may be negative for what announced it."""
    detail: str = ""
    recording: str | None = None
    """The part of the sound it lies in, and where."""
    sound_ms: int | None = None
    length_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Marker:
    id: int
    recording_id: str
    at_ms: int
    until_ms: int | None
    text: str
    by: str
    at_utc_ms: int


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody wrote something to the call."""

    what: str
    value: str
    by: str
    at_utc_ms: int


@dataclass(frozen=True, slots=True)
class SoundFile:
    """One file of a recording, as a person may want to check it."""

    recording_id: str
    part: int
    kind: str
    bytes: int
    sha256: str
    in_cloud: bool


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long the sound stays. ``kind``: protected, days, space or gone."""

    kind: str
    until_utc_ms: int | None = None
    by: str = ""
    reason: str = ""
    at_utc_ms: int | None = None
    waits_for_cloud: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    moments: tuple[Moment, ...]
    markers: tuple[Marker, ...]
    changes: tuple[Change, ...]
    files: tuple[SoundFile, ...]
    keeping: Keeping
    rule: Mapping[str, Any]
    """``[recording]`` of the settings that were in force when the call began."""
    note_by: str
    note_utc_ms: int | None


def story(reader: CallReader, call: CallRow) -> Story:
    """Raises `sqlite3.Error` when the database cannot be read."""
    db = reader.connection
    note = db.execute("SELECT by, at_utc_ms FROM call_note WHERE call_id = ?", (call.id,)).fetchone()
    return Story(
        moments=_moments(db, call),
        markers=tuple(
            Marker(**dict(row))
            for row in db.execute(
                "SELECT m.id, recording_id, at_ms, until_ms, text, by, at_utc_ms FROM call_marker m "
                "JOIN recording r ON r.id = m.recording_id WHERE r.call_id = ? ORDER BY r.part, at_ms, m.id",
                (call.id,),
            )
        ),
        changes=tuple(
            Change(row["what"], row["value"], row["by"], row["at_utc_ms"])
            for row in db.execute(
                "SELECT what, value, by, at_utc_ms FROM annotation WHERE call_id = ? ORDER BY n DESC LIMIT 100",
                (call.id,),
            )
        ),
        files=_files(db, call),
        keeping=_keeping(db, call),
        rule=_rule(db, call.started_utc_ms),
        note_by="" if note is None else str(note["by"]),
        note_utc_ms=None if note is None else int(note["at_utc_ms"]),
    )


def read_peaks(data_dir: Path, relative_path: str) -> dict[str, Any]:
    """The recording's own peaks file, checked. Raises `OSError` or `ValueError`."""
    path = (data_dir / relative_path).resolve()
    if not path.is_relative_to(data_dir.resolve()):
        raise ValueError(f"{relative_path} is not inside the data folder")
    document = json.loads(path.read_text())
    channels = [str(each) for each in document["channels"]]
    points = int(document["points"])
    if not 0 < points <= _POINTS_AT_MOST or any(len(base64.b64decode(each)) != points for each in channels):
        raise ValueError(f"{relative_path} is not a peaks file")
    return {"points_per_s": float(document["points_per_s"]), "points": points, "channels": channels}


def _moments(db: sqlite3.Connection, call: CallRow) -> tuple[Moment, ...]:
    ledger = db.execute(
        f"SELECT l.kind, l.detail, {corrected('l.at_utc_ms', 'l.at_boot_ns', 'b')} AS at_utc_ms FROM ledger l "  # noqa: S608
        "JOIN boot b ON b.boot_no = l.boot_no WHERE l.call_id = ? ORDER BY l.boot_no, l.at_boot_ns LIMIT 500",
        (call.id,),
    )
    found = [("began", call.started_utc_ms, "")]
    found += [(str(row["kind"]), int(row["at_utc_ms"]), str(row["detail"])) for row in ledger]
    kinds = {kind for kind, _at, _detail in found}
    if call.answered_utc_ms is not None and "answered" not in kinds:
        found.append(("answered", call.answered_utc_ms, ""))
    if call.ended_utc_ms is not None:
        found.append(("ended", call.ended_utc_ms, call.end_reason or ""))
    starts = {recording.id: start for recording, start in _starts(db, call)}
    moments = [_placed(call, kind, at_ms, detail, starts) for kind, at_ms, detail in found]
    for mark in db.execute("SELECT mark, after_s FROM call_mark WHERE call_id = ?", (call.id,)):
        moments.append(Moment(str(mark["mark"]), round(mark["after_s"] * 1000)))
    for gap in db.execute(
        "SELECT g.recording_id, g.at_frame, g.missing_ms, g.cause, r.rate_hz FROM gap g "
        "JOIN recording r ON r.id = g.recording_id WHERE r.call_id = ? ORDER BY g.at_frame LIMIT 500",
        (call.id,),
    ):
        sound_ms = round(gap["at_frame"] * 1000 / gap["rate_hz"])
        after_ms = starts[gap["recording_id"]] + sound_ms - call.started_utc_ms
        moments.append(
            Moment("gap", after_ms, str(gap["cause"]), str(gap["recording_id"]), sound_ms, gap["missing_ms"])
        )
    return tuple(sorted(moments, key=lambda moment: moment.after_ms))


def _placed(call: CallRow, kind: str, at_ms: int, detail: str, starts: Mapping[str, int]) -> Moment:
    """With its place in the sound, when it lies in one of the parts."""
    for recording in call.recordings:
        sound_ms = at_ms - starts[recording.id]
        if 0 <= sound_ms <= (recording.duration_ms or 0):
            return Moment(kind, at_ms - call.started_utc_ms, detail, recording.id, sound_ms)
    return Moment(kind, at_ms - call.started_utc_ms, detail)


def _starts(db: sqlite3.Connection, call: CallRow) -> Sequence[tuple[RecordingRow, int]]:
    rows = db.execute(
        f"SELECT r.id, {corrected('r.started_utc_ms', 'r.started_boot_ns', 'b')} AS started_utc_ms FROM recording r "  # noqa: S608
        "JOIN boot b ON b.boot_no = r.boot_no WHERE r.call_id = ?",
        (call.id,),
    )
    at = {str(row["id"]): int(row["started_utc_ms"]) for row in rows}
    return [(recording, at[recording.id]) for recording in call.recordings]


def _files(db: sqlite3.Connection, call: CallRow) -> tuple[SoundFile, ...]:
    rows = db.execute(
        "SELECT r.id, part, flac_path, flac_size, flac_sha256, opus_path, opus_size, opus_sha256, "
        "EXISTS (SELECT 1 FROM outbox_file f WHERE f.recording_id = r.id AND f.state = 'stored') AS in_cloud "
        "FROM recording r WHERE call_id = ? ORDER BY part",
        (call.id,),
    )
    return tuple(
        SoundFile(
            row["id"],
            row["part"],
            kind.upper(),
            row[f"{kind}_size"] or 0,
            row[f"{kind}_sha256"] or "",
            bool(row["in_cloud"]),
        )
        for row in rows
        for kind in ("flac", "opus")
        if row[f"{kind}_path"]
    )


def _keeping(db: sqlite3.Connection, call: CallRow) -> Keeping:
    gone = db.execute(
        "SELECT rule, by, reason, at_utc_ms FROM deletion WHERE call_id = ? ORDER BY n DESC LIMIT 1", (call.id,)
    ).fetchone()
    kept = [recording for recording in call.recordings if recording.status == "sealed"]
    if gone is not None and not kept:
        return Keeping("gone", by=gone["by"], reason=gone["reason"], at_utc_ms=gone["at_utc_ms"])
    protection = db.execute(
        "SELECT by, reason, at_utc_ms FROM call_protection WHERE call_id = ?", (call.id,)
    ).fetchone()
    if protection is not None:
        return Keeping("protected", by=protection["by"], reason=protection["reason"], at_utc_ms=protection["at_utc_ms"])
    document = db.execute("SELECT document FROM setting ORDER BY version DESC LIMIT 1").fetchone()
    rules, cloud = retention_part(document["document"] if document else "")
    days = rules.days_of(call.line)
    waits = rules.keep_until_in_cloud and cloud is not CloudCopy.NOTHING
    if not days:
        return Keeping("space", waits_for_cloud=waits)
    return Keeping("days", until_utc_ms=call.started_utc_ms + days * DAY_MS, waits_for_cloud=waits)


def _rule(db: sqlite3.Connection, at_utc_ms: int) -> Mapping[str, Any]:
    row = db.execute(
        "SELECT document FROM setting ORDER BY applied_utc_ms <= ? DESC, "
        "CASE WHEN applied_utc_ms <= ? THEN -version ELSE version END LIMIT 1",
        (at_utc_ms, at_utc_ms),
    ).fetchone()
    try:
        section = tomllib.loads(row["document"] if row else "").get("recording", {})
    except tomllib.TOMLDecodeError:
        return {}
    return section if isinstance(section, dict) else {}
