"""Calibration of a line board in the browser, with the recorder's own commands on a real driver's sensors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from firmware.analog.calibration import FAULTS
from firmware.edges_command import judged, raw_edges
from firmware.errors import RequestError
from firmware.events import LineUp
from tests.analog.hat import Hat
from tests.webui.box import BROWSER, Database, StubRecorder, csrf
from webui.pages.calibration import fault_words

PAGE = "/settings/lines/fxo-1/calibrate"


class _Runtime:
    def __init__(self, driver: object) -> None:
        self.lines = {"fxo-1": type("Running", (), {"driver": driver})()}

    def do(self, work: Callable[[], Any]) -> Any:
        return work()


@pytest.fixture
def hat() -> Iterator[Hat]:
    made = Hat()
    yield made
    made.close()


@pytest.fixture
def recorder(run_dir: Path, database: Database, hat: Hat) -> Iterator[StubRecorder]:
    driver, told = hat.line()
    told.wait(LineUp)
    runtime: Any = _Runtime(driver)
    with StubRecorder(run_dir) as made:
        made.answer("line.edges", lambda **asked: raw_edges(runtime, **asked), {"line": str, "since_boot_ns": int})
        made.answer(
            "line.judge", lambda **asked: judged(runtime, **asked), {"line": str, "idle": dict, "moments": list}
        )
        yield made


def _press(client: FlaskClient, path: str, **fields: str) -> str:
    form = {"csrf_token": csrf(client, "/live/"), **fields}
    return client.post(path, data=form, headers=BROWSER, follow_redirects=True).text


def _ring_and_lift(hat: Hat, client: FlaskClient, ring: str, hook: str) -> str:
    """A person who does not wait until the line is quiet; gives the judgement."""
    assert "Call this line from another telephone" in _press(client, PAGE)
    for _ in range(25):
        for up in (True, False):
            hat.show(ring, up)
            time.sleep(0.02)
    assert "It rings" in client.get(f"{PAGE}/now", headers=BROWSER).text
    assert "Lift the handset" in _press(client, f"{PAGE}/next")
    hat.show(hook, True)
    time.sleep(1.0)
    hat.show(hook, False)
    time.sleep(0.1)
    return _press(client, f"{PAGE}/next")


def test_a_board_that_is_right_is_told_its_times(owner: FlaskClient, recorder: StubRecorder, hat: Hat) -> None:
    told = _ring_and_lift(hat, owner, "ring", "off_hook")
    assert "The wiring is right." in told
    assert "off_hook_ms = " in told


def test_swapped_pins_are_said_in_the_readers_language(owner: FlaskClient, recorder: StubRecorder, hat: Hat) -> None:
    assert "pins are swapped" in _ring_and_lift(hat, owner, "off_hook", "ring")
    owner.set_cookie("language", "zh_Hans_CN")
    page = owner.get(PAGE, headers=BROWSER).text
    assert "接反" in page
    assert "swapped" not in page


def test_every_fault_has_words(app: Flask) -> None:
    with app.test_request_context():
        assert fault_words().keys() == FAULTS.keys()


def test_a_line_without_sensors_and_no_recorder_are_said(owner: FlaskClient, database: Database, run_dir: Path) -> None:
    assert "The recorder does not answer" in owner.get(PAGE, headers=BROWSER).text
    assert owner.get("/settings/lines/nothing/calibrate", headers=BROWSER).status_code == 404

    def refuse(**_: object) -> dict[str, Any]:
        raise RequestError("not_supported", "no sensors")

    with StubRecorder(run_dir) as recorder:
        recorder.answer("line.edges", refuse, {"line": str, "since_boot_ns": int})
        assert "no sensors that could be calibrated" in _press(owner, PAGE)
        form = {"csrf_token": csrf(owner, "/live/")}
        assert owner.post(f"{PAGE}/voltage", data=form, headers=BROWSER).status_code == 409
