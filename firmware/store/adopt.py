"""Takes recordings that the database does not know back into it: their sidecars say which call they belong to."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from firmware.audio.chain import Sidecar, read_sidecar
from firmware.model import RecordingId
from firmware.ports import RecordingFound, RecordingSealed, SealedFile
from firmware.store import found, recordings
from firmware.store.hashing import sha256_of
from firmware.store.transaction import Transaction, fetch

log = logging.getLogger("offhook.store")


@dataclass(frozen=True, slots=True)
class Orphan:
    """A recording on the disk without a row."""

    sidecar: Sidecar
    flac: SealedFile | None
    """None: it is not sealed yet, its sound is in the spool folder."""
    opus: SealedFile | None = None
    peaks: str = ""

    @property
    def recording(self) -> RecordingId:
        return self.sidecar.header.recording

    @property
    def frames(self) -> int:
        return self.sidecar.close.frames if self.sidecar.close else self.sidecar.hashed_frames


def find_orphans(db: Database, data_dir: Path) -> list[Orphan]:
    """Every recording with a sidecar and no row, oldest first; sealed ones are hashed, which takes its time."""
    known = {row["id"] for row in fetch(db, "SELECT id FROM recording")}
    orphans: list[Orphan] = []
    for path in [*(data_dir / "recordings").rglob("*.chain.jsonl"), *(data_dir / "spool").glob("*.jsonl")]:
        name = path.name.removesuffix(".jsonl").removesuffix(".chain")
        if name in known:
            continue
        try:
            sidecar = read_sidecar(path.read_bytes())
        except ValueError as error:
            log.warning("cannot read a sidecar", extra={"offhook": {"path": str(path), "reason": str(error)}})
            continue
        orphan = _unsealed(path, sidecar) if path.parent.name == "spool" else _sealed(path, sidecar, data_dir)
        if orphan is not None and orphan.recording == name:
            orphans.append(orphan)
    return sorted(orphans, key=lambda orphan: (orphan.sidecar.header.at.utc_ns, orphan.recording))


def adopt(tx: Transaction, orphan: Orphan) -> None:
    """Makes the rows of the recording, and of its call when that is unknown too; queues its files for the cloud."""
    header = orphan.sidecar.header
    duration_s = orphan.frames / header.rate_hz
    found.recording_found(tx, _as_found(orphan), duration_s=duration_s)
    if orphan.flac is None or orphan.opus is None:
        return
    cut_short = orphan.sidecar.close is None or orphan.sidecar.close.cut_short
    tx.execute(
        "UPDATE recording SET status = 'closed', frames = ?, duration_ms = ?, cut_short = ?, chain_head = ? "
        "WHERE id = ?",
        (orphan.frames, round(duration_s * 1000), cut_short, _head(orphan.sidecar), orphan.recording),
    )
    recordings.replace_gaps(tx, orphan.recording, orphan.sidecar.gaps)
    sealed = RecordingSealed(
        line=header.line,
        at=tx.now,
        recording=orphan.recording,
        flac=orphan.flac,
        opus=orphan.opus,
        peaks=orphan.peaks,
    )
    recordings.sealed(tx, sealed)


def file_of(path: Path, data_dir: Path) -> SealedFile:
    """Size and SHA-256 of a file as it is on the disk now. Raises `OSError`."""
    return SealedFile(path=str(path.relative_to(data_dir)), size=path.stat().st_size, sha256=sha256_of(path))


def _head(sidecar: Sidecar) -> str:
    if sidecar.close is not None:
        return sidecar.close.link
    return sidecar.chunks[-1].link if sidecar.chunks else ""


def _sealed(path: Path, sidecar: Sidecar, data_dir: Path) -> Orphan | None:
    folder, name = path.parent, sidecar.header.recording
    flac, opus, peaks = folder / f"{name}.flac", folder / f"{name}.opus", folder / f"{name}.peaks.json"
    if not (flac.exists() and opus.exists()):
        return None
    return Orphan(
        sidecar,
        file_of(flac, data_dir),
        file_of(opus, data_dir),
        str(peaks.relative_to(data_dir)) if peaks.exists() else "",
    )


def _unsealed(path: Path, sidecar: Sidecar) -> Orphan | None:
    return Orphan(sidecar, None) if path.with_suffix(".raw").exists() else None


def _as_found(orphan: Orphan) -> RecordingFound:
    header = orphan.sidecar.header
    return RecordingFound(
        line=header.line,
        at=header.at,
        recording=header.recording,
        call=header.call,
        part=header.part,
        raw_path=f"spool/{header.recording}.raw",
        rate_hz=header.rate_hz,
        roles=header.roles,
        boot_id=header.boot_id or None,
    )
