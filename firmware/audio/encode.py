"""Encodes one raw recording: FLAC decoded back and compared bit for bit, an Opus copy, the waveform, the chain."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile

from firmware.audio.chain import Header
from firmware.audio.durable import make_folder, publish
from firmware.audio.levels import Meter, Samples, samples_of
from firmware.audio.peaks import peaks_document
from firmware.errors import OffhookError
from firmware.ports import SealedFile

PORTION_S = 10
"""Sound in memory at a time: an hour's call costs no more memory than a minute's."""
OPUS_KBIT_S = 24
OPUS_PAGE_MS = 200.0
"""Short pages make a player's seek exact; libsndfile's default is 1 s."""

_SFC_SET_OGG_PAGE_LATENCY_MS = 0x1302


class EncodeError(OffhookError):
    """A sealed file did not come out as the sound that went in."""


class EncodeStoppedError(OffhookError):
    """The box stops; the raw file is encoded after its next start."""


@dataclass(frozen=True, slots=True)
class Encoded:
    flac: SealedFile
    opus: SealedFile
    peaks: str


def sealed_stem(header: Header, data_dir: Path) -> Path:
    """Path of the sealed files without their suffix: by the UTC day on which the call began."""
    day = datetime.fromtimestamp(header.at.utc_ns // 1_000_000_000, UTC)
    return data_dir / "recordings" / day.strftime("%Y/%m/%d") / header.recording


def encode(raw: Path, header: Header, data_dir: Path, stopped: Callable[[], bool]) -> Encoded:
    """Makes all sealed files of ``raw``. Doing it again gives the same files.

    Raises `EncodeError`, `OSError`, or `EncodeStoppedError` soon after ``stopped()`` has become true.
    """
    sound = _Raw(raw, header, stopped)
    stem = sealed_stem(header, data_dir)
    make_folder(stem.parent)
    flac, opus, peaks, chain = (
        stem.with_name(stem.name + suffix) for suffix in (".flac", ".opus", ".peaks.json", ".chain.jsonl")
    )
    try:
        again = flac.exists() and _same_sound(sound, flac)
        if not again:
            _write_flac(sound, _tmp(flac))
            if not _same_sound(sound, _tmp(flac)):
                raise EncodeError(f"{flac.name} decoded to other sound than {raw.name}; the raw file is kept")
            publish(_tmp(flac), flac)
        if not (again and opus.exists()):  # a published file is whole, and Opus never comes out the same twice
            _write_opus(sound, _tmp(opus))
            publish(_tmp(opus), opus)
        _write_peaks(sound, _tmp(peaks))
        publish(_tmp(peaks), peaks)
        shutil.copyfile(raw.with_suffix(".jsonl"), _tmp(chain))
        publish(_tmp(chain), chain)
    except soundfile.LibsndfileError as error:
        raise EncodeError(f"{raw.name} cannot be encoded: {error}") from error
    finally:
        for path in (flac, opus, peaks, chain):
            _tmp(path).unlink(missing_ok=True)
    return Encoded(
        flac=_sealed_file(flac, data_dir), opus=_sealed_file(opus, data_dir), peaks=str(peaks.relative_to(data_dir))
    )


def _tmp(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


@dataclass(frozen=True, slots=True)
class _Raw:
    """The sound to encode, a portion at a time."""

    path: Path
    header: Header
    stopped: Callable[[], bool]

    def portions(self) -> Iterator[Samples]:
        size = PORTION_S * self.header.rate_hz * self.header.frame_bytes
        with self.path.open("rb") as file:
            while portion := file.read(size):
                if self.stopped():
                    raise EncodeStoppedError(f"{self.path.name} is encoded after the next start")
                whole = len(portion) - len(portion) % self.header.frame_bytes
                if whole:
                    yield samples_of(portion[:whole], len(self.header.roles))


def _write_flac(sound: _Raw, path: Path) -> None:
    header = sound.header
    with soundfile.SoundFile(
        path, "w", samplerate=header.rate_hz, channels=len(header.roles), format="FLAC", subtype="PCM_16"
    ) as file:
        for samples in sound.portions():
            file.write(samples)


def _write_opus(sound: _Raw, path: Path) -> None:
    header = sound.header
    # libsndfile: bit rate per channel = 6 kbit/s + (1 - level) * 250 kbit/s.
    level = 1 - (OPUS_KBIT_S - 6) / 250
    with soundfile.SoundFile(
        path,
        "w",
        samplerate=header.rate_hz,
        channels=len(header.roles),
        format="OGG",
        subtype="OPUS",
        compression_level=level,
    ) as file:
        latency = soundfile._ffi.new("double*", OPUS_PAGE_MS)
        soundfile._snd.sf_command(file._file, _SFC_SET_OGG_PAGE_LATENCY_MS, latency, 8)
        for samples in sound.portions():
            file.write(samples)


def _same_sound(sound: _Raw, flac: Path) -> bool:
    header = sound.header
    try:
        with soundfile.SoundFile(flac) as file:
            if file.samplerate != header.rate_hz or file.channels != len(header.roles):
                return False
            blocks = file.blocks(PORTION_S * header.rate_hz, dtype="int16", always_2d=True)
            return all(
                mine is not None and decoded is not None and np.array_equal(mine, decoded)
                for mine, decoded in itertools.zip_longest(sound.portions(), blocks)
            )
    except soundfile.LibsndfileError:
        return False


def _write_peaks(sound: _Raw, path: Path) -> None:
    header = sound.header
    made = sound.path.with_suffix(".peaks.json")
    if made.exists():
        shutil.copyfile(made, path)
        return
    meter = Meter(rate_hz=header.rate_hz, channels=len(header.roles))
    for samples in sound.portions():
        meter.feed(samples.tobytes())
    meter.finish()
    path.write_bytes(peaks_document(meter.points, meter.points_per_s))


def _sealed_file(path: Path, data_dir: Path) -> SealedFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while portion := file.read(1 << 20):
            digest.update(portion)
    return SealedFile(path=str(path.relative_to(data_dir)), size=path.stat().st_size, sha256=digest.hexdigest())
