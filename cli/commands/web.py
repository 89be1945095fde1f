"""``offhook web``: the page."""

from __future__ import annotations

from pathlib import Path

import click

from cli.context import Box, pass_box


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen here, on this machine only.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--unix-socket", type=click.Path(path_type=Path), help="Listen here instead, for nginx with https.")
@click.option("--cache", type=click.Path(path_type=Path), help="Keep files for browsers here that can be made again.")
@pass_box
def command(box: Box, host: str, port: int, unix_socket: Path | None, cache: Path | None) -> None:
    """Serves the page, until stopped (systemd runs this)."""
    from firmware import log  # noqa: PLC0415
    from webui.serve import main  # noqa: PLC0415 - loads Flask and gunicorn

    log.set_up("offhook-web")
    main(box.data, box.run_dir, host, port, unix_socket=unix_socket, cache_dir=cache)
