"""The page's end of a field test: one question at a time, answered once; a stop and a fault lose nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldtest import conductor as conducting
from fieldtest.access import Access
from fieldtest.acts import Reply, act, do
from fieldtest.catalogue import Group
from fieldtest.conductor import Conductor, Plan
from fieldtest.results import Results
from fieldtest.run import RunStore
from firmware.errors import OffhookError
from tests.webui.box import eventually
from webui.field_test import FieldTestDesk

ANSWERS: dict[str, Any] = {
    "hello": {"device_id": "oh-abcdefghij"},
    "state": {"lines": [{"id": "fxo-1", "label": "Desk", "kind": "analog"}]},
    "config.get": {"document": ""},
    "sim.status": {"sims": []},
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FieldTestDesk:
    """Each subject asks for one act and is then measured."""

    def measured(self: Conductor, subject: str, line: Any, group: Group, skipped: str) -> Results:
        do(self._guide, act("call", line=subject, label=subject))
        results = Results(group)
        results.rest_not_tested("not asked", "未要求")
        return results

    monkeypatch.setattr(Access, "request", lambda _self, cmd, **_arguments: ANSWERS[cmd])
    monkeypatch.setattr(conducting.Conductor, "_measured", measured)
    return FieldTestDesk(tmp_path, tmp_path)


def asked(desk: FieldTestDesk, line: str) -> int:
    """The number of the question about ``line``, once it is asked."""
    eventually(lambda: desk.shown.act is not None and desk.shown.act.line == line, f"{line} is asked about")
    return desk.shown.number


def test_each_question_is_answered_once(desk: FieldTestDesk, tmp_path: Path) -> None:
    run = desk.begin(Plan())
    number = asked(desk, "box")
    assert desk.answer(number, Reply())
    assert not desk.answer(number, Reply(what="abort")), "a second phone answers the same question"
    assert desk.answer(asked(desk, "fxo-1"), Reply(what="skip", reason="no cable"))
    eventually(lambda: not desk.running, "the run is over")
    done = RunStore(tmp_path).load(run.id)
    assert (done.state, done.groups[1].skipped) == ("finished", "no cable")


def test_a_stop_keeps_what_was_measured_and_the_run_can_go_on(desk: FieldTestDesk, tmp_path: Path) -> None:
    run = desk.begin(Plan())
    assert desk.answer(asked(desk, "box"), Reply())
    asked(desk, "fxo-1")
    desk.stop()
    eventually(lambda: not desk.running, "the run has stopped")
    stopped = RunStore(tmp_path).load(run.id)
    assert (stopped.state, stopped.left) == ("aborted", ("fxo-1",))
    desk.go_on(stopped)
    assert desk.answer(asked(desk, "fxo-1"), Reply())
    eventually(lambda: RunStore(tmp_path).load(run.id).state == "finished", "the run is finished")


def test_there_is_one_run_at_a_time(desk: FieldTestDesk) -> None:
    desk.begin(Plan())
    with pytest.raises(OffhookError, match="going on already"):
        desk.begin(Plan())
    desk.stop()
    eventually(lambda: not desk.running, "the run has stopped")


def test_a_fault_of_the_box_is_shown(desk: FieldTestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_arguments: Any) -> Results:
        raise OffhookError("no recorder listens")

    monkeypatch.setattr(conducting.Conductor, "_measured", gone)
    desk.begin(Plan())
    eventually(lambda: desk.shown.fault == "no recorder listens", "the fault is shown")
    assert not desk.running or desk.shown.act is None
