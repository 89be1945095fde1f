"""A run of the field test as a document: what it holds, how it is kept, and how it compares with the one before."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import cattrs
from attrs import evolve, frozen

from fieldtest.catalogue import Group
from fieldtest.findings import Finding
from fieldtest.results import Result, as_json
from fieldtest.verdicts import Verdict, worst
from firmware.errors import OffhookError

FOLDER = "fieldtest"
_RUN_ID = re.compile(r"ft-\d{8}T\d{6}Z")
_DRAFT = "run.json"


class RunError(OffhookError):
    """A stored run is missing, damaged, or does not allow what was asked."""


@frozen(kw_only=True)
class GroupRun:
    """What came of the box itself, or of one line."""

    subject: str
    """``box``, or the line's id."""
    group: Group
    label: str
    results: tuple[Result, ...]
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    attempts: int = 1
    skipped: str = ""
    """The reason, when somebody skipped it."""

    @property
    def verdict(self) -> Verdict:
        return worst([result.verdict for result in self.results])

    @property
    def measured(self) -> int:
        """Steps that were tested."""
        return sum(result.verdict is not Verdict.NOT_TESTED for result in self.results)


@frozen(kw_only=True)
class Run:
    """One visit. Immutable: each step forward is a new value, kept at once."""

    id: str
    state: Literal["open", "finished", "aborted"]
    begun_utc_ms: int
    ended_utc_ms: int | None = None
    device_id: str
    version: str
    place: str
    """The box's name in the settings."""
    subjects: tuple[str, ...]
    """What is to be tested, in order."""
    technician: str = ""
    serials: dict[str, str]
    photo_sha256: str | None = None
    groups: tuple[GroupRun, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return worst([group.verdict for group in self.groups])

    @property
    def left(self) -> tuple[str, ...]:
        """Subjects that have no results yet."""
        done = {group.subject for group in self.groups}
        return tuple(subject for subject in self.subjects if subject not in done)

    def with_group(self, group: GroupRun) -> Run:
        """The group's results take the place of earlier ones."""
        groups = {one.subject: one for one in self.groups} | {group.subject: group}
        ordered = tuple(groups[subject] for subject in self.subjects if subject in groups)
        return evolve(self, groups=ordered)


def new_id(utc_ms: int) -> str:
    """``ft-20261122T093005Z``."""
    return datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("ft-%Y%m%dT%H%M%SZ")


def with_drift(group: GroupRun, before: Run | None) -> GroupRun:
    """Each value beside what it was at the last finished visit."""
    if before is None:
        return group
    old = {(one.subject, result.step): result.value for one in before.groups for result in one.results}

    def drift(result: Result) -> float | None:
        was = old.get((group.subject, result.step))
        return None if was is None or result.value is None else round(result.value - was, 3)

    return evolve(group, results=tuple(evolve(result, drift=drift(result)) for result in group.results))


class RunStore:
    """The runs of one box, a folder each below ``$OFFHOOK_DATA/fieldtest``."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def folder(self, run: str) -> Path:
        """Raises `RunError` for what is no run's id."""
        if not _RUN_ID.fullmatch(run):
            raise RunError(f"{run!r:.40} is no field test; `offhook fieldtest list` shows them")
        return self._folder / run

    def keep(self, run: Run) -> None:
        """On the disk when it returns. Raises OSError."""
        folder = self.folder(run.id)
        folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        write_durably(folder / _DRAFT, json.dumps(_converter.unstructure(run), ensure_ascii=False, indent=1).encode())

    def load(self, run: str) -> Run:
        """Raises `RunError`."""
        path = self.folder(run) / _DRAFT
        try:
            found: Run = _converter.structure(json.loads(path.read_text(encoding="utf-8")), Run)
        except FileNotFoundError:
            raise RunError(f"there is no field test {run}; `offhook fieldtest list` shows them") from None
        except (OSError, ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
            raise RunError(f"{path} cannot be read ({error}); the other field tests are not concerned") from error
        return found

    def all(self) -> Iterator[Run]:
        """Newest first; what cannot be read is left out."""
        for folder in sorted(self._folder.glob("ft-*"), reverse=True):
            with contextlib.suppress(RunError):
                yield self.load(folder.name)

    def open_run(self) -> Run | None:
        """The newest, when something of it is left to be tested: it was interrupted, or somebody ended it early."""
        newest = next(self.all(), None)
        return newest if newest is not None and newest.state != "finished" else None

    def last_finished(self, before: str) -> Run | None:
        """The last finished one older than ``before``."""
        return next((run for run in self.all() if run.state == "finished" and run.id < before), None)


def run_json(run: Run) -> dict[str, Any]:
    """RUN of docs/interfaces.md."""
    return {
        "id": run.id,
        "state": run.state,
        "verdict": run.verdict.value,
        "begun_utc_ms": run.begun_utc_ms,
        "ended_utc_ms": run.ended_utc_ms,
        "device_id": run.device_id,
        "version": run.version,
        "place": run.place,
        "technician": run.technician,
        "serials": run.serials,
        "photo_sha256": run.photo_sha256,
        "groups": [group_json(group) for group in run.groups],
        "left": list(run.left),
    }


def group_json(group: GroupRun) -> dict[str, Any]:
    return {
        "subject": group.subject,
        "group": group.group.value,
        "label": group.label,
        "verdict": group.verdict.value,
        "seconds": group.seconds,
        "attempts": group.attempts,
        "measured": group.measured,
        "skipped": group.skipped,
        "findings": [
            {
                "fault": one.fault,
                "text": {"en": one.words.en, "zh": one.words.zh},
                "todo": {"en": one.todo.en, "zh": one.todo.zh},
            }
            for one in group.findings
        ],
        "results": [as_json(result, group.group) for result in group.results],
    }


def write_durably(path: Path, content: bytes) -> None:
    """A file that is there as a whole or not at all, whenever the power goes."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


_converter = cattrs.Converter()
