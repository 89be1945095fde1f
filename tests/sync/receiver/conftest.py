"""A receiver on storage of its own: the embedded one and, by the same tests, PostgreSQL with S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.receiver.cloud import AnyCloud, Cloud, ScaledCloud
from tests.sync.receiver.engines import Engines


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    engines = Engines(tmp_path_factory.mktemp("engines"))
    yield engines
    engines.stop()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path / "cloud")
    yield cloud
    cloud.close()


@pytest.fixture(params=["embedded", "scaled"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyCloud]:
    """Each of the two storages in turn."""
    if request.param == "embedded":
        cloud: AnyCloud = Cloud(tmp_path / "cloud")
    else:
        cloud = ScaledCloud(tmp_path / "cloud", request.getfixturevalue("engines"))
    yield cloud
    cloud.close()
