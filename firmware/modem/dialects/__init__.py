"""What a family of modules wants to be told, as data: one TOML file per family beside this one."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import attrs
import cattrs

from firmware.errors import ConfigError

__all__ = ["Audio", "Dialect", "InitRow", "Row", "dialect", "families"]


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
    off: Row
    ask: Row
    """Its answer's first value is 1 while the sound flows."""
    reset: Row
    """Sent once when ``on`` keeps failing."""
    retry_s: float
    retry_for_s: float


@attrs.frozen
class Dialect:
    family: str
    models: str
    init: tuple[InitRow, ...]
    answer: Row
    hang_up: Row
    dial: Row
    """``{number}`` stands for the number."""
    list_calls: Row
    audio: Audio | None = None


def families() -> tuple[str, ...]:
    """The names `dialect` knows, in alphabetical order."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def dialect(family: str) -> Dialect:
    """The dialect of ``family``. Raises `ConfigError` when there is none of that name."""
    if family not in families():
        raise ConfigError([f"no module family is called {family!r}; there are: {', '.join(families())}"])
    text = resources.files(__name__).joinpath(f"{family}.toml").read_text(encoding="utf-8")
    return _CONVERTER.structure(tomllib.loads(text), Dialect)


_CONVERTER = cattrs.Converter(forbid_extra_keys=True)
