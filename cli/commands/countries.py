"""``offhook countries``: what Offhook knows of each country's telephone network, and on whose word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from cli.printing import json_option, print_json, print_table
from firmware.config_checks import did_you_mean
from firmware.signals.countries import Cadence, CountryProfile, Tone, ToneName, profiles

_TONES = tuple(name for name in ToneName if name is not ToneName.SIT)


@click.command()
@click.argument("country", required=False)
@json_option
def command(country: str | None, as_json: bool) -> None:
    """Lists the country profiles, or shows the one of COUNTRY (CN, DE, US).

    Values marked with * rest on no primary source.
    """
    known = profiles()
    if country is not None and country.upper() not in known:
        hint = did_you_mean(country.upper(), known) or f"; there are: {', '.join(known)}"
        raise click.BadParameter(f"there is no profile for {country!r}{hint}", param_hint="COUNTRY")
    wanted = list(known.values()) if country is None else [known[country.upper()]]
    if as_json:
        print_json({"countries": [as_document(profile) for profile in wanted]})
    elif country is None:
        _print_list(wanted)
    else:
        _print_one(wanted[0])


def as_document(profile: CountryProfile) -> dict[str, Any]:
    """One profile as docs/interfaces.md describes it."""
    return {
        "code": profile.code,
        "name": profile.name,
        "ring_ms": profile.ring.ms,
        "distinctive_ms": {name: cadence.ms for name, cadence in profile.distinctive},
        "ring_timeout_s": profile.ring_timeout_s,
        "tones": {name.value: [_tone_document(tone) for tone in profile.tone(name)] for name in _TONES},
        "caller_id": list(profile.caller_id),
        "caller_id_when": profile.caller_id_when,
        "disconnect": sorted(profile.disconnect),
        "flash_ms": profile.flash_ms,
        "source": profile.source,
        "unverified": sorted(profile.unverified),
    }


def _tone_document(tone: Tone) -> dict[str, Any]:
    return {"hz": tone.frequencies_hz, "modulated_by_hz": tone.modulated_by_hz, "ms": tone.cadence.ms}


def _print_list(wanted: Iterable[CountryProfile]) -> None:
    columns = ["Code", "Country", "Ring", "Dial", "Busy", "Congestion", "Ringback", "Caller ID", "Source"]
    shown = (ToneName.DIAL, ToneName.BUSY, ToneName.CONGESTION, ToneName.RINGBACK)
    print_table(
        "Countries",
        columns,
        [
            (
                p.code,
                p.name,
                _cadence(p.ring) + _mark(p, "ring"),
                *(_tones(p.tone(name)) + _mark(p, name) for name in shown),
                ", ".join(p.caller_id) + _mark(p, "caller_id"),
                p.source,
            )
            for p in wanted
        ],
    )


def _print_one(p: CountryProfile) -> None:
    rows = [
        ("Ring", _cadence(p.ring) + _mark(p, "ring")),
        *((f"Ring {name}", _cadence(cadence)) for name, cadence in p.distinctive),
        ("Caller gave up after", f"{p.ring_timeout_s:g} s without ringing"),
        *((name.replace("_", " ").capitalize(), _tones(p.tone(name)) + _mark(p, name)) for name in _TONES),
        ("Caller ID", ", ".join(p.caller_id) + _mark(p, "caller_id")),
        ("Sent", p.caller_id_when.replace("_", " ") + _mark(p, "caller_id_when")),
        ("Far end hung up", ", ".join(sorted(p.disconnect)) + _mark(p, "disconnect")),
        ("Hook flash", f"{p.flash_ms[0]} to {p.flash_ms[1]} ms" + _mark(p, "flash_ms")),
        ("Source", p.source),
    ]
    print_table(f"{p.code} {p.name}", ["What", "Value"], rows)


def _mark(profile: CountryProfile, key: str) -> str:
    return " *" if key in profile.unverified else ""


def _cadence(cadence: Cadence) -> str:
    return "/".join(f"{ms / 1000:g}" for ms in cadence.ms)


def _tones(tones: tuple[Tone, ...]) -> str:
    return "; ".join(_tone(tone) for tone in tones) or "not known"


def _tone(tone: Tone) -> str:
    hz = "+".join(f"{f:g}" for f in tone.frequencies_hz)
    if tone.modulated_by_hz is not None:
        hz += f"*{tone.modulated_by_hz:g}"
    return f"{hz} {_cadence(tone.cadence)}".strip()
