"""Gives each test its own street and box, and takes both down whatever happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.whole.house import House


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def make(**wishes: Any) -> House:
        houses.append(House(tmp_path, **wishes))
        return houses[-1]

    yield make
    for house in houses:
        house.close()
