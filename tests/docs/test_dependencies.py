"""Each dependency has its line in docs/dependencies.md and its licence in THIRD-PARTY-NOTICES.md."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution

from packaging.requirements import Requirement

from tests.docs.tree import ROOT, rows, section

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", Requirement(requirement).name).lower()


def _lines(heading: str) -> dict[str, list[str]]:
    return {cells[0].strip("`"): cells[1:] for cells in rows(section("docs/dependencies.md", heading))}


def test_each_runtime_dependency_has_one_line() -> None:
    assert set(_lines("At run time")) == {_name(each) for each in PROJECT["dependencies"]}


def test_each_development_dependency_has_one_line() -> None:
    assert set(_lines("For development and tests")) == {_name(each) for each in PROJECT["optional-dependencies"]["dev"]}


def test_each_line_says_what_for_and_why() -> None:
    for name, (what_for, why) in {**_lines("At run time"), **_lines("For development and tests")}.items():
        assert what_for, name
        assert why, name


def _installed_at_run_time() -> set[str]:
    """The dependencies, theirs, and so on."""
    todo, seen = list(PROJECT["dependencies"]), set()
    while todo:
        requirement = Requirement(todo.pop())
        name = _name(str(requirement))
        if name not in seen and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            seen.add(name)
            todo += distribution(requirement.name).requires or []
    return seen


def test_the_licence_of_everything_installed_is_named() -> None:
    named = rows(section("THIRD-PARTY-NOTICES.md", "Python packages installed at run time"))
    assert _installed_at_run_time() - {cells[0] for cells in named} == set()
    assert all(licence and source.startswith("https://") for _, licence, source in named)


def test_offhook_has_its_own_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"
