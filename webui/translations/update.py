"""``python -m webui.translations.update``: collects the page's sentences into the Chinese catalogue and compiles it.

New sentences come in untranslated; a test refuses the catalogue until somebody has translated them.
"""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PAGE = Path(__file__).parents[1]
CATALOGUE = Path(__file__).parent / "zh_Hans_CN" / "LC_MESSAGES" / "messages.po"
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]


def collected() -> Catalog:
    """Every sentence that the page's code and templates hand to ``_`` or ``ngettext``."""
    found = Catalog()
    for file, _line, message, comments, context in sorted(
        extract_from_dir(PAGE, _METHODS, comment_tags=("i18n:",)), key=lambda hit: (str(hit[2]), hit[0])
    ):
        found.add(message, None, [(f"webui/{file}", 1)], auto_comments=comments, context=context)
    return found


def load(path: Path = CATALOGUE) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans_CN")


def compiled(catalogue: Catalog) -> bytes:
    """The ``.mo`` file that belongs to ``catalogue``."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main() -> None:
    catalogue = load()
    catalogue.update(collected(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    with CATALOGUE.open("wb") as file:
        write_po(
            file, catalogue, width=120, sort_output=True, no_location=True, omit_header=False, ignore_obsolete=True
        )
    CATALOGUE.with_suffix(".mo").write_bytes(compiled(catalogue))


if __name__ == "__main__":
    main()
