"""How each country's telephone network rings, sounds and names its callers: `countries.toml` as frozen types."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from firmware.errors import ConfigError

T = TypeVar("T")


class ToneName(StrEnum):
    """The tones of a telephone network that mean something to a recorder (ITU-T E.180, E.182)."""

    DIAL = "dial"
    BUSY = "busy"
    CONGESTION = "congestion"
    RINGBACK = "ringback"
    CALL_WAITING = "call_waiting"
    SIT = "sit"
    """Special information tone: three rising tones before an announcement, the same all over the world."""


class CallerIdStandard(StrEnum):
    BELL202 = "bell202"
    V23 = "v23"
    DTMF = "dtmf"
    NTT = "ntt"
    """Japan: the telephone has to answer before it is told (`firmware.signals.primary_answer`)."""


class CallerIdWhen(StrEnum):
    BEFORE_FIRST_RING = "before_first_ring"
    AFTER_FIRST_RING = "after_first_ring"
    AFTER_SHORT_RING = "after_short_ring"


class Disconnect(StrEnum):
    """How the line shows that the far end has hung up."""

    BUSY_TONE = "busy_tone"
    CONGESTION_TONE = "congestion_tone"
    DIAL_TONE = "dial_tone"
    LOOP_OPEN = "loop_open"
    """The exchange opens the loop for a moment (CPC)."""
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class Cadence:
    """Milliseconds on, off, on, off ...; again and again from the start. Empty: on all the time."""

    ms: tuple[int, ...] = ()

    @property
    def longest_silence_s(self) -> float:
        return max(self.ms[1::2], default=0) / 1000


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone of the network."""

    frequencies_hz: tuple[float, ...]
    """All at once."""
    cadence: Cadence
    modulated_by_hz: float | None = None
    """The (only) frequency is modulated by this one: side tones stand so far above and below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryProfile:
    """One country. Tones are in several variants where a network has several; a tone that is not known is missing."""

    code: str
    """ISO 3166 alpha-2."""
    name: str
    ring: Cadence
    distinctive: tuple[tuple[str, Cadence], ...]
    """Further ring patterns by which one line tells several numbers apart, each with its name."""
    tones: tuple[tuple[ToneName, Tone], ...]
    caller_id: tuple[CallerIdStandard, ...]
    caller_id_when: CallerIdWhen
    disconnect: frozenset[Disconnect]
    flash_ms: tuple[int, int]
    """Shortest and longest break of the loop that is a hook flash."""
    source: str
    """Where the values are published; ``unverified`` when no such place is known for any of them."""
    unverified: frozenset[str]
    """Keys of `countries.toml` whose values rest on no primary source."""

    @property
    def ring_timeout_s(self) -> float:
        """Seconds without ringing after which the caller gave up: a second more than the longest silence."""
        return max(c.longest_silence_s for c in (self.ring, *(c for _, c in self.distinctive))) + 1.0

    def tone(self, name: ToneName) -> tuple[Tone, ...]:
        """The variants of a tone; empty when nothing is known of it."""
        return tuple(tone for kind, tone in self.tones if kind is name)


_FREQUENCIES = re.compile(r"(\d+(?:\.\d+)?)(?:\*(\d+(?:\.\d+)?)|((?:\+\d+(?:\.\d+)?)+))?")
_TONE_KEYS = tuple(name for name in ToneName if name is not ToneName.SIT)
_NEEDED = (
    "name",
    "ring",
    "dial",
    "busy",
    "ringback",
    "caller_id",
    "caller_id_when",
    "disconnect",
    "flash_ms",
    "source",
)
_KEYS = frozenset({*_NEEDED, *(name.value for name in _TONE_KEYS), "distinctive", "unverified"})
_LONGEST_MS = 20_000
_LOWEST_HZ, _HIGHEST_HZ = 200.0, 2500.0


class _Faults:
    """Collects every fault with its place; a value that cannot be read is None meanwhile."""

    def __init__(self, document: str) -> None:
        self.document = document
        self.all: list[str] = []

    def of(self, place: str, read: Callable[[Any], T], value: Any) -> T | None:
        try:
            return read(value)
        except ValueError as error:
            self.all.append(f"{self.document}: {place}: {error}")
            return None


def parse_profiles(text: str, document: str = "countries.toml") -> dict[str, CountryProfile]:
    """The profiles in a TOML ``text``, by country code. Raises `ConfigError` with every fault and its place."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{document}: not a TOML document: {error}"]) from None
    faults = _Faults(document)
    profiles = {code: _profile(code, table, faults) for code, table in tables.items()}
    if faults.all:
        raise ConfigError(faults.all)
    return {code: profile for code, profile in profiles.items() if profile is not None}


@cache
def profiles() -> dict[str, CountryProfile]:
    """Every country that Offhook knows, by code. Raises `ConfigError` when the shipped file is damaged."""
    text = resources.files("firmware.signals").joinpath("countries.toml").read_text(encoding="utf-8")
    return parse_profiles(text)


def profile_of(code: str) -> CountryProfile:
    """The profile of a country; of one that is not listed, the cadences and tones that ITU-T E.180 recommends."""
    known = profiles().get(code)
    return known if known is not None else _recommended(code)


def _recommended(code: str) -> CountryProfile:
    """E.180 recommends 425 Hz, and cadences in ranges: the middle of each. Ring silences go up to 5 s."""
    hz = (425.0,)
    return CountryProfile(
        code=code,
        name="no profile; as ITU-T E.180 recommends",
        ring=Cadence((1000, 5000)),
        distinctive=(),
        tones=(
            (ToneName.DIAL, Tone(hz, Cadence())),
            (ToneName.BUSY, Tone(hz, Cadence((500, 500)))),
            (ToneName.CONGESTION, Tone(hz, Cadence((200, 200)))),
            (ToneName.RINGBACK, Tone(hz, Cadence((1000, 4000)))),
        ),
        caller_id=(CallerIdStandard.BELL202, CallerIdStandard.V23, CallerIdStandard.DTMF),
        caller_id_when=CallerIdWhen.AFTER_FIRST_RING,
        disconnect=frozenset({Disconnect.BUSY_TONE, Disconnect.CONGESTION_TONE}),
        flash_ms=(80, 1000),
        source="ITU-T E.180",
        unverified=frozenset({"caller_id", "caller_id_when", "disconnect", "flash_ms"}),
    )


def _profile(code: str, table: Any, faults: _Faults) -> CountryProfile | None:
    if not re.fullmatch(r"[A-Z]{2}", code) or not isinstance(table, dict):
        faults.all.append(
            f"{faults.document}: {code}: must be a table named by an ISO 3166 code of two capital letters"
        )
        return None
    before = len(faults.all)
    faults.all += [f"{faults.document}: {code}.{key}: is missing" for key in _NEEDED if key not in table]
    known = ", ".join(sorted(_KEYS))
    faults.all += [
        f"{faults.document}: {code}.{key}: there is no such key; there are: {known}" for key in table.keys() - _KEYS
    ]

    def read(key: str, how: Callable[[Any], T]) -> T | None:
        return faults.of(f"{code}.{key}", how, table[key]) if key in table else None

    name, source = read("name", _text), read("source", _text)
    ring = read("ring", _cadence)
    tones = [(kind, tone) for kind in _TONE_KEYS for tone in read(kind.value, _tones) or ()]
    distinctive = read("distinctive", _named_cadences) or ()
    caller_id = read("caller_id", lambda v: tuple(_choices(v, CallerIdStandard)))
    when = read("caller_id_when", lambda v: _choice(v, CallerIdWhen))
    disconnect = read("disconnect", lambda v: frozenset(_choices(v, Disconnect)))
    flash_ms = read("flash_ms", _window)
    unverified = read("unverified", _keys) or frozenset()
    if len(faults.all) > before:
        return None
    assert name is not None
    assert source is not None
    assert ring is not None
    assert caller_id is not None
    assert when is not None
    assert disconnect is not None
    assert flash_ms is not None
    return CountryProfile(
        code=code,
        name=name,
        ring=ring,
        distinctive=distinctive,
        tones=tuple(tones),
        caller_id=caller_id,
        caller_id_when=when,
        disconnect=disconnect,
        flash_ms=flash_ms,
        source=source,
        unverified=unverified,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'must be text in quotes ("..."), not {value!r:.60}')
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list ([...]), not {value!r:.60}")
    return value


def _durations(values: list[Any]) -> tuple[int, ...]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LONGEST_MS:
            raise ValueError(f"each time must be 1 to {_LONGEST_MS} ms, a whole number, not {value!r:.60}")
    if len(values) % 2:
        raise ValueError(f"must hold pairs of on and off, not {len(values)} times")
    return tuple(values)


def _cadence(value: Any) -> Cadence:
    ms = _durations(_list(value))
    if not ms:
        raise ValueError("must hold at least one time on and one off, in ms")
    return Cadence(ms)


def _named_cadences(value: Any) -> tuple[tuple[str, Cadence], ...]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table of named ring patterns, not {value!r:.60}")
    return tuple((name, _cadence(ms)) for name, ms in value.items())


def _tones(value: Any) -> tuple[Tone, ...]:
    values = _list(value)
    variants = values if values and all(isinstance(one, list) for one in values) else [values]
    return tuple(_tone(one) for one in variants)


def _tone(value: list[Any]) -> Tone:
    match = _FREQUENCIES.fullmatch(value[0]) if value and isinstance(value[0], str) else None
    if match is None:
        raise ValueError('must begin with frequencies in quotes ("425", "350+440", "400*25"), then times in ms')
    first, modulated_by, others = match[1], match[2], match[3] or ""
    frequencies = tuple(float(hz) for hz in (first, *filter(None, others.split("+"))))
    for hz in frequencies:
        if not _LOWEST_HZ <= hz <= _HIGHEST_HZ:
            raise ValueError(
                f"a tone of {hz:g} Hz is none of a telephone network ({_LOWEST_HZ:g} to {_HIGHEST_HZ:g} Hz)"
            )
    return Tone(frequencies, Cadence(_durations(value[1:])), float(modulated_by) if modulated_by else None)


E = TypeVar("E", bound=StrEnum)


def _choice(value: Any, choices: type[E]) -> E:
    try:
        return choices(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(choices)}, not {value!r:.60}") from None


def _choices(value: Any, choices: type[E]) -> Iterator[E]:
    return (_choice(one, choices) for one in _list(value))


def _window(value: Any) -> tuple[int, int]:
    ms = _durations(_list(value))
    if len(ms) != 2 or ms[0] >= ms[1]:
        raise ValueError(f"must be the shortest and the longest time in ms, not {value!r:.60}")
    return ms[0], ms[1]


def _keys(value: Any) -> frozenset[str]:
    keys = frozenset(_text(one) for one in _list(value))
    if unknown := keys - _KEYS:
        raise ValueError(f"names no key: {', '.join(sorted(unknown))}")
    return keys
