"""``offhook decode tones``: the tones of a telephone network in a sound file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from cli.sound_decoding import Found, country_option, file_argument, json_lines_option, tell
from cli.sound_file import RATE_HZ
from firmware.signals.countries import profile_of
from firmware.signals.tones import ToneDetector


@click.command()
@file_argument
@country_option
@json_lines_option
def command(file: Path, country: str, as_json: bool) -> None:
    """Tones of the network, named as COUNTRY makes them."""
    tell(file, lambda sound: _tones(sound, country), as_json=as_json)


def _tones(sound: Iterator[NDArray[np.int16]], country: str) -> Found:
    detector = ToneDetector(RATE_HZ, profile_of(country))
    for piece in sound:
        for tone in detector.feed(piece):
            if not tone.lasting:
                yield {"kind": "tone", "at_s": round(max(0, tone.began) / RATE_HZ, 3), "name": str(tone.name)}
