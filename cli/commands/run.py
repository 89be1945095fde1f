"""``offhook run``: the recorder in the foreground."""

from __future__ import annotations

import sys

import click

from cli.context import Box, pass_box


@click.command()
@pass_box
def command(box: Box) -> None:
    """Watches the lines and records every call, until stopped (systemd runs this)."""
    from firmware.service import main  # noqa: PLC0415 - the driver world, for this command only

    sys.exit(main(box.data, box.run_dir))
