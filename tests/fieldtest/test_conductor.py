"""A run: kept after each subject, ended early, skipped with a reason, gone on with, repeated, and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldtest import conductor as conducting
from fieldtest.access import Access
from fieldtest.acts import AbortedError, Act, RepeatError, Reply, SkippedError
from fieldtest.catalogue import Group
from fieldtest.conductor import Conductor, Plan
from fieldtest.results import Results, Words
from fieldtest.run import RunError, RunStore, run_json
from fieldtest.verdicts import Verdict

LINES = [{"id": "fxo-1", "label": "Desk", "kind": "analog"}, {"id": "sim-1", "label": "", "kind": "sim"}]


class _Box(Access):
    def request(self, cmd: str, **arguments: Any) -> dict[str, Any]:
        return {
            "hello": {"device_id": "oh-abcdefghij"},
            "state": {"lines": LINES},
            "config.get": {"document": '[box]\nname = "Office"\n'},
            "sim.status": {"sims": [{"line": "sim-1", "imei": "861477031234567"}]},
        }[cmd]


class _Person:
    """Answers "failed" as told."""

    exact = False

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.told: list[str] = []

    def ask(self, act: Act) -> Reply:
        return self.replies.pop(0) if self.replies else Reply()

    def tell(self, words: Words) -> None:
        self.told.append(words.en)


Script = Callable[[], Results]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Script]]:
    """What the next measurements of each subject come to; by default everything is well."""
    scripts: dict[str, list[Script]] = {}

    def measure(self: Conductor, subject: str, line: Any, group: Group, skipped: str) -> Results:
        if skipped:
            raise SkippedError(skipped)
        return scripts[subject].pop(0)() if scripts.get(subject) else well(group)

    monkeypatch.setattr(conducting.Conductor, "_measured", measure)
    return scripts


def well(group: Group, hum: float = -70.0) -> Results:
    results = Results(group)
    if group is Group.BOX:
        results.measured("storage_rate", 20.0)
    else:
        results.measured("hum", hum)
    results.rest_not_tested("not asked", "未要求")
    return results


def raising(error: type[Exception]) -> Script:
    def script() -> Results:
        raise error

    return script


def conductor(tmp_path: Path, person: _Person | None = None, **plan: Any) -> Conductor:
    return Conductor(_Box(tmp_path, tmp_path), person or _Person(), Plan(**plan))


def test_all_subjects_are_tested_and_kept(tmp_path: Path, measured: dict[str, list[Script]]) -> None:
    lead = conductor(tmp_path, technician="Li Wei", serials={"HAT": "42"})
    run = lead.go_on(lead.begin())
    assert (run.state, run.verdict, run.place) == ("finished", Verdict.PASSED, "Office")
    assert [group.subject for group in run.groups] == ["box", "fxo-1", "sim-1"]
    assert run.serials["sim-1 IMEI"] == "861477031234567"
    assert RunStore(tmp_path).load(run.id) == run


def test_an_aborted_run_goes_on_where_it_was(tmp_path: Path, measured: dict[str, list[Script]]) -> None:
    measured["fxo-1"] = [raising(AbortedError)]
    lead = conductor(tmp_path)
    aborted = lead.go_on(lead.begin())
    assert (aborted.state, aborted.left) == ("aborted", ("fxo-1", "sim-1"))
    assert lead.go_on(aborted).state == "finished"


def test_a_crash_in_the_middle_loses_nothing_that_was_measured(
    tmp_path: Path, measured: dict[str, list[Script]]
) -> None:
    measured["fxo-1"] = [raising(KeyboardInterrupt)]  # type: ignore[arg-type]
    lead = conductor(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        lead.go_on(lead.begin())
    found = conductor(tmp_path).store.open_run()
    assert found is not None
    assert found.left == ("fxo-1", "sim-1")
    assert conductor(tmp_path).go_on(found).state == "finished"


def test_a_skip_keeps_its_reason(tmp_path: Path, measured: dict[str, list[Script]]) -> None:
    lead = conductor(tmp_path, skip={"sim-1": "no card yet"})
    group = lead.go_on(lead.begin()).groups[-1]
    assert (group.skipped, group.verdict, group.measured) == ("no card yet", Verdict.NOT_TESTED, 0)
    assert {result.note.en for result in group.results if result.note} == {"no card yet"}


def test_a_person_may_repeat_what_failed(tmp_path: Path, measured: dict[str, list[Script]]) -> None:
    measured["fxo-1"] = [lambda: well(Group.ANALOG, hum=-20.0), raising(RepeatError), lambda: well(Group.ANALOG)]
    person = _Person(Reply(what="repeat"))
    lead = conductor(tmp_path, person)
    group = lead.go_on(lead.begin()).groups[1]
    assert (group.verdict, group.attempts) == (Verdict.PASSED, 3)
    assert any("Mains hum" in told for told in person.told)


def test_one_subject_of_a_run_is_repeated(tmp_path: Path, measured: dict[str, list[Script]]) -> None:
    measured["fxo-1"] = [lambda: well(Group.ANALOG, hum=-20.0)]
    lead = conductor(tmp_path)
    run = lead.go_on(lead.begin())
    assert run.verdict is Verdict.FAILED
    again = lead.repeat(run, "fxo-1")
    assert (again.id, again.verdict, len(again.groups)) == (run.id, Verdict.PASSED, 3)
    with pytest.raises(RunError, match="sim-9"):
        lead.repeat(run, "sim-9")


def test_the_next_visit_shows_the_drift(
    tmp_path: Path, measured: dict[str, list[Script]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(("ft-20251130T010203Z", "ft-20261130T010203Z"))
    monkeypatch.setattr(conducting, "new_id", lambda _ms: next(ids))
    measured["fxo-1"] = [lambda: well(Group.ANALOG, hum=-70.0), lambda: well(Group.ANALOG, hum=-61.5)]
    lead = conductor(tmp_path)
    lead.go_on(lead.begin())
    listed = run_json(lead.go_on(lead.begin()))
    (hum,) = [r for r in listed["groups"][1]["results"] if r["step"] == "hum"]
    assert (hum["drift"], hum["unit"], hum["high"], hum["margin"]) == (8.5, "dBm0", -48, 6)


def test_a_line_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="fxo-9; the box has fxo-1, sim-1"):
        conductor(tmp_path, subjects=("fxo-9",)).begin()


def test_a_damaged_run_is_told_and_does_not_hide_the_others(tmp_path: Path, measured: dict[str, list[Script]]) -> None:
    lead = conductor(tmp_path)
    run = lead.go_on(lead.begin())
    broken = tmp_path / "fieldtest" / "ft-20200101T000000Z"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    assert list(lead.store.all()) == [run]
    with pytest.raises(RunError, match="cannot be read"):
        lead.store.load("ft-20200101T000000Z")
    for name in ("../../etc/passwd", "ft-20190101T000000Z"):
        with pytest.raises(RunError):
            lead.store.load(name)
