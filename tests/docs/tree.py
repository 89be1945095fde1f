"""The project's own files, and what its modules say, for the tests that hold documents against code."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("firmware", "cli", "webui", "sync")


def files() -> list[Path]:
    """Every file of the project: what git tracks, or would if it were added."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if listed.returncode == 0:
        return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not _made(path.relative_to(ROOT))]


def _made(path: Path) -> bool:
    """Made by a tool, where there is no git to tell (an unpacked archive)."""
    return any(part.startswith(".") or part in {"__pycache__", "offhook.egg-info"} for part in path.parts)


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python module under ``folders``, parsed."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def pages() -> list[Path]:
    """The documents people read."""
    return sorted(path for path in files() if path.suffix == ".md")


def section(page: str, heading: str) -> str:
    """The text under ``## heading`` of a page in docs/."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"{page} has no section {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of every Markdown table row in ``text``, without heads and rules."""
    lines = text.splitlines()
    table = [n for n, line in enumerate(lines) if line.startswith("|")]
    rules = {n for n in table if set(lines[n]) <= set("|-: ")}
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", lines[n].strip("|"))]
        for n in table
        if n not in rules and n + 1 not in rules
    ]
