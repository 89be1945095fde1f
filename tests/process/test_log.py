"""Log lines: where they go, and that no caller's number or name is in them."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.log import redact

ROOT = Path(__file__).resolve().parents[2]
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
PRIVATE = {"number", "name", "caller", "caller_id", "caller_name", "digit", "digits", "dialled", "clip", "cnam"}
PRIVATE_OWNERS_ONLY = {"name"}
"""``name`` is a caller's only when it hangs on one of these; a profile or a file has a name too."""
CALLERS = {"call", "caller", "event", "caller_id", "clip", "entry", "row", "waiting"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("13800138089", "***89 (11)"),
        ("+8613800138089", "***89 (14)"),
        ("5551234", "***34 (7)"),
        ("10086", "*** (5)"),
        ("张伟", "*** (2)"),
        ("Wang Wei", "***ei (8)"),
        ("", "*** (0)"),
        (None, "none"),
    ],
)
def test_redacted(given: str | None, shown: str) -> None:
    assert redact(given) == shown


def log_calls(tree: ast.AST) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOG_METHODS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("log", "logger", "logging", "_log")
    ]


def private_things(call: ast.Call) -> list[str]:
    """Numbers and names of callers among what is logged, outside ``redact(...)``."""
    found: list[str] = []

    def look(node: ast.AST) -> None:
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "redact":
            return
        if isinstance(node, ast.Attribute) and node.attr in PRIVATE:
            owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
            if node.attr not in PRIVATE_OWNERS_ONLY or owner in CALLERS:
                found.append(f"{owner}.{node.attr}")
        elif isinstance(node, ast.Name) and node.id in PRIVATE - PRIVATE_OWNERS_ONLY:
            found.append(node.id)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value in PRIVATE:
            owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
            if node.slice.value not in PRIVATE_OWNERS_ONLY or owner in CALLERS:
                found.append(f'{owner}["{node.slice.value}"]')
        for child in ast.iter_child_nodes(node):
            look(child)

    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        look(argument)
    return found


def test_no_log_line_is_given_a_callers_number_or_name() -> None:
    calls, wrong = 0, []
    for package in ("firmware", "sync", "webui", "cli"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for call in log_calls(ast.parse(path.read_text(encoding="utf-8"))):
                calls += 1
                wrong += [f"{path.relative_to(ROOT)}:{call.lineno}: {what}" for what in private_things(call)]
    assert calls > 20, "the search finds no logging calls any more"
    assert wrong == [], "log these through firmware.log.redact"


@pytest.mark.parametrize(
    "line",
    [
        'log.info("ringing %s", number)',
        'log.info("ringing", extra={"offhook": {"from": call.number}})',
        'log.warning(f"{event.name} calls")',
        'log.error("refused: %s", entry["number"])',
        'log.debug("digits " + digits)',
    ],
)
def test_the_search_finds_what_it_must(line: str) -> None:
    (call,) = log_calls(ast.parse(line))
    assert private_things(call)


def test_the_search_lets_redacted_ones_pass() -> None:
    (call,) = log_calls(ast.parse('log.info("%s", redact(call.number), extra={"offhook": {"p": profile.name}})'))
    assert private_things(call) == []


SPEAK = (
    "import logging; from firmware import log; log.set_up('offhook-test');"
    "logging.getLogger('offhook.core').warning('hello %s', 'there', extra={'offhook': {'line': 'fxo-1'}})"
)


def test_without_a_journal_lines_are_readable_on_stderr() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
    said = subprocess.run(
        [sys.executable, "-c", SPEAK], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert said.stderr.endswith("WARNING offhook.core: hello there line=fxo-1\n")


def test_a_stale_journal_variable_does_not_swallow_lines() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SPEAK],
        env={**os.environ, "JOURNAL_STREAM": "1:2"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "hello there" in said.stderr


@pytest.mark.skipif(
    os.geteuid() != 0 or Path("/run/systemd/journal/socket").exists(), reason="needs root and no journald of its own"
)
def test_in_the_journal_fields_are_fields(tmp_path: Path) -> None:
    """A socket where journald's would be takes the fields; sd_journal_send(3) knows no other place."""
    place = Path("/run/systemd/journal/socket")
    made = [folder for folder in (place.parent, place.parent.parent) if not folder.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.settimeout(10)
    journal.bind(str(place))
    stderr = tmp_path / "stderr"
    try:
        with stderr.open("w") as file:
            stat = os.fstat(file.fileno())
            subprocess.run(
                [sys.executable, "-c", SPEAK],
                env={**os.environ, "JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"},
                cwd=ROOT,
                stderr=file,
                timeout=30,
                check=True,
            )
        fields = journal.recv(1 << 16).decode().splitlines()
    finally:
        journal.close()
        place.unlink()
        for folder in made:
            folder.rmdir()
    assert {"MESSAGE=hello there", "PRIORITY=4", "OFFHOOK_LINE=fxo-1", "SYSLOG_IDENTIFIER=offhook-test"} <= set(fields)
    assert stderr.read_text() == ""
