"""`offhook sync test`: proves the whole path with an answer, a record, and a file of 1 MB that is read back."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware.store import outbox
from firmware.store.ids import file_id
from firmware.store.transaction import Transaction
from sync import wire
from sync.desk import Wish
from sync.outbox import DueFile, Mark

SIZE = 1_000_000
DEADLINE_S = 60.0
FIRST = 0
"""Priority: before every recording."""


@dataclass
class Proof:
    """One run of the test."""

    wish: Wish
    started_s: float
    records_waiting: int
    file: DueFile
    hello_s: float | None = None
    records_s: float | None = None
    file_s: float | None = None
    read_back: bool = False
    """The file was read again where it lies, and is the one that was sent."""
    error: str | None = None
    offered: bool = field(default=False)

    @property
    def done(self) -> bool:
        steps = (self.hello_s, self.records_s, self.file_s)
        return self.error is not None or (None not in steps and self.read_back)

    def answer(self) -> dict[str, Any]:
        """Seconds from the start to each answer of the receiver; None where there was none."""
        return {
            "ok": self.error is None and self.done,
            "hello_s": self.hello_s,
            "records": self.records_waiting,
            "records_s": self.records_s,
            "file_bytes": SIZE,
            "file_s": self.file_s,
            "read_back": self.read_back,
            "error": self.error,
        }

    def close(self) -> None:
        self.file.path.unlink(missing_ok=True)


def record(wish: Wish) -> Mark:
    """A record of its own: there is always one to prove the way of."""
    return lambda tx: _put(tx, wish.id)


def _put(tx: Transaction, name: str) -> None:
    outbox.put(tx, "sync.test", {"test": name})


def prepare(wish: Wish, *, now_s: float, utc_ms: int, records_waiting: int, epoch: str) -> Proof:
    """Makes the file to send: random bytes, so that nothing on the way can have seen them before."""
    content = os.urandom(SIZE)
    sha256 = hashlib.sha256(content).hexdigest()
    handle, name = tempfile.mkstemp(prefix="offhook-sync-test-", suffix=".bin")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    about = {"test": True, "epoch": epoch, "started_utc_ms": utc_ms}
    init = wire.build(wire.Init(name="sync-test.bin", size=SIZE, checksum=sha256, user_data=about))
    fid = file_id(recording=f"test-{wish.id}", started_utc_ms=utc_ms, sha256=sha256)
    due = DueFile(fid=fid, path=Path(name), size=SIZE, sha256=sha256, prio=FIRST, attempts=0, init=init)
    return Proof(wish, now_s, records_waiting, due)
