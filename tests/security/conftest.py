"""The page under attack: a full office, the real recorder behind it, and an admin who is logged in."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.security.surface import HALF_WAY, STRANGERS
from tests.webui.box import PASSWORD, Database
from tests.webui.pages import PAGES, WITHOUT_LOGIN
from tests.webui.showcase import CALL, fill
from tests.whole.house import House
from webui.app import create_app
from webui.services import Services
from webui.users import first_run
from webui.users.throttle import Throttle

MORE_PAGES = [
    "/settings/people/users/2", "/fieldtest/now", "/settings/sims/sim-1/",
    *(f"/setup/{step}" for step in ("box", "network", "lines", "test", "recording", "storage", "trust", "end")),
    f"/calls/{CALL}?q=1&tab=all", "/calls/?tab=review&at=1&page=2",
]  # fmt: skip
ADDRESSES = [*MORE_PAGES, *PAGES.values(), *WITHOUT_LOGIN.values()]
"""Another user's page comes before one's own: what would shut the attacker out is asked about her."""


CSRF = "a-token-of-the-test"
"""What the forms of each session here carry."""


@dataclass
class Attacked:
    app: Flask
    house: House | None
    _owner: FlaskClient | None = None

    @property
    def services(self) -> Services:
        found: Services = self.app.extensions["offhook"]
        return found

    def session(self, *, half: bool = False) -> FlaskClient:
        """A new browser of the owner: some requests end the one they come from, as they should.

        ``half``: her password was right, and the second factor is still asked for."""
        client = self.app.test_client()
        owner = self.services.users.user(1)
        assert owner is not None, "the attacker shut herself out"
        with client.session_transaction(base_url=self.base_url) as session:
            session["csrf"] = CSRF
            if half:
                session["half"] = [owner.id, int(time.time())]
            else:
                session["login"] = self.services.users.open_session(owner, address="127.0.0.1", agent="attack")
            for kind in ("passkey", "new_passkey"):
                session[kind] = [b"challenge".hex(), int(time.time())]
        return client

    @staticmethod
    def is_for_others(endpoint: str) -> bool:
        """Whether whoever is logged in does not get to ``endpoint``."""
        return endpoint in STRANGERS | HALF_WAY

    def who(self, endpoint: str) -> FlaskClient:
        """The browser that gets to ``endpoint``."""
        if endpoint in STRANGERS:
            client = self.app.test_client()
            with client.session_transaction(base_url=self.base_url) as session:
                session["csrf"] = CSRF
                session["passkey"] = [b"challenge".hex(), int(time.time())]
            return client
        if endpoint in HALF_WAY:
            return self.session(half=True)
        if self._owner is None:
            self._owner = self.session()
        return self._owner

    def forget(self) -> None:
        """The owner's session ended, as it should: the next request begins another one."""
        self._owner = None

    @property
    def base_url(self) -> str:
        return f"{'https' if self.app.config['SESSION_COOKIE_SECURE'] else 'http'}://localhost"


@contextmanager
def attacking(folder: Path, *, behind_proxy: bool = False) -> Iterator[Attacked]:
    house = House(folder, analog=["fxo-1"])
    try:
        database = Database(house.box.data)
        fill(database, start_ms=round((time.time() - 20 * 86_400) * 1000))
        database.close()
        house.begin()
        app = create_app(house.box.data, house.box.run_dir, behind_proxy=behind_proxy)
        made = Attacked(app, house)
        made.services.users.add_first_admin("owner", PASSWORD)
        made.services.people.add("mei", PASSWORD, "agent")
        yield made
        made.services.users.close()
    finally:
        house.close()


@pytest.fixture
def attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attacked]:
    """Guessing costs no time here: a tool that is slowed down would test nothing behind that."""
    monkeypatch.setattr(Throttle, "wait_s", lambda _self, _key: 0.0)
    with attacking(tmp_path) as made:
        yield made


@pytest.fixture
def new_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attacked]:
    """A box that nobody has set up yet."""
    monkeypatch.setattr(Throttle, "wait_s", lambda _self, _key: 0.0)
    for name in ("data", "run"):
        (tmp_path / name).mkdir()
    made = Attacked(create_app(tmp_path / "data", tmp_path / "run"), None)
    first_run.prepare(made.services.users, tmp_path / "run")
    yield made
    made.services.users.close()


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


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """The address at which other programs reach ``app`` meanwhile."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each of some ten thousand requests
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="attacked-page")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
