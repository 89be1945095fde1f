"""The seam between what the receiver decides and where things are kept: one protocol, SQLite or larger engines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from attrs import frozen

from firmware.errors import OffhookError
from sync.ranges import Range
from sync.receiver.messages import Poison, RecordIn, RefusedIn


class StorageFullError(OffhookError):
    """There is no room for more: what was asked for did not happen, and may be asked for again later."""


class StorageAwayError(StorageFullError):
    """The database or the object store cannot be reached now: likewise."""


class FileState(StrEnum):
    RECEIVING = "receiving"
    STORED = "stored"
    ABORTED = "aborted"
    """Its box no longer has it; the parts are thrown away."""


@frozen(kw_only=True)
class FileRow:
    """What is known of one file."""

    dev: str
    fid: str
    name: str
    size: int
    sha256: str
    state: FileState
    held: tuple[Range, ...] = ()
    """Bytes that are safe, merged. All of them once the state is STORED."""
    init: str = "{}"
    """The init message as it came."""
    fin: bool = False
    """Its box has said that everything was sent; with several receivers that may overtake the last chunk."""
    busy: bool = False
    """Another receiver is putting it into its place just now."""


class Added(StrEnum):
    """What became of a record."""

    NEW = "new"
    KNOWN = "known"
    """The same record was there; nothing changed."""
    CONFLICT = "conflict"
    """Another record has this id, or this seq: two boxes with one identity, or one restored from a backup."""


@frozen(kw_only=True)
class Progress:
    """What is held of one epoch's sequence: every seq up to ``upto`` but those in ``gaps`` (both ends included)."""

    upto: int = 0
    gaps: tuple[Range, ...] = ()


@frozen(kw_only=True)
class PendingCommand:
    """A command that its box has not finished, as published."""

    dev: str
    payload: bytes
    not_after_ms: int


class Transaction(Protocol):
    """All that one batch of messages may ask and change. Nothing of it counts before `Storage.transaction` has ended.

    Any method may raise `StorageFullError`.
    """

    @property
    def store_epoch(self) -> str:
        """Another one after each loss: boxes then ask again for what they believed stored."""

    def savepoint(self) -> AbstractContextManager[None]:
        """What happens inside is undone when it raises, and only that."""

    def enter(self, dev: str) -> None:
        """From here to the end of the transaction nobody else handles messages of ``dev``. Whoever enters several
        enters them in ascending order."""

    def seen(self, dev: str, *, at_ms: int, hello: str | None = None) -> None:
        """``dev`` is alive; ``hello`` replaces what was known when it is given."""

    def status(self, dev: str, text: str, *, state: str | None, at_ms: int) -> None:
        """``dev``, or the broker in its name, has said how it is."""

    def add_record(self, dev: str, record: RecordIn, *, at_ms: int) -> Added: ...

    def claimed(self, dev: str, epoch: str, max_seq: int, *, at_ms: int) -> None:
        """The box says that it has given out every seq up to ``max_seq``."""

    def dense_upto(self, dev: str, epoch: str) -> int:
        """The last seq before the first one that lacks."""

    def progress(self, dev: str, epoch: str) -> Progress: ...

    def file(self, dev: str, fid: str) -> FileRow | None:
        """The row, locked against other receivers until the transaction ends; ``busy`` when another one has it."""

    def file_to_finish(self, dev: str, fid: str) -> FileRow | None:
        """The row, locked; waits for whoever has it."""

    def save_file(self, row: FileRow, *, at_ms: int) -> None: ...

    def stage(self, row: FileRow, offset: int, data: bytes) -> bool:
        """Keeps a chunk for the time of the assembly. False: it is the only one, whatever ``row.held`` says."""

    def assembled(self, row: FileRow) -> str | None:
        """The SHA-256 over the first ``row.size`` bytes of what was staged (or was already put into place).

        None when it is not there, or shorter than ``row.size``.
        """

    def keep(self, row: FileRow) -> None:
        """Puts what was staged into its place for good. Repeatable."""

    def discard(self, row: FileRow) -> None:
        """Forgets what was staged, no later than the end of the transaction."""

    def room(self, size: int) -> bool:
        """Whether a file of ``size`` bytes may come."""

    def set_aside(self, poison: Poison, *, at_ms: int) -> None: ...

    def set_aside_record(self, dev: str, refused: RefusedIn, *, at_ms: int) -> None: ...

    def reported(self, dev: str, text: str, *, version: int, at_ms: int) -> None: ...

    def result(self, dev: str, command: str, *, state: str, text: str, at_ms: int) -> None: ...

    def desired(self, dev: str) -> tuple[int, str] | None:
        """The version and the document that the operator wishes for this box."""

    def commands(self, dev: str, *, at_ms: int) -> Sequence[PendingCommand]:
        """Those to hand out to ``dev`` again, oldest first."""

    def unsent(self) -> Sequence[str]:
        """Boxes for which the operator has something new, in ascending order."""


class Storage(Protocol):
    """Where a receiver keeps everything. Used by one thread."""

    @property
    def unfit(self) -> tuple[type[Exception], ...]:
        """What the database raises because of one message's content."""

    @property
    def store_epoch(self) -> str: ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """At its end everything is on stable storage. When it raises, nothing happened."""

    def has_unsent(self) -> bool:
        """Whether the operator has something new for a box."""

    def new_epoch(self) -> str:
        """For a store that went back in time, or lost files: boxes ask again for what they believe stored."""

    def close(self) -> None: ...
