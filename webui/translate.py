"""The page's two translating functions, typed; `pybabel extract` knows them by their names."""

from __future__ import annotations

from flask_babel import gettext
from flask_babel import ngettext as _ngettext


def _(sentence: str, **values: object) -> str:
    """``sentence`` in the language of this request, with ``%(name)s`` filled in."""
    return str(gettext(sentence, **values))


def ngettext(one: str, many: str, num: int, **values: object) -> str:
    """As `_`, for a sentence that counts ``num`` things."""
    return str(_ngettext(one, many, num, **values))
