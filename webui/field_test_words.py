"""The field test's own words in the language of the page: they are the same in terminal, certificate and page."""

from __future__ import annotations

from flask_babel import get_locale

from fieldtest.results import Words
from fieldtest.words import PAGE


def language() -> str:
    """``zh`` or ``en``, as the field test names them."""
    return "zh" if str(get_locale()).startswith("zh") else "en"


def said(name: str, **values: object) -> str:
    """One of the page's sentences."""
    return PAGE[name].in_(language()).format(**values)


def tell(words: Words | None) -> str:
    return words.in_(language()) if words is not None else ""
