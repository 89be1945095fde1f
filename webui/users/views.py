"""Saved views: a filter of the call list under a name, each person's own."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.errors import ConflictError
from webui.users.store import UserStore

VIEWS_AT_MOST = 30
NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class View:
    id: int
    name: str
    query: str
    """As it stands in the address after the question mark."""


class Views:
    def __init__(self, users: UserStore) -> None:
        self._users = users

    def of(self, user: int) -> list[View]:
        with self._users.transaction() as web:
            rows = web.execute("SELECT id, name, query FROM view WHERE user_id = ? ORDER BY name", (user,)).fetchall()
        return [View(*row) for row in rows]

    def save(self, user: int, name: str, query: str) -> None:
        """A name that is there already gets the new filter. Raises `ConflictError` when there are too many."""
        with self._users.transaction() as web:
            count = web.execute("SELECT count(*) FROM view WHERE user_id = ? AND name <> ?", (user, name)).fetchone()[0]
            if count >= VIEWS_AT_MOST:
                raise ConflictError(f"at most {VIEWS_AT_MOST} views; remove one first")
            web.execute(
                "INSERT INTO view (user_id, name, query) VALUES (?, ?, ?) "
                "ON CONFLICT (user_id, name) DO UPDATE SET query = excluded.query",
                (user, name, query),
            )

    def remove(self, user: int, view: int) -> None:
        with self._users.transaction() as web:
            web.execute("DELETE FROM view WHERE user_id = ? AND id = ?", (user, view))
