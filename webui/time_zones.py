"""Time zones to choose from: those with a place's name."""

from __future__ import annotations

import zoneinfo
from functools import cache

_AREAS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@cache
def zones() -> tuple[str, ...]:
    return (*sorted(zone for zone in zoneinfo.available_timezones() if zone.split("/")[0] in _AREAS), "UTC")
