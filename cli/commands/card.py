"""``offhook card``: takes over what an owner wrote onto the card before its first start."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(hidden=True)
@click.argument("card", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--state", default="/data/state", type=click.Path(path_type=Path))
@click.option("--offhook", default="/data/offhook", type=click.Path(path_type=Path))
def command(card: Path, state: Path, offhook: Path) -> None:
    """Puts the files of the card's boot partition into force (offhook-first-start.service runs this, as root)."""
    from appliance.first_start import apply  # noqa: PLC0415 - on an image only

    for line in apply(card, state, offhook):
        click.echo(line)
