"""``offhook config``: looks at the settings, checks a file, applies it, writes it out."""

from __future__ import annotations

import getpass
import sys
from typing import Any, TextIO

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import json_option, print_json
from cli.reading import reading
from firmware import config
from firmware.ipc.client import RecorderUnreachableError, RefusedError
from firmware.store import settings


@click.group()
def command() -> None:
    """Shows, checks, applies and exports the settings (docs/configuration.md)."""


@command.command()
@json_option
@pass_box
def show(box: Box, as_json: bool) -> None:
    """Shows the settings in force."""
    current = _in_force(box)
    if as_json:
        print_json(current)
        return
    click.echo(f"# settings version {current['version']}")
    click.echo(
        current["document"] or "# no settings yet: the defaults are in force", nl=not current["document"].endswith("\n")
    )


@command.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@json_option
def check(file: TextIO, as_json: bool) -> None:
    """Lists every fault in FILE (- for stdin) without applying it. Exit code 1 when there is one."""
    faults = config.check(file.read())
    if as_json:
        print_json({"faults": faults})
    else:
        _print_faults(file.name, faults)
    if faults:
        sys.exit(ExitCode.SOMETHING_IS_WRONG)


@command.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option(
    "--base-version", type=click.IntRange(min=0), help="Refuse if another version than this is in force by now."
)
@json_option
@pass_box
def apply(box: Box, file: TextIO, base_version: int | None, as_json: bool) -> None:
    """Puts FILE (- for stdin) in force; the recorder must be running. Exit code 4 when it is refused."""
    document = file.read()
    with box.client() as client:
        base = client.request("config.get")["version"] if base_version is None else base_version
        try:
            applied = client.request(
                "config.apply", base_version=base, document=document, by=f"cli:{getpass.getuser()}"
            )
        except RefusedError as error:
            if error.code != "invalid":
                raise
            faults = [str(fault) for fault in error.details.get("faults", [str(error)])]
            if as_json:
                print_json({"faults": faults})
            else:
                _print_faults(file.name, faults)
            sys.exit(ExitCode.REFUSED)
    if as_json:
        print_json(applied)
    else:
        click.echo(f"settings version {applied['version']} is in force")


@command.command()
@click.argument("file", type=click.File("w", encoding="utf-8", atomic=True), default="-")
@pass_box
def export(box: Box, file: TextIO) -> None:
    """Writes the settings in force to FILE, or to stdout; `config apply` and first-boot.toml take it."""
    file.write(_in_force(box)["document"])


def _in_force(box: Box) -> dict[str, Any]:
    """What the recorder says, or, while it does not run, what it last wrote down."""
    try:
        with box.client() as client:
            return client.request("config.get")
    except RecorderUnreachableError:
        with reading(box) as db:
            stored = settings.newest(db)
        return {"version": stored.version if stored else 0, "document": stored.document if stored else ""}


def _print_faults(name: str, faults: list[str]) -> None:
    for fault in faults:
        click.echo(fault)
    click.echo(f"{name}: {len(faults)} fault{'s' if len(faults) != 1 else ''}" if faults else f"{name}: no fault")
