"""Finishes the recordings that a crash or a power cut left in the spool; may be killed at any point and run again."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from firmware.audio.chain import Chunk, Close, Entry, Header, Sidecar, first_link, line_of, next_link, read_sidecar
from firmware.audio.durable import fsync_folder, make_folder, write_durably
from firmware.audio.levels import Meter
from firmware.model import CallId, ChannelRole, Instant, LineId, RecordingId
from firmware.ports import Clock, GapCause, RecordingClosed, RecordingFailed, RecordingFound

log = logging.getLogger("offhook.audio")

UNREADABLE = "unreadable"
_NAME = re.compile(r"(?P<call>(?P<stamp>\d{8}T\d{6})(?P<ms>\d{3})Z-(?P<line>[a-z0-9-]{1,32}))\.p(?P<part>[1-9]\d{0,5})")
_GUESSED_RATE_HZ = 8000
_TORN_S = 3
"""A power cut damages the newest seconds only; a hash that fails before them is evidence and stays as written."""
_PORTION = 1 << 20


@dataclass(frozen=True, slots=True)
class SpoolFindings:
    """What lay in the spool at the start."""

    recordings: tuple[Path, ...]
    set_aside: tuple[Path, ...]
    """Files that are none of ours, where they are now: for a person to look at."""


def search_spool(data_dir: Path, names: Collection[str]) -> SpoolFindings:
    """Finds raw files that nobody writes any more. What is none of ours is moved aside, never deleted.

    ``names``: what was in the spool before the first recording of this run was opened. Raises `OSError`.
    """
    spool = data_dir / "spool"
    recordings, set_aside = [], []
    for path in (spool / name for name in sorted(names)):
        if path.name == UNREADABLE or not os.path.lexists(path):
            continue
        regular = path.is_file() and not path.is_symlink()
        if regular and path.suffix == ".raw" and _NAME.fullmatch(path.stem):
            recordings.append(path)
        elif regular and path.name.endswith((".jsonl.tmp", ".peaks.json", ".peaks.json.tmp")):
            if not _raw_of(path).exists():
                path.unlink()  # made again from the sound wherever it is needed
        elif regular and path.suffix == ".jsonl" and (_raw_of(path).exists() or _is_sealed(path, data_dir)):
            if not _raw_of(path).exists():
                path.unlink()  # the raw file went at `confirm`, and the power went before this one
        else:
            set_aside.append(_set_aside(path))
    return SpoolFindings(tuple(recordings), tuple(set_aside))


def recover(raw: Path, clock: Clock) -> tuple[RecordingFound, RecordingClosed | RecordingFailed]:
    """Makes ``raw`` a closed recording with a complete sidecar. Raises `OSError` when the disk does not allow it.

    `RecordingFailed`: the power went before the first sound was on the disk; there is nothing to seal.

    The same file gives the same result however often this was begun before: the close line comes last.
    """
    sidecar = _sidecar_of(raw)
    header = sidecar.header
    whole = sidecar.close is not None and raw.stat().st_size == sidecar.close.frames * header.frame_bytes
    if not whole:
        _truncate(raw, _sound_bytes(raw, sidecar))
        raw.with_suffix(".peaks.json").unlink(missing_ok=True)
    meter = Meter(rate_hz=header.rate_hz, channels=len(header.roles))
    chunks = _chunks_of(raw, sidecar, meter)
    levels = meter.finish()
    frames = raw.stat().st_size // header.frame_bytes
    gaps = tuple(dict.fromkeys(gap for gap in sidecar.gaps if gap.at_frame <= frames))
    link = chunks[-1].link if chunks else first_link(header.seed).hex()
    close = sidecar.close
    if not whole or close is None:
        close = Close(frames, link, cut_short=True)
        entries: list[Entry] = [header, *chunks, *gaps, close]
        write_durably(raw.with_suffix(".jsonl"), b"".join(line_of(entry) for entry in entries))
    found = RecordingFound(
        line=header.line,
        at=header.at,
        recording=header.recording,
        call=header.call,
        part=header.part,
        raw_path=f"{raw.parent.name}/{raw.name}",
        rate_hz=header.rate_hz,
        roles=header.roles,
        boot_id=header.boot_id or None,
    )
    if not frames:
        reason = "the recorder ended before the first sound was on the disk"
        return found, RecordingFailed(
            line=header.line,
            at=clock.now(),
            recording=header.recording,
            call=header.call,
            part=header.part,
            cause=GapCause.RECORDER_DOWN,
            reason=reason,
        )
    closed = RecordingClosed(
        line=header.line,
        at=clock.now(),
        recording=header.recording,
        frames=frames,
        gaps=gaps,
        levels=levels,
        chain_head=link,
        cut_short=close.cut_short,
    )
    return found, closed


def _raw_of(companion: Path) -> Path:
    return companion.with_name(companion.name.split(".jsonl")[0].split(".peaks.json")[0] + ".raw")


def _is_sealed(sidecar: Path, data_dir: Path) -> bool:
    chain_name = f"{sidecar.stem}.chain.jsonl"
    return _NAME.fullmatch(sidecar.stem) is not None and any((data_dir / "recordings").glob(f"*/*/*/{chain_name}"))


def _set_aside(path: Path) -> Path:
    folder = path.parent / UNREADABLE
    make_folder(folder)
    target = folder / path.name
    tries = 1
    while target.exists() or target.is_symlink():
        tries += 1
        target = folder / f"{path.name}.{tries}"
    path.rename(target)
    fsync_folder(folder)
    log.error("%s is no recording; it was moved to %s", path.name, target)
    return target


def _sidecar_of(raw: Path) -> Sidecar:
    """What the sidecar says, or what the file's own name says when there is no readable one."""
    path = raw.with_suffix(".jsonl")
    try:
        sidecar = read_sidecar(path.read_bytes())
        if sidecar.header.recording == raw.stem:
            return sidecar
        log.error("%s speaks of another recording; %s is recovered by its name", path.name, raw.name)
    except FileNotFoundError:
        log.warning("%s has no sidecar; it is recovered by its name", raw.name)
    except ValueError as error:
        log.warning("%s: %s; the recording is recovered by its name", path.name, error)
    if path.exists():
        _set_aside(path)
    name = _NAME.fullmatch(raw.stem)
    assert name is not None, "search_spool gives only names that match"
    seconds = int(datetime.strptime(name["stamp"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp())
    header = Header(
        recording=RecordingId(raw.stem),
        call=CallId(name["call"]),
        line=LineId(name["line"]),
        part=int(name["part"]),
        rate_hz=_GUESSED_RATE_HZ,
        roles=(ChannelRole.MIXED,),
        at=Instant(0, (seconds * 1000 + int(name["ms"])) * 1_000_000),
        boot_id="",
        seed=f"{raw.stem} recovered without a sidecar",
    )
    return Sidecar(header, (), (), None)


def _sound_bytes(raw: Path, sidecar: Sidecar) -> int:
    """Length of the sound in ``raw``: whole frames, without the zeros that a power cut left behind it."""
    frame_bytes = sidecar.header.frame_bytes
    size = raw.stat().st_size
    with raw.open("rb") as file:
        vouched = _vouched_bytes(file, sidecar)
        end = size
        while end > vouched:
            begin = max(vouched, end - _PORTION)
            file.seek(begin)
            sound = file.read(end - begin).rstrip(b"\0")
            if sound:
                end = begin + len(sound)
                break
            end = begin
    # A last sample with a zero byte in it lost that byte above; a torn frame is dropped.
    return min(size - size % frame_bytes, end + -end % frame_bytes)


def _vouched_bytes(file: BinaryIO, sidecar: Sidecar) -> int:
    """End of the last chunk whose hash fits the file: silence up to there was really recorded."""
    end = sidecar.hashed_frames * sidecar.header.frame_bytes
    for chunk in reversed(sidecar.chunks):
        length = chunk.frames * sidecar.header.frame_bytes
        file.seek(end - length)
        if hashlib.sha256(file.read(length)).hexdigest() == chunk.sha256:
            return end
        end -= length
    return 0


def _truncate(raw: Path, size: int) -> None:
    fd = os.open(raw, os.O_WRONLY)
    try:
        os.ftruncate(fd, size)
        os.fsync(fd)
    finally:
        os.close(fd)


def _chunks_of(raw: Path, sidecar: Sidecar, meter: Meter) -> list[Chunk]:
    """The chain over all of ``raw``: the links that were written while recording, and new ones for the rest."""
    header = sidecar.header
    size = raw.stat().st_size
    chunk_bytes = header.rate_hz * header.frame_bytes
    written = {chunk.n: chunk for chunk in sidecar.chunks}
    chunks: list[Chunk] = []
    link = first_link(header.seed)
    with raw.open("rb") as file:
        while pcm := file.read(chunk_bytes):
            meter.feed(pcm)
            n = len(chunks)
            digest = hashlib.sha256(pcm).digest()
            fresh = Chunk(n, len(pcm) // header.frame_bytes, digest.hex(), next_link(link, n, digest).hex())
            old = written.get(n)
            torn = size - n * chunk_bytes <= _TORN_S * chunk_bytes
            if old is not None and old != fresh and not torn:
                log.error("%s: second %d is not what was recorded; its written hash is kept", raw.name, n)
                fresh = old
            chunks.append(fresh)
            link = bytes.fromhex(fresh.link)
    return chunks
