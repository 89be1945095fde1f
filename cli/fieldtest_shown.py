"""A run of the field test as tables, in the technician's language."""

from __future__ import annotations

import click
from rich.text import Text

from cli.printing import print_table
from fieldtest.catalogue import step
from fieldtest.results import Result
from fieldtest.run import GroupRun, Run
from fieldtest.value_text import value_text
from fieldtest.verdicts import Verdict
from fieldtest.words import COLUMNS, VERDICTS

_STYLES = {
    Verdict.PASSED: "green",
    Verdict.MARGINAL: "yellow",
    Verdict.FAILED: "red",
    Verdict.NOT_TESTED: "bright_black",
}


def show(run: Run, language: str) -> None:
    """Every group with every step, then what is wrong and what to do."""
    for group in run.groups:
        title = f"{group.subject} ({group.label}), {group.seconds:.0f} s"
        print_table(
            title,
            [column.in_(language) for column in COLUMNS],
            [_row(group, result, language) for result in group.results],
        )
        click.echo()
    for group in run.groups:
        for finding in group.findings:
            click.secho(f"{group.subject}: {finding.words.in_(language)}", fg="red", bold=True)
            click.echo(f"    {finding.todo.in_(language)}")
    click.echo(
        f"{run.id}: {VERDICTS[run.verdict].in_(language)}" + (f" ({run.state})" if run.state != "finished" else "")
    )


def _row(group: GroupRun, result: Result, language: str) -> tuple[object, ...]:
    about = step(group.group, result.step)
    return (
        about.name(language),
        value_text(group, result, language),
        about.limits.text() if about.limits else "",
        "" if not result.drift or about.limits is None else f"{result.drift:+.3g}",
        Text(VERDICTS[result.verdict].in_(language), style=_STYLES[result.verdict]),
        result.note.in_(language) if result.note else "",
    )
