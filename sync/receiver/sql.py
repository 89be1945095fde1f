"""The few words of SQL in which SQLite and PostgreSQL differ, so that every statement stands here once for both."""

from __future__ import annotations

import sqlite3
from typing import Any, Protocol


class Rows(Protocol):
    """A connection: statements name their values as ``:name``."""

    def run(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """All rows of the answer; empty for a statement that has none."""

    def named(self, sql: str, **values: object) -> list[dict[str, Any]]:
        """All rows, each with the names of its columns."""


class SqliteRows:
    """`Rows` over SQLite."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def named(self, sql: str, **values: object) -> list[dict[str, Any]]:
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
