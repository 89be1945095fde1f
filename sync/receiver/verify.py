"""Holds what the receiver says against its disk: every stored file is hashed again, every sequence counted."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import field, frozen

from firmware.errors import StoreError
from sync.receiver.file_store import FileStore
from sync.receiver.sqlite_storage import DATABASE, file_row, progress
from sync.receiver.storage import FileRow

_BLOCK_BYTES = 1024 * 1024


@frozen(kw_only=True)
class Finding:
    """``code``: ``missing``, ``damaged``, ``unknown``, ``unannounced`` or ``gap``."""

    code: str
    subject: str
    message: str


@frozen(kw_only=True)
class Verdict:
    """``findings`` is empty when everything is as it should be."""

    files: int = 0
    bytes: int = 0
    records: int = 0
    unfinished: int = 0
    """Files that are still on their way: no fault."""
    findings: tuple[Finding, ...] = field(default=())


def verify(folder: Path, *, progress_made: Callable[[int, int], None] = lambda _done, _all: None) -> Verdict:
    """Reads only, and may run beside the receiver. Raises `StoreError` when there is no database to hold against."""
    try:
        connection = sqlite3.connect(f"{(folder / DATABASE).absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)
        stored = [file_row(row) for row in connection.execute(_STORED)]
    except sqlite3.Error as error:
        raise StoreError(f"there is no receiver's database in {folder} that can be read: {error}") from error
    try:
        store = FileStore(folder, reserve_bytes=0)
        findings = list(_files(store, stored, progress_made))
        findings += _announced(connection, {(row.dev, row.fid) for row in stored})
        known = {store.path(row) for row in stored}
        again = {store.path(file_row(row)) for row in connection.execute(_STORED)}  # those that came in the meantime
        for path in sorted(store.in_place() - known - again):
            findings.append(Finding(code="unknown", subject=str(path), message="no record speaks of this file"))
        for dev, epoch in connection.execute("SELECT dev, epoch FROM epoch ORDER BY dev, epoch").fetchall():
            for first, last in progress(connection, dev, epoch).gaps:
                findings.append(
                    Finding(code="gap", subject=f"{dev} {epoch}", message=f"records {first} to {last} did not come")
                )
        records = connection.execute("SELECT count(*) FROM record").fetchone()[0]
        unfinished = connection.execute("SELECT count(*) FROM file WHERE state = 'receiving'").fetchone()[0]
    finally:
        connection.close()
    return Verdict(
        files=len(stored),
        bytes=sum(row.size for row in stored),
        records=records,
        unfinished=unfinished,
        findings=tuple(findings),
    )


_STORED = "SELECT dev, fid, name, size, sha256, state, held, init FROM file WHERE state = 'stored'"


def _files(store: FileStore, stored: list[FileRow], progress_made: Callable[[int, int], None]) -> Iterator[Finding]:
    for n, row in enumerate(stored):
        path = store.path(row)
        subject = f"{row.dev} {row.fid}"
        if not path.exists():
            yield Finding(code="missing", subject=subject, message=f"{path} is not there")
        else:
            found = _sha256(path)
            if found != row.sha256 or path.stat().st_size != row.size:
                message = f"{path} has sha256 {found} and {path.stat().st_size} bytes; it was stored with {row.sha256}"
                yield Finding(code="damaged", subject=subject, message=f"{message} and {row.size}")
        progress_made(n + 1, len(stored))


def _announced(connection: sqlite3.Connection, stored: set[tuple[str, str]]) -> Iterator[Finding]:
    """A file that no record of its box speaks of; its record may still be on the way."""
    told = set(
        connection.execute(
            "SELECT dev, json_extract(one.value, '$.fid') FROM recording, json_each(recording.files) AS one"
        )
    )
    for dev, fid in sorted(stored - told):
        yield Finding(code="unannounced", subject=f"{dev} {fid}", message="no record tells of this recording (yet)")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
