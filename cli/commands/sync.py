"""``offhook sync``: the way to the cloud."""

from __future__ import annotations

import sys

import click

from cli.context import Box, pass_box


@click.group()
def command() -> None:
    """Talks to the cloud."""


@command.command()
@pass_box
def run(box: Box) -> None:
    """Sends what waits for the cloud, until stopped (systemd runs this). No cloud can be configured yet."""
    from sync.service import main  # noqa: PLC0415 - loaded when used

    sys.exit(main(box.data, box.run_dir))
