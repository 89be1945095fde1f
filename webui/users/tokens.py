"""Tokens of programs: shown once, kept as a hash, with scopes and an end."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from webui.users.store import UserStore

PREFIX = "offhook_"


class Scope(StrEnum):
    """What a program may do; never more than the user whose token it is."""

    METRICS = "metrics"
    STATUS = "status"
    CALLS = "calls"
    AUDIO = "audio"
    NOTES = "notes"
    DIAL = "dial"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Token:
    id: int
    name: str
    user_id: int
    user: str
    scopes: frozenset[str]
    created_utc_ms: int
    expires_utc_ms: int | None
    used_utc_ms: int | None
    used_address: str | None

    @property
    def expired(self) -> bool:
        return self.expires_utc_ms is not None and self.expires_utc_ms <= time.time_ns() // 1_000_000


_SELECT = """
    SELECT t.id, t.name, t.user_id, u.name, t.scopes, t.created_utc_ms, t.expires_utc_ms, t.used_utc_ms, t.used_address
    FROM api_token t JOIN user u ON u.id = t.user_id
"""


class Tokens:
    """Makes, finds and revokes tokens; safe to call from any thread."""

    def __init__(self, users: UserStore) -> None:
        self._users = users

    def make(self, user_id: int, name: str, scopes: Iterable[Scope], *, days: int | None) -> str:
        """The token itself; only its hash is kept."""
        token = PREFIX + secrets.token_urlsafe(32)
        now_ms = time.time_ns() // 1_000_000
        with self._users.transaction() as conn:
            conn.execute(
                "INSERT INTO api_token (name, token_sha256, user_id, scopes, created_utc_ms, expires_utc_ms) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    name,
                    _digest(token),
                    user_id,
                    json.dumps(sorted(scope.value for scope in scopes)),
                    now_ms,
                    None if days is None else now_ms + days * 86_400_000,
                ),
            )
        return token

    def listed(self) -> list[Token]:
        with self._users.transaction() as conn:
            return [_token(row) for row in conn.execute(f"{_SELECT} ORDER BY t.id")]

    def find(self, token: str, *, address: str) -> Token | None:
        """The live token; its use is noted, to the minute."""
        now_ms = time.time_ns() // 1_000_000
        with self._users.transaction() as conn:
            row = conn.execute(f"{_SELECT} WHERE t.token_sha256 = ? AND u.disabled = 0", (_digest(token),)).fetchone()
            if row is None:
                return None
            found = _token(row)
            if found.expired:
                return None
            if abs(now_ms - (found.used_utc_ms or 0)) > 60_000:
                conn.execute(
                    "UPDATE api_token SET used_utc_ms = ?, used_address = ? WHERE id = ?",
                    (now_ms, address[:64], found.id),
                )
        return found

    def revoke(self, token_id: int) -> Token | None:
        with self._users.transaction() as conn:
            row = conn.execute(f"{_SELECT} WHERE t.id = ?", (token_id,)).fetchone()
            conn.execute("DELETE FROM api_token WHERE id = ?", (token_id,))
        return None if row is None else _token(row)


def _token(row: tuple[object, ...]) -> Token:
    values = list(row)
    values[4] = frozenset(json.loads(str(values[4])))
    return Token(*values)  # type: ignore[arg-type]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
