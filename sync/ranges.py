"""Sets of byte ranges: what the cloud has of a file, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Range = tuple[int, int]
"""``[start, end)``."""


class Ranges:
    """Disjoint, sorted, never touching each other."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        merged: list[Range] = []
        for start, end in sorted(r for r in ranges if r[0] < r[1]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._ranges = merged

    def __iter__(self) -> Iterator[Range]:
        return iter(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._ranges == other._ranges

    __hash__ = None  # type: ignore[assignment]  # compares by content

    def __or__(self, other: Iterable[Range]) -> Ranges:
        return Ranges([*self._ranges, *other])

    @property
    def bytes(self) -> int:
        return sum(end - start for start, end in self._ranges)

    def covers(self, start: int, end: int) -> bool:
        return any(a <= start and end <= b for a, b in self._ranges)

    def holes(self, size: int) -> Iterator[Range]:
        """What of ``[0, size)`` is not in here, in order."""
        at = 0
        for start, end in self._ranges:
            if start >= size:
                break
            if at < start:
                yield at, start
            at = max(at, end)
        if at < size:
            yield at, size
