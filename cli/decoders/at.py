"""``offhook decode at``: what a SIM module said in a captured conversation, line by line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from firmware.modem import at_capture
from firmware.modem.at_events import BRANDS


@click.command()
@click.option("--family", type=click.Choice(BRANDS), help="Whose words to know; without it all of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
def command(family: str | None, as_json: bool, file: Path) -> None:
    """Replays a captured byte stream of an AT port.

    In FILE (- is the standard input) each line begins with < for what came from the module or > for what was sent to
    it; bytes are raw, with C escapes (\\r \\n \\0 \\x1a). Lines that begin with # are left out. docs/at-events.md lists
    what comes out.
    """
    capture = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    for event in at_capture.events(capture, family):
        if as_json:
            click.echo(json.dumps(event, ensure_ascii=False))
            continue
        values = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in event.items() if name != "kind")
        click.echo(" ".join([event["kind"], *values]))
