"""Holds what receivers say against what lies there: every stored file is hashed again, every sequence counted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator

from attrs import field, frozen

from sync.receiver.kept import Kept, KeptFiles
from sync.receiver.sql import Rows
from sync.receiver.sql_transaction import FILE, file_row, progress
from sync.receiver.storage import FileRow


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


def verify(kept: Kept, *, progress_made: Callable[[int, int], None] = lambda _done, _all: None) -> Verdict:
    """Reads only, and may run beside receivers."""
    rows, files = kept.rows, kept.files
    stored = _stored(rows)
    findings = list(_files(files, stored, progress_made))
    findings += _announced(rows, {(row.dev, row.fid) for row in stored})
    known = {files.key(row) for row in stored}
    there = set(files.keys())
    again = {files.key(row) for row in _stored(rows)}  # those that came in the meantime
    for key in sorted(there - known - again):
        findings.append(Finding(code="unknown", subject=key, message="no record speaks of this file"))
    for dev, epoch in rows.run("SELECT dev, epoch FROM epoch ORDER BY dev, epoch"):
        for first, last in progress(rows, dev, epoch).gaps:
            findings.append(
                Finding(code="gap", subject=f"{dev} {epoch}", message=f"records {first} to {last} did not come")
            )
    ((records,),) = rows.run("SELECT count(*) FROM record")
    ((unfinished,),) = rows.run("SELECT count(*) FROM file WHERE state = 'receiving'")
    return Verdict(
        files=len(stored),
        bytes=sum(row.size for row in stored),
        records=records,
        unfinished=unfinished,
        findings=tuple(findings),
    )


def _stored(rows: Rows) -> list[FileRow]:
    return [file_row(row) for row in rows.run(f"{FILE} WHERE state = 'stored'")]


def _files(files: KeptFiles, stored: list[FileRow], progress_made: Callable[[int, int], None]) -> Iterator[Finding]:
    for n, row in enumerate(stored):
        key = files.key(row)
        subject = f"{row.dev} {row.fid}"
        size = files.size(row)
        if size is None:
            yield Finding(code="missing", subject=subject, message=f"{key} is not there")
        else:
            digest = hashlib.sha256()
            for block in files.read(row):
                digest.update(block)
            if digest.hexdigest() != row.sha256 or size != row.size:
                told = f"{key} has sha256 {digest.hexdigest()} and {size} bytes; it was stored with {row.sha256}"
                yield Finding(code="damaged", subject=subject, message=f"{told} and {row.size}")
        progress_made(n + 1, len(stored))


def _announced(rows: Rows, stored: set[tuple[str, str]]) -> Iterator[Finding]:
    """A file that no record of its box speaks of; its record may still be on the way."""
    told = {
        (dev, one["fid"]) for dev, files in rows.run("SELECT dev, files FROM recording") for one in json.loads(files)
    }
    for dev, fid in sorted(stored - told):
        yield Finding(code="unannounced", subject=f"{dev} {fid}", message="no record tells of this recording (yet)")
