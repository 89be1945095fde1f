"""What a receiver has kept, for those who look at it (console, ``verify``), wherever tables and files lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from attrs import frozen

from sync.receiver.sql import Rows
from sync.receiver.storage import FileRow


class KeptFiles(Protocol):
    """Stored files."""

    def key(self, row: FileRow) -> str:
        """What names the place of ``row``."""

    def keys(self) -> Iterable[str]:
        """Of everything that is stored."""

    def size(self, row: FileRow) -> int | None:
        """In bytes; None when it is not there."""

    def read(self, row: FileRow, *, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """The bytes from ``first`` to ``last``, both included."""


@frozen
class Kept:
    rows: Rows
    files: KeptFiles
