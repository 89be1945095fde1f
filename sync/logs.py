"""The box's own log of the last hours as a file for the cloud: what `journalctl` shows of Offhook's units, packed."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from firmware.errors import OffhookError
from firmware.store.ids import file_id
from firmware.store.transaction import Transaction
from sync.outbox import LOGS, Mark

FOLDER = "sync-logs"
LINES = 20_000
MAX_BYTES = 20_000_000
KEEP = 5
_DEADLINE_S = 20


class NoLogError(OffhookError):
    """The journal cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class LogFile:
    fid: str
    mark: Mark


def collect(data_dir: Path, *, name: str, hours: float, utc_ms: int) -> LogFile:
    """Writes the file; ``mark`` puts it into the outbox. Numbers and names are not in it: the log has none."""
    text = _journal(hours)
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o770, exist_ok=True)
    for old in sorted(folder.glob("*.log.gz"), key=lambda path: path.stat().st_mtime)[: -KEEP + 1]:
        old.unlink(missing_ok=True)
    packed = gzip.compress(text[-MAX_BYTES:])
    sha256 = hashlib.sha256(packed).hexdigest()
    fid = file_id(recording=f"log-{name}", started_utc_ms=utc_ms, sha256=sha256)
    path = folder / f"{fid}.log.gz"
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        file.write(packed)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

    def mark(tx: Transaction) -> None:
        tx.execute(
            "INSERT INTO outbox_file (fid, recording_id, path, size, sha256, prio) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (fid) DO NOTHING",
            (fid, f"log:{name}", str(path.relative_to(data_dir)), len(packed), sha256, LOGS),
        )

    return LogFile(fid, mark)


def is_log(recording_id: str) -> bool:
    return recording_id.startswith("log:")


def _journal(hours: float) -> bytes:
    command = ["journalctl", "--no-pager", "--output=short-iso-precise", "--unit=offhook-*", f"--lines={LINES}"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command and a number
            [*command, f"--since=-{hours:g}h"], capture_output=True, timeout=_DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoLogError(f"the journal cannot be read: {error}") from error
    if done.returncode:
        raise NoLogError(f"the journal cannot be read: {done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout
