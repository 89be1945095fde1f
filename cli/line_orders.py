"""``offhook lines dial|answer|hangup|digits|flash|play``: what a person may ask of a line that the box can take."""

from __future__ import annotations

from typing import Any

import click

from cli.context import Box, pass_box


@click.command()
@click.argument("line")
@click.argument("number")
@click.option("--confirmed", is_flag=True, help="Dial although the plan's minutes are nearly used up.")
@pass_box
def dial(box: Box, line: str, number: str, confirmed: bool) -> None:
    """Takes LINE and dials NUMBER. Refused while a telephone on it is in use."""
    _order(box, "line.dial", f"{line} dials {number}.", line=line, number=number, confirmed=confirmed)


@click.command()
@click.argument("line")
@pass_box
def answer(box: Box, line: str) -> None:
    """Answers the call that rings on LINE."""
    _order(box, "line.answer", f"{line} answers.", line=line)


@click.command()
@click.argument("line")
@pass_box
def hangup(box: Box, line: str) -> None:
    """Ends the call that the box holds on LINE; a ringing one is rejected."""
    _order(box, "line.hangup", f"{line} hangs up.", line=line)


@click.command()
@click.argument("line")
@click.argument("keys")
@pass_box
def digits(box: Box, line: str, keys: str) -> None:
    """Presses KEYS (0 to 9, *, #) in the call that the box holds on LINE, as for a menu that asks for them."""
    _order(box, "line.digits", f"{line} presses {len(keys)} keys.", line=line, digits=keys)


@click.command()
@click.argument("line")
@pass_box
def flash(box: Box, line: str) -> None:
    """Flashes the hook of the call that the box holds on LINE (recall)."""
    _order(box, "line.flash", f"{line} flashes.", line=line)


@click.command()
@click.argument("line")
@click.argument("prompt")
@pass_box
def play(box: Box, line: str, prompt: str) -> None:
    """Plays PROMPT (a .wav of /etc/offhook/prompts, by its name) into the call that the box holds on LINE."""
    _order(box, "line.play", f"{line} plays {prompt}.", line=line, prompt=prompt)


COMMANDS = (dial, answer, hangup, digits, flash, play)


def _order(box: Box, command: str, done: str, **arguments: Any) -> None:
    with box.client() as client:
        client.request(command, **arguments)
    click.echo(done)
