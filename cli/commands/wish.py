"""``offhook wish``: what systemd runs when the recorder or the page left a wish; of no use to people."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


@click.group(hidden=True)
def command() -> None:
    """Does what recorder and page may only wish for (offhook-clock.path, offhook-usb-power.path, offhook-wifi.path)."""


@command.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
def clock(files: tuple[Path, ...]) -> None:
    """Sets the clock to what the newest of FILES says."""
    from firmware.root_wishes import set_clock  # noqa: PLC0415 - loaded when used

    there = [file for file in files if file.exists()] or [files[0]]
    click.echo(set_clock(max(there, key=lambda file: file.stat().st_mtime if file.exists() else 0)))


@command.command("usb-power")
@click.argument("file", type=FILE)
def usb_power(file: Path) -> None:
    """Switches the USB device that FILE names off and on."""
    from firmware.root_wishes import power_cycle  # noqa: PLC0415 - loaded when used

    click.echo(power_cycle(file))


@command.command()
@click.argument("file", type=FILE)
@click.option("--state", default="/data/state", type=FILE)
def wifi(file: Path, state: Path) -> None:
    """Takes over the Wi-Fi that FILE names (an image only)."""
    from appliance.wifi import take  # noqa: PLC0415 - on an image only

    click.echo(take(file, state))
