"""``offhook janitor``: retention, scrub and database backup, once."""

from __future__ import annotations

import sys

import click

from cli.context import Box, pass_box


@click.command()
@pass_box
def command(box: Box) -> None:
    """Makes room, looks after the files and backs the database up (a timer runs this)."""
    from firmware import log  # noqa: PLC0415 - loaded when used, as the line below
    from firmware.janitor import run  # noqa: PLC0415

    log.set_up("offhook-janitor")
    sys.exit(run(box.data))
