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


def test_each_dependency_of_the_large_cloud_has_one_line() -> None:
    cloud = PROJECT["optional-dependencies"]["cloud"]
    assert set(_lines("In a cloud of many receivers")) == {_name(each) for each in cloud}


def test_each_development_dependency_has_one_line() -> None:
    wanted = {_name(each) for each in PROJECT["optional-dependencies"]["dev"]} - {PROJECT["name"]}  # its other extras
    assert set(_lines("For development and tests")) == wanted


def test_each_line_says_what_for_and_why() -> None:
    for name, (what_for, why) in {
        **_lines("At run time"),
        **_lines("In a cloud of many receivers"),
        **_lines("For development and tests"),
    }.items():
        assert what_for, name
        assert why, name


def _installed_with(requirements: list[str]) -> set[str]:
    """The dependencies, theirs, and so on."""
    todo = [(each, "") for each in requirements]
    seen = set()
    while todo:
        text, extra = todo.pop()
        requirement = Requirement(text)
        name = _name(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        wanted = [(each, one) for one in ("", *requirement.extras) for each in _requires(requirement.name)]
        todo += wanted if name not in seen or requirement.extras else []
        seen.add(name)
    return seen


def _requires(name: str) -> list[str]:
    return distribution(name).requires or []


def test_the_licence_of_everything_installed_is_named() -> None:
    named = rows(section("THIRD-PARTY-NOTICES.md", "Python packages installed at run time"))
    assert _installed_with(PROJECT["dependencies"]) - {cells[0] for cells in named} == set()
    assert all(licence and source.startswith("https://") for _, licence, source in named)
    cloud = rows(section("THIRD-PARTY-NOTICES.md", "Python packages of a cloud of many receivers"))
    assert _installed_with(PROJECT["optional-dependencies"]["cloud"]) - {row[0] for row in [*named, *cloud]} == set()


def test_offhook_has_its_own_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"
