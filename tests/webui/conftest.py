"""A page over an empty box, and one whose owner is logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from tests.webui.box import Database, make_admin
from tests.webui.browser import chromium
from webui.app import create_app
from webui.users import first_run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture
def app(data_dir: Path, run_dir: Path) -> Iterator[Flask]:
    made = create_app(data_dir, run_dir)
    first_run.prepare(made.extensions["offhook"].users, run_dir)
    yield made
    made.extensions["offhook"].users.close()


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """Nobody has made an account yet."""
    return app.test_client()


@pytest.fixture
def owner(app: Flask, run_dir: Path) -> FlaskClient:
    client = app.test_client()
    make_admin(client, run_dir)
    return client


@pytest.fixture
def restrict(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[frozenset[str]], None]:
    """From then on everybody sees only these lines."""
    users = app.extensions["offhook"].users
    whole = users.session_user

    def only(lines: frozenset[str]) -> None:
        monkeypatch.setattr(
            users, "session_user", lambda token: replace(user, lines=lines) if (user := whole(token)) else None
        )

    return only


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    made = Database(data_dir)
    yield made
    made.close()
