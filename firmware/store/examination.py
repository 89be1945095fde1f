"""Everything that can be wrong between the database and the files, each with its code and what can be done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from firmware.model import CallFlag, CallStatus, Direction, EndReason, Outcome, Presentation
from firmware.store.ledger import ENTRY
from firmware.store.scrub import fault_of
from firmware.store.transaction import Row, fetch

Progress = Callable[[int, int], None]
"""Called with (recordings read, recordings in all) while files are hashed."""


class Code(StrEnum):
    """Codes of findings; they stay."""

    DATABASE_MISSING = "database_missing"
    DATABASE_DAMAGED = "database_damaged"
    SCHEMA = "schema"
    ORPHAN_ROW = "orphan_row"
    UNKNOWN_VALUE = "unknown_value"
    FILE_DAMAGED = "file_damaged"
    ROW_WITHOUT_FILE = "row_without_file"
    FILE_WITHOUT_ROW = "file_without_row"
    OPEN_CALL = "open_call_without_recorder"
    UNSEALED = "recording_not_sealed"
    RAW_MISSING = "raw_file_missing"
    CALL_WITHOUT_RECORDING = "call_without_recording"
    UNEXPLAINED = "ledger_unexplained"
    OUTBOX_HOLE = "outbox_hole"
    PUT_ASIDE = "fact_put_aside"


@dataclass(frozen=True, slots=True)
class Finding:
    code: Code
    subject: str
    message: str
    repair: str | None = None
    """What ``--repair`` does about it; None when a person must decide."""

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code.value, "subject": self.subject, "message": self.message, "repair": self.repair}


def findings_of(
    db: Database, data_dir: Path, *, recorder_runs: bool, hashes: bool, progress: Progress | None
) -> list[Finding]:
    """Every finding of a database that opened and is sound as a file."""
    return [
        *_orphan_rows(db),
        *_unknown_values(db),
        *_sealed_files(db, data_dir, hashes=hashes, progress=progress),
        *_files_without_row(db, data_dir),
        *_unsealed(db, data_dir, recorder_runs=recorder_runs),
        *_open_calls(db, recorder_runs=recorder_runs),
        *_calls_without_recording(db),
        *_unexplained(db),
        *_outbox_holes(db),
        *_put_aside(db),
    ]


def _orphan_rows(db: Database) -> Iterator[Finding]:
    for row in fetch(db, "PRAGMA foreign_key_check"):
        table, parent = row["table"], row["parent"]
        repair = "it is moved to the table quarantine" if table == "gap" else None
        yield Finding(
            Code.ORPHAN_ROW,
            f"{table} {row['rowid']}",
            f"a row of {table} refers to a row of {parent} that is not there",
            repair,
        )


_WORDS: dict[str, type[StrEnum]] = {
    "direction": Direction,
    "status": CallStatus,
    "presentation": Presentation,
    "outcome": Outcome,
    "end_reason": EndReason,
}


def _unknown_values(db: Database) -> Iterator[Finding]:
    for row in fetch(db, f"SELECT id, flags, {', '.join(_WORDS)} FROM call"):  # noqa: S608
        wrong = [
            f"{column} = {row[column]!r}"
            for column, words in _WORDS.items()
            if row[column] is not None and row[column] not in set(words)
        ]
        if not _are_flags(row["flags"]):
            wrong.append(f"flags = {row['flags']!r}")
        if wrong:
            yield Finding(
                Code.UNKNOWN_VALUE,
                row["id"],
                f"this version does not know {', '.join(wrong)}: was it written by a newer one?",
            )


def _are_flags(text: str) -> bool:
    try:
        flags = json.loads(text)
    except ValueError:
        return False
    return isinstance(flags, list) and set(flags) <= {flag.value for flag in CallFlag}


def _sealed_files(db: Database, data_dir: Path, *, hashes: bool, progress: Progress | None) -> Iterator[Finding]:
    rows = fetch(db, "SELECT * FROM recording WHERE status = 'sealed' ORDER BY boot_no, started_boot_ns")
    for number, row in enumerate(rows, 1):
        for codec in ("flac", "opus"):
            fault = fault_of(data_dir, row, codec, whole=hashes)
            if fault is not None:
                path, reason = fault
                missing = not (data_dir / path).exists()
                yield Finding(
                    Code.ROW_WITHOUT_FILE if missing else Code.FILE_DAMAGED,
                    row["id"],
                    f"{path}: {reason}. Is the right disk mounted? A copy may be in the cloud or in an export",
                )
        if progress is not None:
            progress(number, len(rows))


def _files_without_row(db: Database, data_dir: Path) -> Iterator[Finding]:
    known = {row["id"] for row in fetch(db, "SELECT id FROM recording")}
    places = ((data_dir / "recordings").rglob("*.flac"), (data_dir / "spool").glob("*.raw"))
    for path in (path for files in places for path in sorted(files)):
        if path.stem in known:
            continue
        chain = path.with_suffix(".chain.jsonl" if path.suffix == ".flac" else ".jsonl")
        complete = chain.exists() and (path.suffix == ".raw" or path.with_suffix(".opus").exists())
        yield Finding(
            Code.FILE_WITHOUT_ROW,
            path.stem,
            f"{path.relative_to(data_dir)} is not in the database"
            + ("" if complete else ", and its sidecar or its Opus copy is missing"),
            "it is taken into the database, with its call" if complete else None,
        )


def _unsealed(db: Database, data_dir: Path, *, recorder_runs: bool) -> Iterator[Finding]:
    for row in fetch(db, "SELECT * FROM recording WHERE status IN ('recording', 'closed')"):
        raw = data_dir / str(row["raw_path"] or "")
        if not (row["raw_path"] and raw.is_file()):
            if recorder_runs:
                continue  # it may just be sealed
            yield Finding(
                Code.RAW_MISSING, row["id"], f"{row['raw_path'] or 'its raw file'} is gone before it was sealed"
            )
        elif not recorder_runs:
            yield Finding(
                Code.UNSEALED,
                row["id"],
                f"{row['raw_path']} waits to be sealed: the recorder does it when it is started",
            )
        elif row["error"]:
            yield Finding(
                Code.UNSEALED, row["id"], f"sealing {row['raw_path']} failed and is tried again: {row['error']}"
            )


def _open_calls(db: Database, *, recorder_runs: bool) -> Iterator[Finding]:
    if recorder_runs:
        return
    for row in fetch(db, "SELECT id, line FROM call WHERE status <> 'ended' ORDER BY boot_no, started_boot_ns"):
        yield Finding(
            Code.OPEN_CALL,
            row["id"],
            f"the call on {row['line']} is open and no recorder runs: start it, it goes on or ends",
        )


def _calls_without_recording(db: Database) -> Iterator[Finding]:
    for row in fetch(
        db,
        "SELECT c.id, c.parts, count(r.id) AS there FROM call c LEFT JOIN recording r ON r.call_id = c.id "
        "WHERE c.status = 'ended' GROUP BY c.id HAVING there < c.parts",
    ):
        yield Finding(
            Code.CALL_WITHOUT_RECORDING, row["id"], f"{row['parts']} recordings were started, {row['there']} are stored"
        )


def _unexplained(db: Database) -> Iterator[Finding]:
    for entry in fetch(db, f"SELECT * FROM ({ENTRY}) WHERE disposition = 'unexplained'"):  # noqa: S608
        what = (
            f"refers to the call {entry['call_id']}, which is not stored"
            if entry["call_id"]
            else "has no call and no fault"
        )
        yield Finding(Code.UNEXPLAINED, entry["id"], f"{entry['kind']} on {entry['line']} {what}")


def _outbox_holes(db: Database) -> Iterator[Finding]:
    """Rows may be pruned at the low end when the cloud has them; between the rest no number may be missing."""
    holes: Iterable[Row] = fetch(
        db,
        "SELECT seq, before FROM (SELECT seq, lag(seq) OVER (ORDER BY seq) AS before FROM outbox_event) "
        "WHERE seq <> before + 1",
    )
    for hole in holes:
        yield Finding(
            Code.OUTBOX_HOLE, str(hole["seq"]), f"the outbox has nothing between {hole['before']} and {hole['seq']}"
        )


def _put_aside(db: Database) -> Iterator[Finding]:
    for row in fetch(db, "SELECT rowid AS n, reason FROM quarantine WHERE kind = 'fact'"):
        yield Finding(Code.PUT_ASIDE, f"quarantine {row['n']}", f"a fact could not be stored: {row['reason']}")
