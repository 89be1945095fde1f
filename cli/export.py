"""Copies recordings so that what arrives is what was recorded, and writes the list that goes with them."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

from cli.printing import local_time

Json = dict[str, Any]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_CHUNK = 1 << 20


def sealed_recordings(calls: Iterable[Json]) -> list[Json]:
    """The recordings of ``calls`` that have a FLAC file."""
    return [recording for call in calls for recording in call["recordings"] if recording["flac_path"]]


def free_space_fault(data: Path, folder: Path, recordings: Iterable[Json]) -> list[str]:
    """One sentence when the recordings do not fit into ``folder``."""
    needed = sum(_size(data / recording["flac_path"]) for recording in recordings if not _there(folder, recording))
    free = shutil.disk_usage(folder).free
    if needed <= free:
        return []
    return [f"{folder} has {free / 1e6:.0f} MB free, {needed / 1e6:.0f} MB are needed: export fewer days with --since"]


def copy_recording(data: Path, folder: Path, recording: Json) -> tuple[int, str | None]:
    """The copy's size, and what went wrong. The copy has its name only once it is complete, equal and on the disk."""
    source, target = data / recording["flac_path"], folder / f"{recording['id']}.flac"
    draft = target.with_suffix(".flac.part")
    try:
        if target.exists() and _sha256(target) == recording["flac_sha256"]:
            return target.stat().st_size, None
        with source.open("rb") as reader, draft.open("wb") as writer:
            shutil.copyfileobj(reader, writer, _CHUNK)
            writer.flush()
            os.fsync(writer.fileno())
        if _sha256(draft) != recording["flac_sha256"]:
            draft.unlink()
            return 0, f"{recording['id']}: the file is not what was recorded; see offhook doctor"
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        return 0, f"{recording['id']}: not copied: {error}"
    return target.stat().st_size, None


def write_call_list(path: Path, calls: Sequence[Json], zone: tzinfo) -> None:
    """One row per call, oldest first, with the names of its files. UTF-8 with a mark that spreadsheets understand."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["started", "line", "direction", "number", "name", "outcome", "answered", "ended", "files", "call"]
        )
        for call in reversed(calls):
            writer.writerow(
                [
                    local_time(call["started_utc_ms"], zone),
                    call["line"],
                    call["direction"],
                    _as_text(call["number"]),
                    _as_text(call["name"]),
                    call["outcome"] or call["status"],
                    local_time(call["answered_utc_ms"], zone),
                    local_time(call["ended_utc_ms"], zone),
                    " ".join(f"{r['id']}.flac" for r in sealed_recordings([call])),
                    call["id"],
                ]
            )


def _as_text(value: str | None) -> str:
    """A caller chooses the name that is shown: a spreadsheet must not take it for a formula."""
    text = value or ""
    if text.startswith("+") and text[1:].isdigit():
        return text
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _there(folder: Path, recording: Json) -> bool:
    return (folder / f"{recording['id']}.flac").exists()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
