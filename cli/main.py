"""The ``offhook`` command: finds its subcommands in `cli.commands` and turns errors into exit codes."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import click

import cli.commands
from cli.context import DEFAULT_DATA, DEFAULT_RUN, Box
from cli.exit_codes import exit_code_of
from firmware.errors import OffhookError


class _CommandFolder(click.Group):
    """Each module of `cli.commands` defines one ``command``; it is imported when it is asked for, so that
    ``offhook calls`` does not wait for the driver world."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click names it
        return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(cli.commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"cli.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(cls=_CommandFolder, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", envvar="OFFHOOK_DATA", default=DEFAULT_DATA, show_default=True, help="The data folder.")
@click.option("--run-dir", envvar="OFFHOOK_RUN", default=DEFAULT_RUN, show_default=True, help="The socket's folder.")
@click.version_option(package_name="offhook", prog_name="offhook")
@click.pass_context
def offhook(ctx: click.Context, data: str, run_dir: str) -> None:
    """Records every call on the lines of this box.

    Exit codes: 0 done and well, 1 done and something is wrong, 2 wrong use, 3 the box is not running, 4 refused.
    """
    ctx.obj = Box(Path(data), Path(run_dir))


def main() -> None:
    """Runs the command; what went wrong goes to stderr as one message and into the exit code."""
    try:
        offhook(prog_name="offhook")
    except OffhookError as error:
        click.echo(f"offhook: {error}", err=True)
        sys.exit(exit_code_of(error))


if __name__ == "__main__":
    main()
