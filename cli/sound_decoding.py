"""What the decoders of `firmware.signals` hear in a sound file: shared by the subcommands of ``offhook decode``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from cli.sound_file import RATE_HZ, blocks, channels_of
from firmware.config_checks import country_code

Found = Iterator[dict[str, Any]]


def _country(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        country_code(None, None, value.upper())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value.upper()


file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
country_option = click.option("--country", default="CN", show_default=True, callback=_country, help="ISO 3166 code.")
json_lines_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line for machines.")


def sound_of(file: Path, channel: int) -> Iterator[NDArray[np.int16]]:
    """One channel in pieces of 0.1 s, and a second of silence after it: what ends with it is heard to the end."""
    piece = RATE_HZ // 10
    for block in (*blocks(file, channel), np.zeros(RATE_HZ, dtype=np.int16)):
        yield from (block[start : start + piece] for start in range(0, len(block), piece))


def tell(file: Path, decoder: Callable[[Iterator[NDArray[np.int16]]], Found], *, as_json: bool) -> None:
    """Prints what ``decoder`` finds in each channel, in the order of time."""
    count = channels_of(file)
    found = [
        {**one, **({"channel": channel} if count > 1 else {})}
        for channel in range(count)
        for one in decoder(sound_of(file, channel))
    ]
    for one in sorted(found, key=lambda o: o["at_s"]):
        click.echo(json.dumps(one, ensure_ascii=False) if as_json else _for_people(one))
    if not found and not as_json:
        click.echo("Nothing found.")


def _for_people(one: dict[str, Any]) -> str:
    rest = " ".join(f"{k}={v}" for k, v in one.items() if k not in ("kind", "at_s") and v is not None)
    return f"{one['at_s']:9.3f} s  {one['kind']}  {rest}"
