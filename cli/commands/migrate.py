"""``offhook migrate``: brings the database to this version's schema."""

from __future__ import annotations

import click

from cli.context import Box, pass_box


@click.command()
@pass_box
def command(box: Box) -> None:
    """Makes the database, or brings it up to date. The other services refuse a wrong version."""
    from firmware.store.migrate import migrate  # noqa: PLC0415 - as the other commands: loaded when used

    migrate(box.database)
    click.echo(f"the database {box.database} is up to date")
