"""A recording's files as a browser wants them: found only through the database, Opus put into MP4 once for Safari."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from firmware.errors import OffhookError

log = logging.getLogger("offhook.web.media")

CACHE_BYTES_AT_MOST = 512 * 1024 * 1024

REMUX_DEADLINE_S = 120.0
"""An hour of sound takes less than a second on a PC and some ten on a small Pi."""


class MediaError(OffhookError):
    """A sound file is missing, damaged, or could not be prepared."""


class MediaFiles:
    """Sound files under the data folder, and the cache of MP4 remuxes (copied packets, nothing is decoded)."""

    def __init__(self, *, data_dir: Path, cache_dir: Path) -> None:
        self._data_dir = data_dir.resolve()
        self._cache_dir = cache_dir
        self._guard = threading.Lock()
        self._being_made: dict[str, threading.Lock] = {}

    def locate(self, relative_path: str) -> Path:
        """The file that a row names. Raises `MediaError` when it is missing or outside the data folder."""
        path = (self._data_dir / relative_path).resolve()
        if not path.is_relative_to(self._data_dir):
            log.error("a recording's path leads out of the data folder", extra={"offhook": {"path": relative_path}})
            raise MediaError(f"{relative_path} is not inside the data folder; run `offhook doctor`")
        if not path.is_file():
            raise MediaError(f"{relative_path} is not there; run `offhook doctor`")
        return path

    def mp4(self, recording: str, relative_path: str) -> Path:
        """The MP4 twin of an Ogg Opus file, made at the first call and kept. Raises `MediaError`."""
        source = self.locate(relative_path)
        target = self._cache_dir / f"{recording}.{source.stat().st_mtime_ns:x}.mp4"
        with self._guard:
            making = self._being_made.setdefault(target.name, threading.Lock())
        with making:
            if not target.exists():
                self._make(source, target)
        with self._guard:
            self._being_made.pop(target.name, None)
        with contextlib.suppress(OSError):
            os.utime(target)  # the oldest go first when the cache is full
        return target

    def keep_only(self, recordings: set[str]) -> int:
        """Removes cached files of recordings that are no longer kept, so that no deleted call lives on here."""
        removed = 0
        for path in self._cached():
            if path.name.rsplit(".", 2)[0] not in recordings:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _make(self, source: Path, target: Path) -> None:
        unfinished = target.with_suffix(f".{threading.get_ident()}.part")
        try:
            self._cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            _remux(source, unfinished)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            unfinished.replace(target)
        except (OSError, subprocess.SubprocessError) as error:
            raise MediaError(
                f"{source.name} cannot be put into MP4 ({error}); play the Ogg or the FLAC file"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        self._shrink(keep=target)

    def _shrink(self, *, keep: Path) -> None:
        files = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in self._cached()), reverse=True)
        total_bytes = 0
        for _used, size, path in files:
            total_bytes += size
            if total_bytes > CACHE_BYTES_AT_MOST and path != keep:
                path.unlink(missing_ok=True)

    def _cached(self) -> list[Path]:
        return list(self._cache_dir.glob("*.mp4")) if self._cache_dir.is_dir() else []


def _remux(source: Path, target: Path) -> None:
    """`webui.remux` in a process of its own. Raises `OSError` or `subprocess.SubprocessError`."""
    subprocess.run(  # noqa: S603  our own module, and paths that `locate` has checked
        [sys.executable, "-m", "webui.remux", str(source), str(target)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=REMUX_DEADLINE_S,
    )


def wav_size(flac: Path) -> int:
    """Bytes of the WAV file that `wav_chunks` makes of ``flac``."""
    import soundfile  # noqa: PLC0415 - with numpy 30 MiB, for those who download WAV only

    info = soundfile.info(flac)
    return 44 + int(info.frames) * int(info.channels) * 2


def wav_chunks(flac: Path) -> Iterator[bytes]:
    """``flac`` as a 16-bit WAV file (RIFF, Microsoft/IBM 1991), a second or more at a time."""
    import soundfile  # noqa: PLC0415 - as above

    with soundfile.SoundFile(flac) as sound:
        data_bytes = sound.frames * sound.channels * 2
        frame_bytes = sound.channels * 2
        yield b"".join(
            (
                b"RIFF",
                (36 + data_bytes).to_bytes(4, "little"),
                b"WAVEfmt ",
                (16).to_bytes(4, "little"),
                (1).to_bytes(2, "little"),
                sound.channels.to_bytes(2, "little"),
                sound.samplerate.to_bytes(4, "little"),
                (sound.samplerate * frame_bytes).to_bytes(4, "little"),
                frame_bytes.to_bytes(2, "little"),
                (16).to_bytes(2, "little"),
                b"data",
                data_bytes.to_bytes(4, "little"),
            )
        )
        for block in sound.blocks(blocksize=16384, dtype="int16"):
            yield block.astype("<i2").tobytes()
