"""A studio per test, closed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audio.world import Studio


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    made: list[Studio] = []

    def make(**options: Any) -> Studio:
        made.append(Studio(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
