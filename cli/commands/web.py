"""``offhook web``: the page."""

from __future__ import annotations

import sys

import click

from cli.context import Box, pass_box


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen here; nginx stands in front on a LAN.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@pass_box
def command(box: Box, host: str, port: int) -> None:
    """Serves the page, until stopped (systemd runs this)."""
    from webui.serve import main  # noqa: PLC0415 - loads Flask and gunicorn

    sys.exit(main(box.data, box.run_dir, host, port))
