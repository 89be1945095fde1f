"""``offhook doctor``: the database against the files."""

from __future__ import annotations

import sys

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import json_option, print_json, print_table, progress
from firmware import doctor


@click.command()
@click.option("--repair", is_flag=True, help="Repair what loses nothing by it; the database is copied first.")
@click.option("--quick", is_flag=True, help="Compare sizes only; do not read every recording again.")
@json_option
@pass_box
def command(box: Box, *, repair: bool, quick: bool, as_json: bool) -> None:
    """Compares the database with the files, reading only, unless --repair is given.

    Exit code 1 when something is wrong (with --repair: when something still is).
    """
    with progress() as bar:
        task = bar.add_task("Reading recordings", total=None)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        look = doctor.repair if repair else doctor.examine
        report = look(box.data, hashes=not quick, progress=step)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    if not report.ok:
        sys.exit(ExitCode.SOMETHING_IS_WRONG)


def _print(report: doctor.Report) -> None:
    if report.findings:
        print_table(
            "Findings",
            ["What", "Where", "Finding", "Repair"],
            [(f.code, f.subject, f.message, f.repair or "") for f in report.findings],
        )
        click.echo()
    after = report.rows_after
    columns = ["Table", "Rows"] if after is None else ["Table", "Rows before", "Rows after"]
    rows = [
        (name, count) if after is None else (name, count, after[name]) for name, count in report.rows_before.items()
    ]
    print_table("Database", columns, rows)
    if report.ok:
        click.echo("\nAll is well.")
    elif any(finding.repair for finding in report.findings) and after is None:
        click.echo("\nSomething is wrong; offhook doctor --repair sets right what it can.")
    else:
        click.echo("\nSOMETHING IS WRONG.")
