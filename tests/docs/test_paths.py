"""Every file that a document names exists, and no file names what only one machine has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.tree import ROOT, files, pages

_FOLDERS = "bench|cli|docs|firmware|hil-tests|image-build|requirements|setup|simulator|sync|systemd|tests|webui"
_A_PATH = re.compile(rf"`((?:{_FOLDERS})/[\w./-]*)`")
_A_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
# The page that adds a driver writes these files itself; a test does it.
_MADE_BY_THE_READER = {"tests/contract/test_serial_monitor.py"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {ROOT / path for path in _A_PATH.findall(text) if path not in _MADE_BY_THE_READER}
    named |= {page.parent / link for link in _A_LINK.findall(text)}
    assert sorted(str(path.relative_to(ROOT)) for path in named if not path.exists()) == []


# Written in pieces, so that this file does not name what it forbids.
_OF_ONE_MACHINE = {
    "a folder beside the project": r"\.\./" + "shared",
    "a folder of the machine it was written on": r"(?<![\w.~$}-])/" + r"work(?:/|\b)",
    "somebody's home": r"(?<![\w.$}-])/(?:" + "root" + r"|home/[a-z]\w*)/",
    "a library outside the project": r"\." + "library",
    "a download address of a package index": r"(?:files\.|test\.)?(?:py" + r"pi\.org|python" + r"hosted\.org)",
    "an index to install from": r"--(?:extra-)?index-" + r"url[ =]http",
}
_FOREIGN = re.compile("|".join(f"(?:{pattern})" for pattern in _OF_ONE_MACHINE.values()))


def test_no_file_names_what_only_one_machine_has() -> None:
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]}"
            for hit in _FOREIGN.finditer(text)
        ]
    assert found == []


def test_every_document_that_a_file_points_to_exists() -> None:
    """Docstrings, units and scripts send people to docs/; the text must be there."""
    missing = set()
    for path in files():
        if path.suffix in {".py", ".toml", ".sh", ".service", ".timer", ".rules", ".md", ".html", ""}:
            text = path.read_text(encoding="utf-8", errors="ignore")
            named = re.findall(r"(?<![\w/.-])docs/[a-z0-9-]+\.md", text)
            missing |= {f"{path.relative_to(ROOT)}: {page}" for page in named if not (ROOT / page).exists()}
    assert sorted(missing) == []
