"""The audit log: who signed in, listened, exported, changed and deleted. Entries are added, never changed.

Each entry carries SHA-256(previous link, entry), so that a changed, moved or missing entry shows. What cuts off the end
of the chain cannot be seen from the chain alone: exports and the page name the newest link, to be compared with.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from webui.users.store import UserStore

FIRST_LINK = "0" * 64
PAGE_SIZE = 100
_AT_ONCE = 1000
_COLUMNS = "n, at_utc_ms, actor, address, action, object, detail, link"


class Action(StrEnum):
    """What is worth remembering for ever."""

    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNED_OUT = "signed_out"
    LISTENED = "listened"
    LISTENED_IN = "listened_in"
    EXPORTED = "exported"
    ANNOTATED = "annotated"
    PROTECTED = "protected"
    UNPROTECTED = "unprotected"
    DELETED = "deleted"
    DIALLED = "dialled"
    SETTINGS_CHANGED = "settings_changed"
    RETENTION_DECIDED = "retention_decided"
    ALARM_ACKNOWLEDGED = "alarm_acknowledged"
    USER_ADDED = "user_added"
    USER_CHANGED = "user_changed"
    USER_REMOVED = "user_removed"
    ROLE_CHANGED = "role_changed"
    DEPARTMENT_CHANGED = "department_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  the name of an event
    SECOND_FACTOR_CHANGED = "second_factor_changed"
    SESSION_ENDED = "session_ended"
    TOKEN_MADE = "token_made"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    SYSTEM = "system"
    """Updates, backups, restores, support bundles, restarts."""


@dataclass(frozen=True, slots=True)
class Entry:
    n: int
    at_utc_ms: int
    actor: str
    address: str
    action: str
    object: str
    detail: Mapping[str, Any]
    link: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading the whole chain found."""

    entries: int
    newest_link: str
    broken_at: int | None
    """The first entry that is not as it was written, or whose neighbour is missing; ``None``: the chain is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries a reader asks for; empty: all."""

    actor: str = ""
    action: str = ""
    object: str = ""
    since_utc_ms: int | None = None
    until_utc_ms: int | None = None
    before_n: int | None = None


class AuditLog:
    """Writes and reads the log; safe to call from any thread."""

    def __init__(self, users: UserStore) -> None:
        self._users = users

    def record(
        self,
        action: str,
        object_: str = "",
        *,
        actor: str,
        address: str = "",
        detail: Mapping[str, Any] | None = None,
        at_utc_ms: int | None = None,
    ) -> None:
        """Adds one entry; it is on the disk when this returns."""
        entry = (
            time.time_ns() // 1_000_000 if at_utc_ms is None else at_utc_ms,
            actor[:200],
            address[:64],
            str(action),
            object_[:200],
            json.dumps(detail or {}, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        )
        with self._users.transaction() as conn:
            last = conn.execute("SELECT n, link FROM audit ORDER BY n DESC LIMIT 1").fetchone()
            n, link = (1, FIRST_LINK) if last is None else (int(last[0]) + 1, str(last[1]))
            conn.execute(
                f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (n, *entry, _link(link, n, entry)),
            )

    def entries(self, wanted: Wanted = Wanted(), *, limit: int = PAGE_SIZE) -> list[Entry]:
        """The newest first."""
        where, values = _conditions(wanted)
        with self._users.transaction() as conn:
            rows = conn.execute(
                f"SELECT {_COLUMNS} FROM audit {where} ORDER BY n DESC LIMIT ?",  # noqa: S608  our own words
                (*values, limit),
            ).fetchall()
        return [_entry(row) for row in rows]

    def every(self, wanted: Wanted = Wanted()) -> Iterator[Entry]:
        """All that fit, the newest first, read piece by piece."""
        before = wanted.before_n
        while True:
            some = self.entries(
                Wanted(
                    actor=wanted.actor,
                    action=wanted.action,
                    object=wanted.object,
                    since_utc_ms=wanted.since_utc_ms,
                    until_utc_ms=wanted.until_utc_ms,
                    before_n=before,
                ),
                limit=_AT_ONCE,
            )
            yield from some
            if len(some) < _AT_ONCE:
                return
            before = some[-1].n

    def verify(self) -> Verdict:
        """Reads the chain from its start."""
        link, count, after = FIRST_LINK, 0, 0
        while True:
            with self._users.transaction() as conn:
                rows = conn.execute(
                    f"SELECT {_COLUMNS} FROM audit WHERE n > ? ORDER BY n LIMIT ?",  # noqa: S608
                    (after, _AT_ONCE),
                ).fetchall()
            for row in rows:
                count += 1
                if int(row[0]) != count or _link(link, int(row[0]), row[1:7]) != row[7]:
                    return Verdict(count, link, broken_at=count)
                link = str(row[7])
            if len(rows) < _AT_ONCE:
                return Verdict(count, link, broken_at=None)
            after = int(rows[-1][0])


def _link(previous: str, n: int, entry: Sequence[object]) -> str:
    body = json.dumps([previous, n, *entry], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def _conditions(wanted: Wanted) -> tuple[str, list[object]]:
    tests: list[tuple[str, object]] = []
    if wanted.actor:
        tests.append(("actor = ? COLLATE NOCASE", wanted.actor))
    if wanted.action:
        tests.append(("action = ?", wanted.action))
    if wanted.object:
        tests.append(("instr(object, ?) > 0", wanted.object))
    if wanted.since_utc_ms is not None:
        tests.append(("at_utc_ms >= ?", wanted.since_utc_ms))
    if wanted.until_utc_ms is not None:
        tests.append(("at_utc_ms < ?", wanted.until_utc_ms))
    if wanted.before_n is not None:
        tests.append(("n < ?", wanted.before_n))
    where = "WHERE " + " AND ".join(test for test, _ in tests) if tests else ""
    return where, [value for _, value in tests]


def _entry(row: Sequence[Any]) -> Entry:
    values = list(row)
    values[6] = json.loads(values[6])
    return Entry(*values)
