"""What single values of the settings must be, and what the admin may have meant instead."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from firmware.drivers import DRIVERS

Validator = Callable[[Any, Any, Any], None]
"""As attrs calls it: instance (None while parsing), attribute, value; raises ValueError."""


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing when no choice is near."""
    by_folded = {choice.casefold(): choice for choice in choices}
    folded = value.casefold()
    close = difflib.get_close_matches(folded, by_folded, n=3, cutoff=0.55)
    # A slip of the keyboard keeps the length: "boks" means "box", though all of it stands in "webhooks", too.
    close.sort(key=lambda c: 0.04 * abs(len(c) - len(folded)) - difflib.SequenceMatcher(None, c, folded).ratio())
    return f"; did you mean {by_folded[close[0]]!r}?" if close else ""


def between(lowest: float, highest: float) -> Validator:
    """A number from ``lowest`` to ``highest``, both included."""

    def check(_instance: Any, _attribute: Any, value: Any) -> None:
        if not isinstance(value, int | float) or not lowest <= value <= highest:
            raise ValueError(f"must be {lowest:g} to {highest:g}, not {value!r}")

    return check


def short_text(longest: int) -> Validator:
    """One line of at most ``longest`` characters."""

    def check(_instance: Any, _attribute: Any, value: Any) -> None:
        text = str(value)
        if len(text) > longest or not text.isprintable():
            raise ValueError(f"must be one line of at most {longest} characters, not {text!r:.60}")

    return check


_NUMBER = re.compile(r"\+?[0-9*#][0-9*# ()./-]{0,30}")


def number_patterns(_instance: Any, _attribute: Any, value: tuple[str, ...]) -> None:
    """Telephone numbers, or their beginnings followed by ``*``; at most 1000."""
    if len(value) > 1000:
        raise ValueError(f"must be at most 1000 numbers, not {len(value)}")
    for number in value:
        digits = number.rstrip("*")
        if not _NUMBER.fullmatch(number) or not any(c.isdigit() for c in digits) or number.count("*") > 1:
            raise ValueError(
                f'must be numbers like "+8613800138000", or their beginnings like "138*", not {number!r:.40}'
            )


def one_of_drivers(_instance: Any, _attribute: Any, value: Any) -> None:
    """A line driver of `firmware.drivers`."""
    if value not in DRIVERS:
        hint = did_you_mean(value, DRIVERS) or f"; there are: {', '.join(sorted(DRIVERS))}"
        raise ValueError(f"no line driver is called {value!r}{hint}")


@cache
def countries() -> dict[str, str]:
    """English names by ISO 3166 alpha-2 code, from the time zone database's own table."""
    table = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return {code: name for code, name in rows}  # noqa: C416 - rows are lists, not tuples


def country_code(_instance: Any, _attribute: Any, value: Any) -> None:
    """An ISO 3166 alpha-2 code."""
    known = countries()
    if value in known:
        return
    wanted = value.strip().casefold()
    meant = value.upper() if value.upper() in known else ""
    meant = meant or next((code for code, name in known.items() if wanted and wanted in name.casefold()), "")
    if not meant:
        near = difflib.get_close_matches(wanted, [name.casefold() for name in known.values()], n=1)
        meant = next((code for code, name in known.items() if near and name.casefold() == near[0]), "")
    hint = f"; did you mean {meant!r} ({known[meant]})?" if meant else " (two capital letters: CN, DE, US)"
    raise ValueError(f"{value!r} is no ISO 3166 country code{hint}")


def time_zone(_instance: Any, _attribute: Any, value: Any) -> None:
    """A name of the IANA time zone database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        cities = {zone.rsplit("/", 1)[-1]: zone for zone in sorted(known) if "/" in zone}
        near = difflib.get_close_matches(value.strip().replace(" ", "_").title(), cities, n=1, cutoff=0.8)
        hint = did_you_mean(value, known) if not near else f"; did you mean {cities[near[0]]!r}?"
        raise ValueError(f"no time zone is called {value!r}{hint or ' (as in Asia/Shanghai, Europe/Berlin)'}") from None
