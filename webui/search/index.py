"""search.db: what the list filters by and the pieces of its texts, made from the recorder's database, anew at any time.

It lies beside the page's cache, so that neither its size nor its upkeep ever stands in the recorder's way.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from firmware.errors import StoreError
from firmware.store.database import open_reader
from webui.search.grams import grams, normal
from webui.search.places import place

log = logging.getLogger("offhook.web.search")

_VERSION = "1"
_BATCH = 2000
_OPEN = ("ringing", "dialing", "talking", "suspended")
_SCHEMA = """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE entry (
        n INTEGER PRIMARY KEY,
        call_id TEXT NOT NULL UNIQUE,
        line TEXT NOT NULL,
        direction TEXT NOT NULL,
        state TEXT NOT NULL,
        review INTEGER NOT NULL,
        text TEXT NOT NULL,
        facets TEXT NOT NULL
    ) STRICT;
    CREATE INDEX entry_line_state ON entry (line, state, n);
    CREATE INDEX entry_line ON entry (line, n);
    CREATE INDEX entry_state ON entry (state, n);
    CREATE INDEX entry_review ON entry (n) WHERE review = 1;
    CREATE INDEX entry_line_review ON entry (line, n) WHERE review = 1;
    CREATE VIRTUAL TABLE words USING fts5 (grams, facets, content='', tokenize="unicode61 remove_diacritics 0");
"""
_CALL = """
    SELECT call.rowid AS number_in_order, call.id, call.line, direction, coalesce(outcome, status) AS state, number,
        name, number_e164, boot_no, started_boot_ns,
        (SELECT text FROM call_note WHERE call_id = call.id) AS note,
        (SELECT group_concat(tag, char(10)) FROM call_tag WHERE call_id = call.id) AS tags,
        EXISTS (SELECT 1 FROM call_review WHERE call_id = call.id) AS reviewed,
        EXISTS (SELECT 1 FROM call_protection WHERE call_id = call.id) AS protected
    FROM call
"""


def facet(kind: str, value: str) -> str:
    """One word that FTS5 leaves whole, for a value in any script."""
    return kind + value.encode().hex()


class SearchIndex:
    """Safe to call from any thread; one writes at a time."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        self._data_dir = data_dir
        self._path = folder / "search.db"
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """For the length of a request. Raises `StoreError` when there is no index and none can be made."""
        if not self._path.exists():
            self.catch_up(0.0)
        try:
            connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
        except sqlite3.Error as error:
            raise StoreError(f"the search index cannot be opened ({error})") from error
        try:
            yield connection
        except sqlite3.Error as error:
            raise StoreError(f"the search index cannot be read ({error})") from error
        finally:
            connection.close()

    def catch_up(self, budget_s: float) -> bool:
        """Takes in what changed since last time. False when there is more than ``budget_s`` allowed for.

        Raises `StoreError` when the database cannot be read or the index cannot be written.
        """
        end_s = time.monotonic() + budget_s
        with self._lock:
            try:
                index = self._open()
                calls = open_reader(self._data_dir / "offhook.db").conn
                calls.row_factory = sqlite3.Row
                try:
                    return self._follow(index, calls, end_s)
                finally:
                    calls.close()
            except (sqlite3.Error, OSError) as error:
                self._forget()
                raise StoreError(f"the search index cannot be written ({error}); check the free space") from error

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _follow(self, index: sqlite3.Connection, calls: sqlite3.Connection, end_s: float) -> bool:
        self._begin_anew_if_other(index, calls)
        changed = _meta(index, "annotation", 0)
        marks = ", ".join("?" * len(_OPEN))
        ids = {row[0] for row in index.execute(f"SELECT call_id FROM entry WHERE state IN ({marks})", _OPEN)}  # noqa: S608
        newest = changed
        for row in calls.execute("SELECT n, call_id FROM annotation WHERE n > ? ORDER BY n", (changed,)):
            ids.add(row["call_id"])
            newest = row["n"]
        if ids or newest != changed:
            for some in _some(sorted(ids)):
                rows = calls.execute(f"{_CALL} WHERE call.id IN ({', '.join('?' * len(some))})", some).fetchall()
                with index:
                    for row in rows:
                        _put(index, row)
            with index:
                _set_meta(index, "annotation", newest)
        while True:
            last = _meta(index, "call", 0)
            rows = calls.execute(f"{_CALL} WHERE call.rowid > ? ORDER BY call.rowid LIMIT {_BATCH}", (last,)).fetchall()
            if not rows:
                return True
            with index:
                for row in rows:
                    _put(index, row)
                _set_meta(index, "call", rows[-1]["number_in_order"])
            if len(rows) < _BATCH:
                return True
            if time.monotonic() > end_s:
                return False

    def _begin_anew_if_other(self, index: sqlite3.Connection, calls: sqlite3.Connection) -> None:
        """A database that was replaced or restored has other rows under the same numbers."""
        epoch = str(calls.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])
        newest = calls.execute("SELECT max(rowid) FROM call").fetchone()[0] or 0
        last = calls.execute("SELECT id FROM call WHERE rowid = ?", (_meta(index, "call", 0),)).fetchone()
        same = _text_meta(index, "epoch") in ("", epoch) and _meta(index, "call", 0) <= newest
        same = same and (last is None or _knows(index, last["id"]))
        if same and _text_meta(index, "epoch"):
            return
        with index:
            index.execute("DELETE FROM entry")
            index.execute("INSERT INTO words (words) VALUES ('delete-all')")
            index.execute("DELETE FROM meta WHERE key IN ('call', 'annotation')")
            index.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (epoch,))

    def _open(self) -> sqlite3.Connection:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._path.exists() and not _is_ours(self._path):
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            fresh = not self._path.exists()
            self._path.touch(mode=0o600)
            self._writer = sqlite3.connect(self._path, check_same_thread=False, timeout=5.0)
            self._writer.execute("PRAGMA journal_mode = WAL")
            # It is made again from the database if a power cut spoils it.
            self._writer.execute("PRAGMA synchronous = OFF")
            if fresh:
                self._writer.executescript(_SCHEMA)
                with self._writer:
                    self._writer.execute("INSERT INTO meta VALUES ('version', ?)", (_VERSION,))
        return self._writer

    def _forget(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None


def _put(index: sqlite3.Connection, call: sqlite3.Row) -> None:
    tags = (call["tags"] or "").split("\n") if call["tags"] else []
    text = " ".join(filter(None, (normal(part or "") for part in (
        call["number"], call["number_e164"] if call["number_e164"] != call["number"] else None, call["name"],
        call["note"], *tags,
    ))))  # fmt: skip
    facets = [facet("l", call["line"]), facet("d", call["direction"]), facet("s", call["state"])]
    facets += [facet("t", tag.casefold()) for tag in tags]
    review = call["state"] in ("answered", "unsupervised") and not call["reviewed"]
    flags = {"note": call["note"], "tag": tags, "protected": call["protected"]}
    facets += [facet("h", name) for name, there in flags.items() if there]
    facets += [facet("r", "")] if review else []
    values = (call["line"], call["direction"], call["state"], int(review), text, " ".join(facets))
    known = index.execute(
        "SELECT n, line, direction, state, review, text, facets FROM entry WHERE call_id = ?", (call["id"],)
    ).fetchone()
    if known is not None:
        n, *old = known
        if tuple(old) == values:
            return
        index.execute(
            "INSERT INTO words (words, rowid, grams, facets) VALUES ('delete', ?, ?, ?)", (n, grams(old[4]), old[5])
        )
        index.execute(
            "UPDATE entry SET line = ?, direction = ?, state = ?, review = ?, text = ?, facets = ? WHERE n = ?",
            (*values, n),
        )
    else:
        n = place(call["boot_no"], call["started_boot_ns"])
        while index.execute("SELECT 1 FROM entry WHERE n = ?", (n,)).fetchone() is not None:
            n += 1
        index.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (n, call["id"], *values))
    index.execute("INSERT INTO words (rowid, grams, facets) VALUES (?, ?, ?)", (n, grams(text), values[5]))


def _is_ours(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path, timeout=5.0)
        try:
            return _text_meta(connection, "version") == _VERSION
        finally:
            connection.close()
    except sqlite3.Error as error:
        log.warning("the search index is made anew: %s", error)
        return False


def _knows(index: sqlite3.Connection, call: str) -> bool:
    return index.execute("SELECT 1 FROM entry WHERE call_id = ?", (call,)).fetchone() is not None


def _meta(index: sqlite3.Connection, key: str, default: int) -> int:
    return int(_text_meta(index, key) or default)


def _text_meta(index: sqlite3.Connection, key: str) -> str:
    row = index.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return "" if row is None else str(row[0])


def _set_meta(index: sqlite3.Connection, key: str, value: int) -> None:
    index.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, str(value)))


def _some(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(ids), 500):
        yield ids[start : start + 500]
