"""``offhook wish``: what systemd runs when the recorder left a wish; of no use to people."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


@click.group(hidden=True)
def command() -> None:
    """Does what the recorder may only wish for (offhook-clock.path, offhook-usb-power.path)."""


@command.command()
@click.argument("file", type=FILE)
def clock(file: Path) -> None:
    """Sets the clock to what FILE says."""
    from firmware.root_wishes import set_clock  # noqa: PLC0415 - loaded when used

    click.echo(set_clock(file))


@command.command("usb-power")
@click.argument("file", type=FILE)
def usb_power(file: Path) -> None:
    """Switches the USB device that FILE names off and on."""
    from firmware.root_wishes import power_cycle  # noqa: PLC0415 - loaded when used

    click.echo(power_cycle(file))
