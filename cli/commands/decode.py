"""``offhook decode``: makes words of captured signals; each module of `cli.decoders` is one subcommand."""

from __future__ import annotations

import importlib
import pkgutil

import click

import cli.decoders


class _DecoderFolder(click.Group):
    """Each module of `cli.decoders` defines one ``command``, imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click names it
        return sorted(module.name for module in pkgutil.iter_modules(cli.decoders.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"cli.decoders.{cmd_name}").command
        return command


@click.group(cls=_DecoderFolder)
def command() -> None:
    """Decodes captured signals: what a telephone line or a SIM module said."""
