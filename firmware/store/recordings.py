"""Recordings: what the recorder says of a file becomes its row, its gaps and its place in the queue for the cloud."""

from __future__ import annotations

import json
from collections.abc import Sequence

from firmware.model import CallFlag
from firmware.ports import (
    ChannelLevels,
    Gap,
    GapCause,
    RecordingClosed,
    RecordingFailed,
    RecordingFound,
    RecordingOpened,
    RecordingSealed,
    SealedFile,
    SealFailed,
)
from firmware.store import alarms, boot, outbox
from firmware.store.deletion import SEALED, Rule, mark_deleted
from firmware.store.transaction import Committed, Row, Transaction

SILENT_BELOW_S = 0.1
"""A channel with less sound than this above -50 dBFS (one window of `ChannelLevels.active_s`) said nothing."""

SPOKE_FROM_S = 2.0
"""The other channel must have been active this long before the silent one counts as one-way audio."""


def opened(tx: Transaction, fact: RecordingOpened | RecordingFound, *, boot_no: int | None = None) -> None:
    """Sound is being appended to ``fact.raw_path``, or lies there since an earlier run (in the boot ``boot_no``)."""
    tx.execute(
        "INSERT INTO recording (id, call_id, line, part, status, boot_no, started_utc_ms, started_boot_ns, rate_hz, "
        "roles, raw_path) VALUES (?, ?, ?, ?, 'recording', ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "rate_hz = excluded.rate_hz, roles = excluded.roles, raw_path = excluded.raw_path WHERE status = 'failed'",
        (
            fact.recording,
            fact.call,
            fact.line,
            fact.part,
            boot_no if boot_no is not None else boot.which(tx, fact.at),
            fact.at.utc_ms,
            fact.at.boot_ns,
            fact.rate_hz,
            json.dumps([role.value for role in fact.roles]),
            fact.raw_path,
        ),
    )
    add_hole_before(tx, fact.call, fact.part)
    _tell_box(tx, "recording.opened", fact.recording)


def closed(tx: Transaction, fact: RecordingClosed) -> None:
    """The raw file is complete: its length, levels and gaps are known."""
    row = _row(tx, fact.recording)
    if row["status"] in {"sealed", "deleted"}:
        return
    tx.execute(
        "UPDATE recording SET status = 'closed', frames = ?, duration_ms = ?, cut_short = ?, one_way = ?, silent = ?, "
        "levels = ?, chain_head = ? WHERE id = ?",
        (
            fact.frames,
            _duration_ms(fact.frames, row["rate_hz"]),
            fact.cut_short,
            is_one_way(fact.levels),
            is_silent(fact.levels),
            json.dumps([_levels_json(level) for level in fact.levels]),
            fact.chain_head,
            fact.recording,
        ),
    )
    replace_gaps(tx, fact.recording, fact.gaps)
    add_hole_before(tx, row["call_id"], row["part"])
    add_hole_before(tx, row["call_id"], row["part"] + 1)
    _tell_box(tx, "recording.closed", fact.recording)
    if fact.frames:
        alarms.resolve_alarm(tx, key="recording_failed", subject=fact.line, at=fact.at)


def sealed(tx: Transaction, fact: RecordingSealed) -> None:
    """Its files for good are on the disk: from now on they are queued for the cloud.

    It may come again when the power went before the raw file was removed; the newest files are the ones on the disk.
    """
    row = _row(tx, fact.recording)
    if row["status"] == "sealed" and (row["flac_sha256"], row["opus_sha256"]) == (fact.flac.sha256, fact.opus.sha256):
        _tell_box(tx, "recording.sealed", fact.recording)
        return
    tx.execute(
        "UPDATE recording SET status = 'sealed', raw_path = NULL, flac_path = ?, flac_size = ?, flac_sha256 = ?, "
        "opus_path = ?, opus_size = ?, opus_sha256 = ?, peaks_path = ?, sealed_utc_ms = ?, error = NULL WHERE id = ?",
        (
            fact.flac.path,
            fact.flac.size,
            fact.flac.sha256,
            fact.opus.path,
            fact.opus.size,
            fact.opus.sha256,
            fact.peaks,
            fact.at.utc_ms,
            fact.recording,
        ),
    )
    alarms.resolve_alarm(tx, key="seal_failed", subject=fact.recording, at=fact.at)
    if _not_to_be_recorded(tx, row["call_id"]):
        _tell_box(tx, "recording.sealed", fact.recording)
        throw_away(tx, row["call_id"])
        return
    outbox.withdraw_files(tx, fact.recording, keep=(fact.flac.sha256, fact.opus.sha256))
    files = [_queue(tx, row, codec, file) for codec, file in (("flac", fact.flac), ("opus", fact.opus))]
    outbox.put(tx, "recording.sealed", _body(tx, fact.recording) | {"files": files})


def throw_away(tx: Transaction, call: str) -> None:
    """Deletes what is sealed of a call that the rules leave out; what is not sealed yet goes once it is."""
    rows = tx.rows(f"{SEALED} AND r.call_id = ?", (call,))
    mark_deleted(tx, rows, rule=Rule.NOT_TO_BE_RECORDED, by="recording rules")


def _not_to_be_recorded(tx: Transaction, call: str) -> bool:
    row = tx.row("SELECT flags FROM call WHERE id = ?", (call,))
    return row is not None and CallFlag.NOT_TO_BE_RECORDED.value in json.loads(row["flags"])


def failed(tx: Transaction, fact: RecordingFailed) -> None:
    """No sound can be kept (any more). What was kept before is closed and sealed like any other."""
    changed = tx.execute(
        "INSERT INTO recording (id, call_id, line, part, status, boot_no, started_utc_ms, started_boot_ns, rate_hz, "
        "roles, error) VALUES (?, ?, ?, ?, 'failed', ?, ?, ?, 0, '[]', ?) "
        "ON CONFLICT (id) DO UPDATE SET error = excluded.error, "
        "status = CASE status WHEN 'recording' THEN 'failed' ELSE status END WHERE error IS NOT excluded.error",
        (
            fact.recording,
            fact.call,
            fact.line,
            fact.part,
            boot.which(tx, fact.at),
            fact.at.utc_ms,
            fact.at.boot_ns,
            f"{fact.cause.value}: {fact.reason}",
        ),
    ).rowcount
    if not changed:
        return
    outbox.put(tx, "recording.failed", _body(tx, fact.recording) | {"cause": fact.cause.value, "reason": fact.reason})


def seal_failed(tx: Transaction, fact: SealFailed) -> None:
    """The raw file stays and is tried again."""
    tx.execute("UPDATE recording SET error = ? WHERE id = ? AND status <> 'sealed'", (fact.reason, fact.recording))


def add_hole_before(tx: Transaction, call: str, part: int) -> None:
    """The sound between the end of the part before and the start of ``part`` is missing: a gap before its first frame.

    Measured on the clock that never jumps, and on the wall clock when the box was started anew in between.
    """
    later, earlier = (
        tx.row("SELECT * FROM recording WHERE call_id = ? AND part = ?", (call, n)) for n in (part, part - 1)
    )
    if later is None or earlier is None or earlier["duration_ms"] is None:
        return
    if tx.row("SELECT 1 FROM gap WHERE recording_id = ? AND at_frame = 0", (later["id"],)):
        return
    if later["boot_no"] == earlier["boot_no"]:
        missing_ms = (later["started_boot_ns"] - earlier["started_boot_ns"]) // 1_000_000 - earlier["duration_ms"]
    else:
        missing_ms = later["started_utc_ms"] - earlier["started_utc_ms"] - earlier["duration_ms"]
    cause = GapCause.RECORDER_DOWN if earlier["cut_short"] else GapCause.DEVICE_LOST
    if missing_ms > 0:
        _add_gap(tx, later["id"], 0, missing_ms, cause)


def is_silent(levels: Sequence[ChannelLevels]) -> bool:
    return bool(levels) and all(level.active_s < SILENT_BELOW_S for level in levels)


def is_one_way(levels: Sequence[ChannelLevels]) -> bool:
    """One channel of two said nothing while the other spoke."""
    if len(levels) != 2:
        return False
    quiet, loud = sorted(level.active_s for level in levels)
    return quiet < SILENT_BELOW_S and loud >= SPOKE_FROM_S


def recording_json(row: Row, gaps: Sequence[Row]) -> Row:
    """RECORDING of docs/interfaces.md from a row of the table and its gaps."""
    rate_hz = int(row["rate_hz"])
    return {
        "id": row["id"],
        "part": row["part"],
        "status": row["status"],
        "started_utc_ms": row["started_utc_ms"],
        "duration_ms": row["duration_ms"],
        "rate_hz": rate_hz,
        "roles": json.loads(row["roles"]),
        "cut_short": bool(row["cut_short"]),
        "one_way": bool(row["one_way"]),
        "silent": bool(row["silent"]),
        "levels": json.loads(row["levels"]) if row["levels"] else [],
        "gaps": [
            {"at_ms": _duration_ms(gap["at_frame"], rate_hz), "missing_ms": gap["missing_ms"], "cause": gap["cause"]}
            for gap in gaps
        ],
        "chain_head": row["chain_head"],
        "flac_path": row["flac_path"],
        "flac_sha256": row["flac_sha256"],
        "opus_path": row["opus_path"],
        "opus_sha256": row["opus_sha256"],
        "peaks_path": row["peaks_path"],
    }


def _duration_ms(frames: int, rate_hz: int) -> int:
    return round(frames * 1000 / rate_hz) if rate_hz else 0


def _levels_json(level: ChannelLevels) -> Row:
    return {
        "rms_dbfs": round(level.rms_dbfs, 2),
        "peak_dbfs": round(level.peak_dbfs, 2),
        "clipped_runs": level.clipped_runs,
        "active_s": round(level.active_s, 2),
    }


def _row(tx: Transaction, recording: str) -> Row:
    row = tx.row("SELECT * FROM recording WHERE id = ?", (recording,))
    if row is None:
        raise LookupError(f"recording {recording} was closed or sealed, but never opened")
    return row


def replace_gaps(tx: Transaction, recording: str, gaps: Sequence[Gap]) -> None:
    tx.execute("DELETE FROM gap WHERE recording_id = ?", (recording,))
    for gap in gaps:
        _add_gap(tx, recording, gap.at_frame, gap.missing_ms, gap.cause)


def _add_gap(tx: Transaction, recording: str, at_frame: int, missing_ms: int | None, cause: GapCause) -> None:
    tx.execute(
        "INSERT INTO gap (recording_id, at_frame, missing_ms, cause) VALUES (?, ?, ?, ?)",
        (recording, at_frame, missing_ms, cause.value),
    )


def _queue(tx: Transaction, row: Row, codec: str, file: SealedFile) -> Row:
    fid = outbox.put_file(
        tx,
        recording=row["id"],
        started_utc_ms=row["started_utc_ms"],
        path=file.path,
        size=file.size,
        sha256=file.sha256,
    )
    return {"fid": fid, "codec": codec, "size": file.size, "sha256": file.sha256}


def _tell_box(tx: Transaction, kind: str, recording: str) -> None:
    """For the page; the cloud hears of a recording when it is sealed or failed."""
    tx.committed.append(Committed(kind, _body(tx, recording)))


def _body(tx: Transaction, recording: str) -> Row:
    row = _row(tx, recording)
    gaps = tx.rows("SELECT * FROM gap WHERE recording_id = ? ORDER BY at_frame", (recording,))
    clocks = {name: row[name] for name in ("call_id", "line", "boot_no", "started_boot_ns", "error")}
    return recording_json(row, gaps) | clocks
