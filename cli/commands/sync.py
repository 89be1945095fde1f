"""``offhook sync``: the way to the cloud."""

from __future__ import annotations

import sys
from typing import Any

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import json_option, print_json, print_table

_TEST_S = 75.0


@click.group()
def command() -> None:
    """Sends calls and recordings to the cloud, and says how far it is."""


@command.command()
@json_option
@pass_box
def status(box: Box, as_json: bool) -> None:
    """Shows what waits for the cloud, since when, and why."""
    from firmware.sync_desk import status as shown  # noqa: PLC0415 - loaded when used

    found = shown(box.run_dir)
    if as_json:
        print_json(found)
        return
    print_table("Cloud sync", ["", ""], _rows(found))


@command.command()
@pass_box
def now(box: Box) -> None:
    """Sends everything at once, whatever schedule or pause say."""
    _wish(box, "now")
    click.echo("Sending what waits.")


@command.command()
@click.option("--minutes", type=click.FloatRange(min=0), default=0.0, help="For so long; 0: until resumed.")
@pass_box
def pause(box: Box, minutes: float) -> None:
    """Sends no recordings for a while; records go on."""
    _wish(box, "pause", minutes=minutes)
    click.echo(f"Paused for {minutes:g} minutes." if minutes else "Paused until `offhook sync resume`.")


@command.command()
@pass_box
def resume(box: Box) -> None:
    """Takes a pause back."""
    _wish(box, "resume")
    click.echo("Resumed.")


@command.command()
@json_option
@pass_box
def test(box: Box, as_json: bool) -> None:
    """Proves the whole path: the receiver's answer, a record, and a file of 1 MB that is read back."""
    from firmware.sync_desk import wish  # noqa: PLC0415

    answer = wish(box.run_dir, "test", deadline_s=_TEST_S)
    if as_json:
        print_json(answer)
    else:
        print_table("Test of the cloud", ["Step", "Answered after"], _steps(answer))
        click.echo("The whole path works." if answer["ok"] else f"It does not work: {answer['error']}")
    sys.exit(ExitCode.WELL if answer["ok"] else ExitCode.SOMETHING_IS_WRONG)


@command.command()
@pass_box
def run(box: Box) -> None:
    """Sends what waits for the cloud, until stopped (systemd runs this)."""
    # sqlite-utils loads numpy where there is one: 15 MB that this process has no use for.
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]
    from sync.service import main  # noqa: PLC0415

    sys.exit(main(box.data, box.run_dir))


def _wish(box: Box, what: str, **args: Any) -> None:
    from firmware.sync_desk import wish  # noqa: PLC0415

    answer = wish(box.run_dir, what, **args)
    if not answer["ok"]:
        click.echo(f"offhook: {answer['error']}", err=True)
        sys.exit(ExitCode.REFUSED)


def _rows(found: dict[str, Any]) -> list[tuple[str, object]]:
    oldest_s, child = found.get("oldest_s"), found.get("upload_child")
    return [
        ("State", found["phase"]),
        ("Broker", found.get("broker")),
        ("This box", found.get("box_id")),
        ("Messages that wait", found["records"]),
        ("Oldest of them", None if oldest_s is None else f"{oldest_s:.0f} s"),
        ("Recordings that wait", f"{found['files']} ({found['bytes'] / 1e6:.1f} MB)"),
        ("Recordings wait for", found.get("audio_waits_for")),
        ("Set aside", found["set_aside"]),
        (
            "Memory of the last upload",
            f"{child['rss_kib'] / 1024:.0f} MB, in a process that has ended" if child else None,
        ),
        ("Last error", found.get("last_error")),
    ]


def _steps(answer: dict[str, Any]) -> list[tuple[str, str]]:
    def took(seconds: float | None) -> str:
        return "no answer" if seconds is None else f"{seconds:.2f} s"

    if "file_s" not in answer:
        return []
    return [
        ("hello", took(answer["hello_s"])),
        (f"{answer['records']} waiting records", took(answer["records_s"])),
        ("a file of 1 MB, stored", took(answer["file_s"])),
        ("the file, read back", "identical" if answer.get("read_back") else "no"),
    ]
