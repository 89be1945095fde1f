"""The forecast of storage in words, as an owner would want to hear it."""

from __future__ import annotations

import math

from firmware.store.retention_forecast import Forecast
from firmware.store.retention_plan import Space
from webui.i18n import date_words
from webui.translate import _, ngettext

_YEAR_DAYS = 365
_TEN_YEARS_DAYS = 3650


def size(count: float) -> str:
    """``1.4 GB``, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def room_time(days: float) -> str:
    """For how long there is room. Beyond a year one week's rate says little, so nobody is told a number of days."""
    if days >= _TEN_YEARS_DAYS:
        return _("more than ten years")
    if days >= _YEAR_DAYS:
        return ngettext("more than %(num)d year", "more than %(num)d years", math.floor(days / _YEAR_DAYS))
    return ngettext("%(num)d day", "%(num)d days", math.floor(days))


def forecast_words(ahead: Forecast, space: Space, cloud: bool) -> list[str]:
    """Sentences: how long there is room, what goes next, what only this box has."""
    return [
        each
        for each in (_until_full(ahead, space), _next_deletion(ahead), _not_in_cloud(ahead) if cloud else "")
        if each
    ]


def _until_full(ahead: Forecast, space: Space) -> str:
    if ahead.days_until_full is None:
        return _(
            "Nothing was recorded this week, so there is no forecast; %(free)s are free.", free=size(space.free_bytes)
        )
    if ahead.days_until_full < 1:
        return _("The disk is full: from now on the oldest recordings make room for new ones.")
    if ahead.days_until_full >= _YEAR_DAYS:
        return _("At this week's rate there is room for %(time)s.", time=room_time(ahead.days_until_full))
    return ngettext(
        "At this week's rate the disk is full in %(num)d day.",
        "At this week's rate the disk is full in %(num)d days.",
        math.floor(ahead.days_until_full),
    )


def _next_deletion(ahead: Forecast) -> str:
    if ahead.next is None:
        return _("No recording is going to be deleted by these rules.")
    calls = ngettext("%(num)d call", "%(num)d calls", ahead.next.calls)
    day = date_words(ahead.next.day_utc_ms)
    if ahead.next.in_cloud == ahead.next.calls:
        return _("Next deletion: %(calls)s of %(day)s, all in the cloud.", calls=calls, day=day)
    if ahead.next.in_cloud == 0:
        return _("Next deletion: %(calls)s of %(day)s, which only this box has.", calls=calls, day=day)
    return _(
        "Next deletion: %(calls)s of %(day)s, %(n)d of them in the cloud.", calls=calls, day=day, n=ahead.next.in_cloud
    )


def _not_in_cloud(ahead: Forecast) -> str:
    if ahead.not_in_cloud == 0:
        return _("Everything that is kept is in the cloud, too.")
    return ngettext(
        "%(num)d recording is not in the cloud yet.",
        "%(num)d recordings are not in the cloud yet.",
        ahead.not_in_cloud,
    )
