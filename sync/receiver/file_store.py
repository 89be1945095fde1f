"""Files on the disk: parts while they come, and their place for good. Every name is made here, none by a box."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sync.receiver.storage import FileRow, StorageFullError

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_HASH_BLOCK_BYTES = 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SUFFIXES = {".flac", ".opus", ".json", ".gz", ".log"}


class FileStore:
    """``parts/<box>/<file>.part`` and ``files/<box>/<year>/<month>/<file>.flac`` under ``folder``.

    Written bytes are safe only after `flush`. Every method may raise `StorageFullError`.
    """

    def __init__(self, folder: Path, *, reserve_bytes: int) -> None:
        self.folder = folder
        self._reserve_bytes = reserve_bytes
        self._open: dict[Path, int] = {}
        self._new_in: set[Path] = set()
        self._doomed: set[Path] = set()
        for name in ("parts", "files"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def room(self, size: int) -> bool:
        """Whether ``size`` more bytes leave the reserve untouched, in which records still find room."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize - size >= self._reserve_bytes

    def write(self, row: FileRow, offset: int, data: bytes) -> bool:
        """Puts ``data`` into the part. False: there was no part, this chunk is its only content."""
        if not self.room(len(data)):
            raise StorageFullError(f"the receiver's disk is full: {self.folder}")
        path = self._part(row)
        with _disk_full_is_told(path):
            descriptor = self._open.get(path)
            known = descriptor is not None or path.exists()
            if descriptor is None:
                if not known:
                    path.parent.mkdir(mode=0o700, exist_ok=True)
                    self._new_in |= {path.parent, path.parent.parent}
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._open[path] = descriptor
            self._doomed.discard(path)
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
        return known

    def digest(self, row: FileRow) -> str | None:
        """SHA-256 of the assembled part, or of the file that already is in its place; None without either."""
        for path in (self._part(row), self.path(row)):
            with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_size < row.size:
                    continue
                digest, left = hashlib.sha256(), row.size
                while left and (block := file.read(min(_HASH_BLOCK_BYTES, left))):
                    digest.update(block)
                    left -= len(block)
                return digest.hexdigest()
        return None

    def keep(self, row: FileRow) -> None:
        """Moves the part into place: bytes first, then the name. What is in place already stays."""
        part, path = self._part(row), self.path(row)
        if not part.exists():
            if not path.exists():
                raise FileNotFoundError(part)
            return
        with _disk_full_is_told(path):
            descriptor = self._open.pop(part, None)
            if descriptor is None:
                descriptor = os.open(part, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, row.size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            missing = []
            for folder in path.parents:
                if folder.exists():
                    break
                missing.append(folder)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.rename(path)
            for folder in (path.parent, *(folder.parent for folder in missing)):
                _sync_folder(folder)

    def doom(self, row: FileRow) -> None:
        """The part goes with `flushed`, after the commit that forgot it."""
        self._doomed.add(self._part(row))

    def flush(self) -> None:
        """Makes everything written safe."""
        with _disk_full_is_told(self.folder):
            for descriptor in self._open.values():
                os.fdatasync(descriptor)
            for folder in self._new_in:
                _sync_folder(folder)
        self._new_in.clear()

    def end(self, *, committed: bool) -> None:
        """Closes what the transaction opened."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
        if committed:
            for path in self._doomed:
                path.unlink(missing_ok=True)
        self._doomed.clear()

    def path(self, row: FileRow) -> Path:
        """Where ``row`` lies when it is stored."""
        at = moment(row.fid)
        return self.folder / "files" / row.dev / f"{at:%Y}" / f"{at:%m}" / f"{row.fid}{suffix(row.name)}"

    def key(self, row: FileRow) -> str:
        """``path`` as text; see `sync.receiver.kept.KeptFiles` for this and the next three."""
        return str(self.path(row))

    def keys(self) -> set[str]:
        return {str(path) for path in self.in_place()}

    def size(self, row: FileRow) -> int | None:
        path = self.path(row)
        return path.stat().st_size if path.is_file() else None

    def read(self, row: FileRow, *, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        with self.path(row).open("rb", buffering=0) as file:
            file.seek(first)
            left = row.size - first if last is None else last - first + 1
            while left > 0 and (block := file.read(min(_HASH_BLOCK_BYTES, left))):
                left -= len(block)
                yield block

    def in_place(self) -> set[Path]:
        """All files that are stored."""
        return {path for path in (self.folder / "files").rglob("*") if path.is_file()}

    def parts(self) -> set[Path]:
        return {path for path in (self.folder / "parts").rglob("*") if path.is_file()}

    def _part(self, row: FileRow) -> Path:
        return self.folder / "parts" / row.dev / f"{row.fid}.part"


def suffix(name: str) -> str:
    """Of the kinds of files that boxes have."""
    found = Path(name).suffix.lower()
    return found if found in _SUFFIXES else ".bin"


def moment(fid: str) -> datetime:
    """The time in a file's ULID (first ten characters: milliseconds since 1970); a folder, not a fact."""
    ms = 0
    for character in fid[:10]:
        ms = ms << 5 | max(0, _CROCKFORD.find(character))
    return datetime.fromtimestamp(min(ms / 1000, 253_402_300_799), UTC)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk_full_is_told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(f"the receiver's disk is full: {path} ({error.strerror})") from error
        raise
