"""How the command line speaks: tables and colours for people, one JSON document for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_WIDTH_IN_A_PIPE = 200

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document for machines.")


def print_json(document: Mapping[str, Any]) -> None:
    """One document, UTF-8, keys in the order of docs/interfaces.md."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def console() -> Console:
    """Where tables go; wide enough in a pipe that nothing is cut off."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table of plain text: what a caller's name holds is never read as markup."""
    rows = list(rows)
    if not rows:
        click.echo(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def progress() -> Progress:
    """A bar for work that may take more than two seconds; on stderr, and silent where nobody looks."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def in_my_language(text: Mapping[str, str] | None) -> str:
    """The English or the Chinese of a text that the box keeps in both, by the shell's language (locale(7))."""
    return text[shell_language()] if text else ""


def shell_language() -> str:
    """``zh`` or ``en``, by the shell's environment (locale(7))."""
    wanted = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if wanted.startswith("zh") else "en"


def local_time(utc_ms: int | None, zone: tzinfo) -> str:
    """``2026-11-22 09:30:05`` on the box's own clock."""
    return "" if utc_ms is None else datetime.fromtimestamp(utc_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")


def length(duration_ms: int | None) -> str:
    """``1:02:03`` or ``2:03``."""
    if duration_ms is None:
        return ""
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
