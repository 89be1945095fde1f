"""Language, time zone and theme of a page, chosen by cookie first and by the browser's wish second."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from flask import Flask, request
from flask_babel import Babel, format_datetime, get_locale, to_user_timezone

from webui.services import services

LANGUAGES = {"en": "English", "zh_Hans_CN": "简体中文"}
"""Each language under its own name, for the switch."""

HTML_LANG = {"en": "en", "zh_Hans_CN": "zh-CN"}
THEMES = ("auto", "light", "dark")
_BROWSER_TAGS = {"en": "en", "zh-cn": "zh_Hans_CN", "zh-hans": "zh_Hans_CN", "zh-sg": "zh_Hans_CN", "zh": "zh_Hans_CN"}


def install(app: Flask) -> None:
    """Translations, dates and the switches of ``app``."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = os.path.join(app.root_path, "translations")  # noqa: PTH118
    Babel(app, locale_selector=chosen_language, timezone_selector=box_zone)
    app.context_processor(
        lambda: {
            "language": str(get_locale()),
            "languages": LANGUAGES,
            "html_lang": HTML_LANG.get(str(get_locale()), "en"),
            "theme": chosen_theme(),
            "themes": THEMES,
        }
    )
    for act in (_clock, _day, _iso, _exactly, _when, _slug):
        app.jinja_env.filters[act.__name__.removeprefix("_")] = act
    app.context_processor(lambda: {"box_zone": box_zone() or ""})


def chosen_language() -> str:
    """The cookie's language, else the best that the browser asks for, else English."""
    wanted = request.cookies.get("language", "")
    if wanted in LANGUAGES:
        return wanted
    for tag, _quality in request.accept_languages:
        parts = tag.lower().replace("_", "-").split("-")
        for length in range(len(parts), 0, -1):
            known = _BROWSER_TAGS.get("-".join(parts[:length]))
            if known is not None:
                return known
    return "en"


def chosen_theme() -> str:
    wanted = request.cookies.get("theme", "")
    return wanted if wanted in THEMES else "auto"


def box_zone() -> str | None:
    """All times are times at the box, whoever looks from wherever."""
    return services().zone.name()


def _clock(utc_ms: int) -> str:
    return str(format_datetime(_moment(utc_ms), "HH:mm:ss"))


def _day(utc_ms: int) -> str:
    pattern = "y年M月d日 EEEE" if str(get_locale()) == "zh_Hans_CN" else "EEEE, d MMMM y"
    return str(format_datetime(_moment(utc_ms), pattern))


def _iso(utc_ms: int) -> str:
    return str(to_user_timezone(_moment(utc_ms)).isoformat(timespec="seconds"))


def _exactly(utc_ms: int) -> str:
    """Date and time to the second, at the box."""
    return f"{date_words(utc_ms)} {_clock(utc_ms)}"


def _when(utc_ms: int) -> str:
    """As short as it may be: the time alone today, the date without the year this year."""
    moment, now = to_user_timezone(_moment(utc_ms)), to_user_timezone(datetime.now(UTC))
    if moment.date() == now.date():
        return str(format_datetime(_moment(utc_ms), "HH:mm"))
    return f"{date_words(utc_ms, with_year=moment.year != now.year)} {format_datetime(_moment(utc_ms), 'HH:mm')}"


def date_words(utc_ms: int, *, with_year: bool = True) -> str:
    """The day at the box of a moment."""
    chinese = str(get_locale()) == "zh_Hans_CN"
    pattern = ("y年M月d日" if with_year else "M月d日") if chinese else ("d MMM y" if with_year else "d MMM")
    return str(format_datetime(_moment(utc_ms), pattern))


def _slug(words: str) -> str:
    """An id made of words in any script."""
    return re.sub(r"\W+", "-", words.casefold()).strip("-")


def _moment(utc_ms: int) -> datetime:
    return datetime.fromtimestamp(utc_ms / 1000, UTC)
