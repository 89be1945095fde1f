"""``offhook decode dtmf``: the digits dialled in a sound file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from cli.sound_decoding import Found, country_option, file_argument, json_lines_option, tell
from cli.sound_file import RATE_HZ
from firmware.signals.dtmf import DtmfDetector


@click.command()
@file_argument
@country_option
@json_lines_option
def command(file: Path, country: str, as_json: bool) -> None:
    """Dialled digits."""
    del country  # digits are the same everywhere
    tell(file, _digits, as_json=as_json)


def _digits(sound: Iterator[NDArray[np.int16]]) -> Found:
    detector = DtmfDetector(RATE_HZ)
    for piece in sound:
        for digit in detector.feed(piece):
            yield {"kind": "dtmf", "at_s": round(digit.began / RATE_HZ, 3), "digit": digit.digit}
