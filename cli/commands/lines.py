"""``offhook lines``: the lines as the running box sees them, and devices that could be lines."""

from __future__ import annotations

from typing import Any

import click

from cli import calibrate, health, line_orders
from cli.context import Box, pass_box
from cli.printing import json_option, print_json, print_table


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Shows each line and what it does now."""
    if ctx.invoked_subcommand is not None:
        return
    box = ctx.find_object(Box)
    assert box is not None
    with box.client() as client:
        lines = client.request("state")["lines"]
    if as_json:
        print_json({"lines": lines})
        return
    print_table(
        "Lines",
        ["Line", "Label", "Kind", "Device", "Phase", "Sound", "Recording", "Call", "Fault"],
        [
            (
                line["id"],
                line["label"],
                line["kind"],
                "present" if line["present"] else "not seen",
                line["phase"],
                line["sound"],
                "yes" if line["recording"] else "",
                _call(line["call"]),
                line["fault"],
            )
            for line in lines
        ],
    )
    if not lines:
        click.echo("There is no line yet: plug a telephone device in, or see docs/configuration.md.")


@command.command()
@json_option
@pass_box
def found(box: Box, as_json: bool) -> None:
    """Shows plugged-in devices that could be lines, with the settings that would make them one."""
    with box.client() as client:
        devices = client.request("lines.found")["devices"]
    if as_json:
        print_json({"devices": devices})
        return
    print_table(
        "Devices",
        ["Place", "Driver", "Options", "What it is"],
        [
            (d["path"], d["driver"], ", ".join(f"{k} = {v!r}" for k, v in d["options"].items()), _what(d))
            for d in devices
        ],
    )
    if not devices:
        click.echo("No telephone device is plugged in.")


command.add_command(calibrate.command)
command.add_command(health.command)
for _order in line_orders.COMMANDS:
    command.add_command(_order)


def _what(device: dict[str, Any]) -> str:
    return f"{device['description']} (proposed)" if device["proposal"] else str(device["description"])


def _call(call: dict[str, Any] | None) -> str:
    return "" if call is None else " ".join(part for part in (call["direction"], call["number"], call["name"]) if part)
