"""``offhook decode callerid``: the caller IDs in a sound file, right ones and spoilt ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from cli.sound_decoding import Found, country_option, file_argument, json_lines_option, tell
from cli.sound_file import RATE_HZ
from firmware.model import Presentation
from firmware.signals.callerid_dtmf import DtmfCallerId, DtmfMessage, RejectedDigits
from firmware.signals.callerid_fsk import FskMessage, RejectedMessage
from firmware.signals.callerid_message import CallerIdMessage
from firmware.signals.callerid_ntt import crc16
from firmware.signals.callerid_search import CallerIdSearch
from firmware.signals.dtmf import DtmfDetector
from firmware.signals.numbers import e164


@click.command()
@file_argument
@country_option
@json_lines_option
def command(file: Path, country: str, as_json: bool) -> None:
    """Caller IDs: Bell 202, V.23, DTMF and Japan's, right ones and spoilt ones."""
    tell(file, lambda sound: _callers(sound, country), as_json=as_json)


def _callers(sound: Iterator[NDArray[np.int16]], country: str) -> Found:
    """Every standard is listened for everywhere; the country says how a number is read."""
    for one in _messages(sound):
        number = e164(one["number"], country)
        yield one if number is None else {**one, "e164": number}


def _messages(sound: Iterator[NDArray[np.int16]]) -> Found:
    digits, dialled = DtmfDetector(RATE_HZ), DtmfCallerId(RATE_HZ)
    searches = [CallerIdSearch(RATE_HZ, ntt=ntt) for ntt in (False, True)]
    for piece in sound:
        for search in searches:
            if (message := search.feed(piece)) is not None:
                yield _fsk(message)
            yield from (_rejected(one) for one in search.take_rejected())
        digits.feed(piece)
        if (sent := dialled.feed(digits.take_ended())) is not None:
            yield _dtmf(sent)
        yield from (_no_dtmf(one) for one in dialled.take_rejected())


def _fsk(found: FskMessage) -> dict[str, Any]:
    document = _caller(found.began, found.format, found.standard, found.message)
    return {**document, "checksum_ok": True, "doubtful": found.doubtful, "raw": found.raw.hex()}


def _dtmf(found: DtmfMessage) -> dict[str, Any]:
    return {**_caller(found.began, "DTMF", "dtmf", found.message), "checksum_ok": None, "raw": found.raw}


def _no_dtmf(found: RejectedDigits) -> dict[str, Any]:
    document = _caller(found.ended, "DTMF", "dtmf", CallerIdMessage())
    return {**document, "absence": None, "checksum_ok": None, "rejected": found.reason, "raw": None}


def _rejected(found: RejectedMessage) -> dict[str, Any]:
    document = _caller(found.began, found.format, found.standard, CallerIdMessage())
    right = not crc16(found.raw[2:]) if found.format == "NTT" else sum(found.raw) & 0xFF == 0
    return {**document, "absence": None, "checksum_ok": right, "rejected": found.reason, "raw": found.raw.hex()}


def _caller(began: int, form: str, standard: str, message: CallerIdMessage) -> dict[str, Any]:
    date = None
    if message.month_day is not None and message.hour_minute is not None:
        date = "{:02d}-{:02d}T{:02d}:{:02d}".format(*message.month_day, *message.hour_minute)
    return {
        "kind": "callerid",
        "at_s": round(began / RATE_HZ, 3),
        "format": form,
        "standard": str(standard),
        "number": message.number,
        "name": message.name,
        "date": date,
        "absence": None if message.presentation is Presentation.VALID else str(message.presentation),
    }
