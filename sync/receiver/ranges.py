"""Which bytes of a file, or which numbers of a sequence, are held: merged half-open ranges, and what lacks."""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
"""First and one past the last."""


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same set in ascending order without overlaps, touching ranges joined, empty ones left out."""
    result: list[Range] = []
    for start, end in sorted(ranges):
        if end <= start:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return tuple(result)


def missing(held: Iterable[Range], size: int) -> tuple[Range, ...]:
    """What lacks of ``0..size``; ``held`` as `merged` gives it."""
    result: list[Range] = []
    at = 0
    for start, end in held:
        if start > at:
            result.append((at, min(start, size)))
        at = max(at, end)
        if at >= size:
            break
    if at < size:
        result.append((at, size))
    return tuple(gap for gap in result if gap[1] > gap[0])


def covers(held: Iterable[Range], size: int) -> bool:
    """Whether nothing lacks of ``0..size``."""
    return not missing(held, size)
