"""A broker, a receiver and a box for each test, all ended afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.box.box import Box, Receiver
from tests.sync.faults.mosquitto import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def receiver(tmp_path: Path, broker: Mosquitto) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path, broker.port)
    receiver.start()
    yield receiver
    receiver.kill()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path / "box")
    yield box
    box.kill()
