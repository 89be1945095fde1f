"""Asks the index: which calls, in which order, how many. Every query walks an index in the list's own order."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webui.search.filters import CallFilter
from webui.search.grams import WORDS_AT_MOST, asked, normal
from webui.search.index import facet

PAGE_SIZE = 50
COUNTED_AT_MOST = 10_000
"""Beyond it the page says "more than"; counting a million rows would take longer than finding the fifty."""


@dataclass(frozen=True, slots=True)
class Question:
    """A filter, with what only the box knows: who sees which lines, what lines are called, a period in places."""

    filter: CallFilter
    stretches: Sequence[tuple[int, int]] | None = None
    """Places asked for; ``None``: all. Empty: none."""
    lines: frozenset[str] | None = None
    """The lines this person sees; ``None``: all."""
    labels: Mapping[str, str] | None = None
    """Line → label, so that a line is found by what people call it."""

    @property
    def wanted_lines(self) -> frozenset[str] | None:
        if not self.filter.line:
            return self.lines
        wanted = frozenset(self.filter.line)
        return wanted if self.lines is None else wanted & self.lines


def page(index: sqlite3.Connection, question: Question, *, at: int | None, number: int) -> tuple[list[str], int]:
    """Ids of one page (from 1) of the calls not newer than ``at``, one more than fits; and the newest place."""
    newest = index.execute("SELECT max(n) FROM entry").fetchone()[0] or 0
    sql, values = _select(question, newest if at is None else at)
    if sql is None:
        return [], newest
    rows = index.execute(
        f"{sql} ORDER BY 2 DESC LIMIT {PAGE_SIZE + 1} OFFSET {max(0, number - 1) * PAGE_SIZE}", values
    ).fetchall()
    return [str(row[0]) for row in rows], newest


def count(index: sqlite3.Connection, question: Question, *, at: int | None = None) -> int:
    """How many calls there are, at most one more than `COUNTED_AT_MOST`."""
    sql, values = _select(question, at)
    if sql is None:
        return 0
    return int(index.execute(f"SELECT count(*) FROM ({sql} LIMIT {COUNTED_AT_MOST + 1})", values).fetchone()[0])  # noqa: S608


def everything(index: sqlite3.Connection, question: Question, *, at_most: int) -> list[str]:
    """Ids of all calls, newest first, up to ``at_most``."""
    sql, values = _select(question, None)
    if sql is None:
        return []
    return [str(row[0]) for row in index.execute(f"{sql} ORDER BY 2 DESC LIMIT {at_most:d}", values)]


def neighbours(index: sqlite3.Connection, question: Question, call: str) -> tuple[str | None, str | None]:
    """The next newer and the next older call of the same list."""
    row = index.execute("SELECT n FROM entry WHERE call_id = ?", (call,)).fetchone()
    sql, values = _select(question, None)
    if row is None or sql is None:
        return None, None
    found = []
    for sign, order in ((">", "ASC"), ("<", "DESC")):
        place = "words.rowid" if "words" in sql else "n"
        glue = "AND" if "WHERE" in sql else "WHERE"
        hit = index.execute(f"{sql} {glue} {place} {sign} ? ORDER BY 2 {order} LIMIT 1", (*values, row[0])).fetchone()
        found.append(None if hit is None else str(hit[0]))
    return found[0], found[1]


def _select(question: Question, at: int | None) -> tuple[str | None, list[object]]:
    """SELECT of (call id, place) without order; ``None`` when nothing can be found."""
    lines = question.wanted_lines
    nothing_readable = bool(question.filter.q) and not normal(question.filter.q)
    if (lines is not None and not lines) or question.stretches == [] or nothing_readable:
        return None, []
    match = _match(question)
    where, values = [], list[object]()
    if match is not None:
        place = "words.rowid"
        where.append("words MATCH ?")
        values.append(match)
    else:
        place = "n"
        _plain(question, where, values)
    if at is not None:
        where.append(f"{place} <= ?")
        values.append(at)
    if question.stretches is not None:
        first, last = question.stretches[0][0], question.stretches[-1][1]
        where.append(f"{place} BETWEEN ? AND ?")
        values += [first, last]
        if len(question.stretches) > 1:
            where.append("(" + " OR ".join(f"{place} BETWEEN ? AND ?" for _ in question.stretches) + ")")
            values += [bound for stretch in question.stretches for bound in stretch]
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    if match is not None:
        return f"SELECT call_id, words.rowid FROM words JOIN entry ON entry.n = words.rowid {condition}", values  # noqa: S608
    return f"SELECT call_id, n FROM entry {condition}", values  # noqa: S608


def _plain(question: Question, where: list[str], values: list[object]) -> None:
    """Without text: columns with an index that is in the list's order already."""
    wanted = question.filter
    for column, value in (("state", _state(wanted)), ("direction", wanted.direction)):
        if value:
            where.append(f"{column} = ?" if column == "state" else f"+{column} = ?")
            values.append(value)
    if wanted.tab == "review":
        where.append("review = 1")
    if question.wanted_lines is not None:
        lines = sorted(question.wanted_lines)
        marks = ", ".join("?" * len(lines))
        # One line has an index in order; of several the rows are picked out while walking through all.
        where.append(f"line = {marks}" if len(lines) == 1 else f"+line IN ({marks})")
        values += lines


def _state(wanted: CallFilter) -> str:
    return "missed" if wanted.tab == "missed" else wanted.result


def _match(question: Question) -> str | None:
    """An FTS5 expression, when the filter needs one."""
    wanted = question.filter
    words = normal(wanted.q).split()[:WORDS_AT_MOST]
    if not (words or wanted.tag or wanted.has):
        return None
    labels = {line: normal(label) for line, label in (question.labels or {}).items()}
    parts = []
    for word in words:
        called_so = [facet("l", line) for line, label in labels.items() if word in label]
        text = f"grams : ({asked(word)})"
        parts.append(f"({text} OR facets : ({_any(called_so)}))" if called_so else text)
    facets = [_any([facet(kind, value)]) for kind, value in (
        ("t", wanted.tag.casefold()), ("h", wanted.has), ("d", wanted.direction), ("s", _state(wanted)),
    ) if value]  # fmt: skip
    if wanted.tab == "review":
        facets.append(_any([facet("r", "")]))
    if question.wanted_lines is not None:
        facets.append(_any(sorted(facet("l", line) for line in question.wanted_lines)))
    return " AND ".join([*parts, *(f"facets : ({each})" for each in facets)])


def _any(words: Sequence[str]) -> str:
    return " OR ".join(f'"{word}"' for word in words)
