"""``offhook fieldtest``: proves, step by step, that this box on these lines records."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from cli import fieldtest_shown as shown
from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import json_option, print_json, print_table, shell_language
from fieldtest.access import Access
from fieldtest.acts import Guide
from fieldtest.conductor import Conductor, Plan
from fieldtest.helper_guide import HelperGuide, PipedGuide
from fieldtest.issue import issue
from fieldtest.run import Run, RunError, RunStore, run_json
from fieldtest.terminal_guide import TerminalGuide
from fieldtest.verdicts import Verdict

language_option = click.option(
    "--language", type=click.Choice(["en", "zh"]), default=shell_language, help="Default: the shell's."
)


def _pairs(_ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if "=" not in value or value.startswith("="):
            raise click.BadParameter(f"write {parameter.human_readable_name.lower()} NAME=VALUE, not {value!r}")
    return dict(value.split("=", 1) for value in values)


def _gains(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in _pairs(ctx, parameter, values).items()}
    except ValueError as error:
        raise click.BadParameter(f"a gain is a number of dB: {error}") from None


@click.group(invoke_without_command=True)
@click.option("--subject", "subjects", multiple=True, help="`box` or a line; default: the box and all its lines.")
@click.option("--technician", default="", help="Who tests; goes into the certificate.")
@click.option("--serial", "serials", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="A serial number.")
@click.option("--skip", "skips", multiple=True, metavar="SUBJECT=REASON", callback=_pairs, help="Not tested, and why.")
@click.option("--gain", "gains", multiple=True, metavar="LINE=DB", callback=_gains, help="Loss of the line's tap.")
@click.option(
    "--helper",
    metavar="COMMAND",
    help="A program that acts for the technician; `-`: this terminal's own pipe (docs/field-test.md).",
)
@click.option("--resume", is_flag=True, help="Go on with the run that was interrupted.")
@click.option("--repeat", "again", metavar="SUBJECT", help="Test one subject of the last run again.")
@language_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    subjects: tuple[str, ...],
    technician: str,
    serials: dict[str, str],
    skips: dict[str, str],
    gains: dict[str, float],
    helper: str | None,
    resume: bool,
    again: str | None,
    language: str,
    as_json: bool,
) -> None:
    """Leads a technician through the test of the box and its lines.

    Exit code 1 when something failed, was aborted, or nothing was tested.
    """
    if ctx.invoked_subcommand is not None:
        return
    box = ctx.find_object(Box)
    assert box is not None
    access = Access(box.data, box.run_dir)
    plan = Plan(subjects=subjects, technician=technician, serials=serials, skip=skips, gain_db=gains)
    if helper is None and not sys.stdin.isatty():
        raise click.UsageError("nobody is at this terminal: give --helper COMMAND, or use the page")
    with _guide(helper, language, box) as guide:
        conductor = Conductor(access, guide, plan)
        run = _run(conductor, resume=resume, again=again)
    if as_json:
        print_json({"run": run_json(run)})
    else:
        shown.show(run, language)
    if run.state != "finished" or run.verdict in (Verdict.FAILED, Verdict.NOT_TESTED):
        sys.exit(ExitCode.SOMETHING_IS_WRONG)


@contextlib.contextmanager
def _guide(helper: str | None, language: str, box: Box) -> Iterator[Guide]:
    if helper is None:
        yield TerminalGuide(language, str(box.data))
        return
    if helper == "-":
        yield PipedGuide()
        return
    with HelperGuide(helper) as guide:
        yield guide


def _run(conductor: Conductor, *, resume: bool, again: str | None) -> Run:
    if again is not None:
        last = next(conductor.store.all(), None)
        if last is None:
            raise RunError("there is no field test yet whose part could be repeated")
        return conductor.repeat(last, again)
    interrupted = conductor.store.open_run()
    if resume:
        if interrupted is None:
            raise RunError("no field test was interrupted; start one without --resume")
        return conductor.go_on(interrupted)
    return conductor.go_on(conductor.begin())


@command.command("list")
@json_option
@pass_box
def list_runs(box: Box, as_json: bool) -> None:
    """Lists all runs, newest first."""
    runs = list(RunStore(box.data).all())
    if as_json:
        print_json({"runs": [run_json(run) for run in runs]})
        return
    print_table(
        "Field tests",
        ["Run", "When (UTC)", "State", "Verdict", "Technician", "Tested"],
        [
            (
                run.id,
                datetime.fromtimestamp(run.begun_utc_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M"),
                run.state,
                run.verdict.value,
                run.technician,
                ", ".join(f"{group.subject} {group.measured}" for group in run.groups),
            )
            for run in runs
        ],
    )


@command.command()
@click.argument("run", required=False)
@language_option
@json_option
@pass_box
def show(box: Box, run: str | None, language: str, as_json: bool) -> None:
    """Shows RUN (default: the last one) with every value, its limits, and how it has drifted."""
    found = _stored(box, run)
    if as_json:
        print_json({"run": run_json(found)})
    else:
        shown.show(found, language)


@command.command()
@click.argument("subject")
@click.argument("step")
@json_option
@pass_box
def history(box: Box, subject: str, step: str, as_json: bool) -> None:
    """How one STEP of SUBJECT was at each visit, oldest first."""
    points = [
        {"run": run.id, "at_utc_ms": run.begun_utc_ms, "value": result.value, "verdict": result.verdict.value}
        for run in reversed(list(RunStore(box.data).all()))
        for group in run.groups
        if group.subject == subject
        for result in group.results
        if result.step == step and result.value is not None
    ]
    if as_json:
        print_json({"points": points})
        return
    print_table(
        f"{subject}: {step}", ["Run", "Value", "Verdict"], [(p["run"], p["value"], p["verdict"]) for p in points]
    )


@command.command()
@click.argument("run", required=False)
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where it goes.")
@click.option("--photo", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A picture of the place.")
@click.option("--page", "address", default="", help="The page's address, for the QR code.")
@pass_box
def certificate(box: Box, *, run: str | None, folder: Path, photo: Path | None, address: str) -> None:
    """Writes the certificate of RUN (default: the last one): JSON, and PDF in both languages, signed by this box."""
    access = Access(box.data, box.run_dir)
    for path in issue(access, _stored(box, run), folder=folder, photo=photo, address=address):
        click.echo(path)


def _stored(box: Box, run: str | None) -> Run:
    store = RunStore(box.data)
    if run is not None:
        return store.load(run)
    last = next(store.all(), None)
    if last is None:
        raise RunError("there is no field test yet: offhook fieldtest")
    return last
