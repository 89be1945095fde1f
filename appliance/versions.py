"""Which of two versions of the image is the later one."""

from __future__ import annotations

import re

_VERSION = re.compile(r"(\d+(?:\.\d+)*)(?:\+(\d{8})\.(\d{6}))?(?:\.[\w.]*)?")


def order(version: str) -> tuple[tuple[int, ...], int, int]:
    """Compares like the versions do: the release, then the moment of its commit (image-build/version.sh).

    Raises ValueError for what is no version.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r:.60} is no version of Offhook")
    numbers = tuple(int(number) for number in found[1].split("."))
    return numbers, int(found[2] or 0), int(found[3] or 0)


def is_downgrade(candidate: str, running: str) -> bool:
    """Whether ``candidate`` is older than ``running``. The same version again is none: it repairs a slot.

    Raises ValueError when either is no version.
    """
    return order(candidate) < order(running)
