"""Leads through a run: one subject after the other, kept after each, so that it can go on after any interruption."""

from __future__ import annotations

import time
import tomllib
from importlib.metadata import version
from typing import Any

from attrs import evolve, field, frozen

from fieldtest import probe_system
from fieldtest.access import Access
from fieldtest.acts import AbortedError, Guide, RepeatError, SkippedError, act, do
from fieldtest.catalogue import Group
from fieldtest.findings import findings
from fieldtest.measure_box import measure_box
from fieldtest.measure_line import LineTest
from fieldtest.results import Results, Words
from fieldtest.run import GroupRun, Run, RunError, RunStore, new_id, with_drift
from fieldtest.verdicts import Verdict
from firmware.errors import RequestError

BOX = "box"


@frozen(kw_only=True)
class Plan:
    """What is asked for. ``subjects`` empty: the box and all its lines."""

    subjects: tuple[str, ...] = ()
    technician: str = ""
    serials: dict[str, str] = field(factory=dict)
    skip: dict[str, str] = field(factory=dict)
    """Subject → why it is not tested."""
    gain_db: dict[str, float] = field(factory=dict)
    """Line → how much quieter its sound is in the box than on the line."""


class Conductor:
    """Works on one run; everything it finds is on the disk before it goes on."""

    def __init__(self, box: Access, guide: Guide, plan: Plan) -> None:
        self._box = box
        self._guide = guide
        self._plan = plan
        self.store = RunStore(box.data)

    def begin(self) -> Run:
        """A new run. Raises `RunError` when a subject is not there."""
        hello = self._box.request("hello")
        lines = {line["id"]: line for line in self._box.lines()}
        wanted = self._plan.subjects or (BOX, *lines)
        if unknown := [one for one in wanted if one != BOX and one not in lines]:
            raise RunError(f"there is no line {', '.join(unknown)}; the box has {', '.join(lines) or 'none'}")
        now_ms = time.time_ns() // 1_000_000
        run = Run(
            id=new_id(now_ms),
            state="open",
            begun_utc_ms=now_ms,
            device_id=hello["device_id"],
            version=version("offhook"),
            place=self._settings().get("name", "Offhook"),
            subjects=tuple(dict.fromkeys(wanted)),
            technician=self._plan.technician,
            serials={**probe_system.serials(), **self._module_serials(), **self._plan.serials},
        )
        self.store.keep(run)
        return run

    def go_on(self, run: Run) -> Run:
        """Tests what is left of ``run``; returns it finished, or aborted."""
        for subject in run.left:
            try:
                group = self._subject(subject)
            except AbortedError:
                return self._end(run, "aborted")
            run = run.with_group(with_drift(group, self.store.last_finished(run.id)))
            self.store.keep(run)
        return self._end(run, "finished")

    def repeat(self, run: Run, subject: str) -> Run:
        """Tests one subject of ``run`` again. Raises `RunError` when the run has no such subject."""
        if subject not in run.subjects:
            raise RunError(f"{subject} is not in {run.id}: it has {', '.join(run.subjects)}")
        without = tuple(group for group in run.groups if group.subject != subject)
        return self.go_on(evolve(run, state="open", ended_utc_ms=None, groups=without))

    def _end(self, run: Run, state: Any) -> Run:
        ended = evolve(run, state=state, ended_utc_ms=time.time_ns() // 1_000_000)
        self.store.keep(ended)
        return ended

    def _subject(self, subject: str) -> GroupRun:
        """Again and again, while somebody wants it repeated."""
        line = None if subject == BOX else self._box.line(subject)
        label = subject if line is None else (line["label"] or subject)
        group = Group.BOX if subject == BOX else Group.SIM if line and line["kind"] == "sim" else Group.ANALOG
        attempts = 0
        while True:
            attempts += 1
            begun = time.monotonic()
            skipped = self._plan.skip.get(subject, "")
            try:
                results = self._measured(subject, line, group, skipped)
            except SkippedError as why:
                skipped = str(why)
                results = _skipped(group, skipped)
            except RepeatError:
                continue
            found = {result.step: result for result in results.all()}
            done = GroupRun(
                subject=subject,
                group=group,
                label=label,
                results=results.all(),
                findings=tuple(findings(group, subject, found)),
                seconds=round(time.monotonic() - begun, 1),
                attempts=attempts,
                skipped=skipped,
            )
            if done.verdict is not Verdict.FAILED or self._guide.exact or not self._again(subject, label, done):
                return done

    def _again(self, subject: str, label: str, done: GroupRun) -> bool:
        """A person who sees what failed may tighten a screw, and try again."""
        for finding in done.findings:
            self._guide.tell(finding.words)
            self._guide.tell(finding.todo)
        try:
            do(self._guide, act("failed", line=subject, label=label))
        except RepeatError:
            return True
        except SkippedError:
            return False
        return False

    def _measured(self, subject: str, line: dict[str, Any] | None, group: Group, skipped: str) -> Results:
        if skipped:
            return _skipped(group, skipped)
        if group is Group.BOX:
            self._guide.tell(Words(en="The box itself is being tested.", zh="正在测试设备本身。"))
            return measure_box(self._box)
        if line is None:
            results = Results(group)
            results.fact("present", False)
            results.rest_not_tested("the line is not in sight", "线路未识别")
            return results
        self._guide.tell(Words(en=f"Testing {subject}.", zh=f"正在测试 {subject}。"))
        gain_db = self._plan.gain_db.get(subject, 0.0)
        return LineTest(self._box, line, self._guide, country=self._country(subject), gain_db=gain_db).run()

    def _settings(self) -> dict[str, Any]:
        table: dict[str, Any] = tomllib.loads(self._box.settings_document()).get("box", {})
        return table

    def _country(self, line: str) -> str:
        document = tomllib.loads(self._box.settings_document())
        options: dict[str, Any] = next(
            (one.get("options", {}) for one in document.get("lines", ()) if one.get("id") == line), {}
        )
        return str(options.get("country") or document.get("box", {}).get("country", "CN"))

    def _module_serials(self) -> dict[str, str]:
        try:
            sims = self._box.request("sim.status")["sims"]
        except RequestError:
            return {}
        return {f"{sim['line']} IMEI": sim["imei"] for sim in sims if sim["imei"]}


def _skipped(group: Group, reason: str) -> Results:
    results = Results(group)
    results.rest_not_tested(reason, reason)
    return results
