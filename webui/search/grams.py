"""Text cut so that FTS5 finds any part of it: three letters or digits at a time, two of Chinese, Japanese or Korean.

FTS5's own tokenizers cannot: unicode61 takes a run of Chinese for one word, trigram finds nothing shorter than three
characters, and most Chinese words have two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

WORDS_AT_MOST = 8
_WORD_LENGTH = 64


def normal(text: str) -> str:
    """As it is indexed and asked for: one form and one case, words apart by single spaces."""
    flat = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in flat).split())


def grams(normal_text: str) -> str:
    """What FTS5 gets of a text: at each place the piece that begins there; a shorter word is found as a prefix."""
    return " ".join(
        run[i : i + size] for word in normal_text.split() for run, size in _runs(word) for i in range(len(run))
    )


def asked(word: str) -> str:
    """One word of a question (out of `normal`) as an FTS5 expression without column."""
    parts = []
    for run, size in _runs(word[:_WORD_LENGTH]):
        if len(run) < size:
            parts.append(f'"{run}" *')
        else:
            parts.append('"' + " ".join(run[i : i + size] for i in range(len(run) - size + 1)) + '"')
    return " AND ".join(parts)


def _runs(word: str) -> Iterator[tuple[str, int]]:
    """Stretches of one kind of script, each with the length of its pieces."""
    start = 0
    for i in range(1, len(word) + 1):
        if i == len(word) or _dense(word[i]) != _dense(word[start]):
            yield word[start:i], 2 if _dense(word[start]) else 3
            start = i


def _dense(character: str) -> bool:
    """Scripts without spaces, from the CJK radicals to the ideographs of plane 3."""
    return "\u2e80" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af" or character >= "\U00020000"
