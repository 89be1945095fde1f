"""What a family of modules wants to be told, as data: one TOML file per family beside this one."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Final

import attrs
import cattrs

from firmware.errors import ConfigError

__all__ = [
    "AUTO",
    "Audio",
    "Dialect",
    "InitRow",
    "NoVoice",
    "Quirk",
    "Recovery",
    "Row",
    "Urc",
    "VoiceCheck",
    "brands",
    "dialect",
    "families",
    "family_of",
]

AUTO: Final = "auto"
"""Stands for a family in the settings: the module is asked what it is."""


@attrs.frozen
class Row:
    """One command and where it is written that the module knows it."""

    send: str
    source: str
    timeout_s: float = 5.0
    note: str = ""


@attrs.frozen
class InitRow(Row):
    """One command of the start sequence. A ``required`` one that fails keeps the line down; others are logged."""

    required: bool = False


@attrs.frozen
class Audio:
    """How the sound of a call is switched on and off over AT, for families whose sound comes over a tty."""

    on: Row
    retry_s: float
    retry_for_s: float
    off: Row | None = None
    ask: Row | None = None
    """Its answer's first value is 1 while the sound flows. Without it, an OK to ``on`` means that it flows."""
    reset: Row | None = None
    """Sent once when ``on`` keeps failing, and when sound that is on does not come."""
    init: tuple[InitRow, ...] = ()
    """More of the start sequence, only where the sound port is used."""
    dial: Row | None = None
    """Instead of the dialect's ``dial``: the sound must be on before the call is."""
    answer: Row | None = None
    """Instead of the dialect's ``answer``."""


@attrs.frozen
class Urc:
    """One line the module says by itself: a real one as ``example``, and what it means."""

    example: str
    means: str
    source: str


@attrs.frozen
class Recovery:
    """One step of the way back from a module that does not answer; the steps are tried in order.

    ``step`` is ``second_port`` (plain AT on the other AT port), ``reopen``, ``restart`` (``send`` restarts the module),
    ``power`` (USB port power, or the GPIO of PWRKEY or RESET) or ``tell`` (the admin). The module has ``wait_s`` to
    come back before the next step.
    """

    step: str
    wait_s: float
    source: str
    send: str = ""


@attrs.frozen
class Quirk:
    """What modules of the family do that nobody would expect, and what is done about it."""

    what: str
    source: str


@attrs.frozen
class NoVoice:
    """Models of the family (regular expression over AT+CGMM) that cannot make calls, and what to buy instead."""

    models: str
    instead: str
    source: str


@attrs.frozen
class VoiceCheck(Row):
    """A command whose answer tells whether the module has voice: one line of it must match ``voice``."""

    voice: str = ""
    instead: str = ""


@attrs.frozen
class Dialect:
    family: str
    brand: str
    """``simcom``, ``quectel``, ``huawei`` or ``generic``: whose words it uses."""
    models: str
    """For people."""
    recognised_by: str
    """Regular expression over the answers to AT+CGMM and AT+CGMI; empty: never recognised."""
    sound: str
    """``tty``: PCM over a port of the module; ``alsa``: analog pins that need a sound card."""
    init: tuple[InitRow, ...]
    answer: Row
    hang_up: Row
    dial: Row
    """``{number}`` stands for the number."""
    list_calls: Row
    digit: Row
    """Sends one DTMF digit into the call: ``{digit}``, and ``{index}`` for the call's index."""
    hold_and_take: Row
    """Holds the call and takes the waiting or held one."""
    refuse_waiting: Row
    audio: Audio | None = None
    """Sound over a tty of the module."""
    usb_audio: Audio | None = None
    """Sound over a sound card that the module itself is."""
    voice_check: VoiceCheck | None = None
    no_voice: tuple[NoVoice, ...] = ()
    urcs: tuple[Urc, ...] = ()
    recovery: tuple[Recovery, ...] = ()
    quirks: tuple[Quirk, ...] = ()

    def without_voice(self, model: str) -> NoVoice | None:
        """The row that says that ``model`` (its word for AT+CGMM) has no voice, if there is one."""
        return next((row for row in self.no_voice if re.search(row.models, model, re.IGNORECASE)), None)


@cache
def families() -> tuple[str, ...]:
    """The names `dialect` knows, in alphabetical order."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def brands() -> tuple[str, ...]:
    """Whose words there are dialects for, in alphabetical order."""
    return tuple(sorted({dialect(family).brand for family in families()}))


@cache
def dialect(family: str) -> Dialect:
    """The dialect of ``family``. Raises `ConfigError` when there is none of that name."""
    if family not in families():
        raise ConfigError([f"no module family is called {family!r}; there are: {', '.join((AUTO, *families()))}"])
    text = resources.files(__name__).joinpath(f"{family}.toml").read_text(encoding="utf-8")
    return _CONVERTER.structure(tomllib.loads(text), Dialect)


def family_of(model: str, maker: str = "") -> str | None:
    """The family of a module by its answers to AT+CGMM and AT+CGMI; None when nobody knows it.

    The model decides; the maker only where the model alone says nothing: A76xx firmware says just ``INCORPORATED``.
    """
    for said in (model, f"{maker} {model}"):
        for family in families():
            pattern = dialect(family).recognised_by
            if pattern and re.search(pattern, said, re.IGNORECASE):
                return family
    return None


_CONVERTER = cattrs.Converter(forbid_extra_keys=True)
