"""``offhook alarms``: what the box has to say to its admin."""

from __future__ import annotations

import getpass
import sys

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import in_my_language, json_option, local_time, print_json, print_table
from cli.reading import reading, zone_of
from firmware.store.queries import alarm_history, standing_alarms


@click.group(invoke_without_command=True)
@click.option("--all", "with_history", is_flag=True, help="Those that are over, too.")
@json_option
@click.pass_context
def command(ctx: click.Context, with_history: bool, as_json: bool) -> None:
    """Lists standing alarms, gravest first, and what to do. Exit code 1 when one is critical or a warning."""
    if ctx.invoked_subcommand is not None:
        return
    box = ctx.find_object(Box)
    assert box is not None
    with reading(box) as db:
        zone = zone_of(db)
        standing = standing_alarms(db)
        alarms = alarm_history(db) if with_history else standing
    if as_json:
        print_json({"alarms": alarms})
    else:
        print_table(
            "Alarms",
            ["Id", "Severity", "Since", "Times", "What", "What to do", "State"],
            [
                (
                    alarm["id"],
                    alarm["severity"],
                    local_time(alarm["since_utc_ms"], zone),
                    alarm["count"],
                    in_my_language(alarm["text"]),
                    in_my_language(alarm["todo"]),
                    "over" if alarm["resolved_utc_ms"] else "seen" if alarm["acknowledged_utc_ms"] else "",
                )
                for alarm in alarms
            ],
        )
    if any(alarm["severity"] != "info" for alarm in standing):
        sys.exit(ExitCode.SOMETHING_IS_WRONG)


@command.command()
@click.argument("alarm", type=int)
@pass_box
def ack(box: Box, alarm: int) -> None:
    """Marks ALARM (an id) as seen."""
    with box.client() as client:
        client.request("alarm.ack", alarm=alarm, by=f"cli:{getpass.getuser()}")
