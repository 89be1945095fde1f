"""web.db: users and their sessions. Only the page's process opens it."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from firmware.errors import ConflictError, StoreError
from webui.permissions import Permission
from webui.users.migrations import migrations
from webui.users.passwords import hash_password, verify_password
from webui.users.roles import OWN_LINES, PRESETS, known_permissions, permissions_of

SESSION_IDLE_S = 8 * 3600
SESSION_LONGEST_S = 7 * 86400
_TOUCH_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in. The properties are what Flask-Login asks of a user."""

    id: int
    name: str
    role: str
    permissions: frozenset[Permission]
    lines: frozenset[str] | None = None
    """The lines whose calls she sees; ``None`` is all of them."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        return str(self.id)

    def may(self, permission: str) -> bool:
        """Whether her role gives ``permission`` (a `Permission` or its value)."""
        return permission in self.permissions

    def sees_line(self, line: str) -> bool:
        return self.lines is None or line in self.lines


class UserStore:
    """Users, sessions and the page's own secrets; safe to call from any thread."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the database at ``path``, mode 0600. Raises `StoreError` when it cannot be used."""
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            self._conn = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
            self._conn.execute("PRAGMA journal_mode = WAL")
            self._conn.execute("PRAGMA foreign_keys = ON")
            migrations.apply(Database(self._conn))
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"{path}: cannot open the users' database ({error}); check the disk and the rights"
            ) from error
        self._conn.commit()

    def close(self) -> None:
        with self._lock:
            self._conn.close()

    def secret(self, key: str) -> str | None:
        with self._lock:
            row = self._conn.execute("SELECT value FROM secret WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_secret(self, key: str, value: str) -> None:
        with self._lock, self._conn:
            self._conn.execute("INSERT OR REPLACE INTO secret (key, value) VALUES (?, ?)", (key, value))

    def cookie_key(self) -> str:
        """The key that signs cookies, made at the first call and kept."""
        with self._lock, self._conn:
            self._conn.execute(
                "INSERT OR IGNORE INTO secret (key, value) VALUES ('cookie_key', ?)", (secrets.token_urlsafe(32),)
            )
            return str(self._conn.execute("SELECT value FROM secret WHERE key = 'cookie_key'").fetchone()[0])

    def has_users(self) -> bool:
        with self._lock:
            return self._conn.execute("SELECT 1 FROM user LIMIT 1").fetchone() is not None

    def add_first_admin(self, name: str, password: str) -> User:
        """The first user, and the end of the first-run code. Raises `ConflictError` when there is a user already."""
        password_hash = hash_password(password)
        with self._lock, self._conn:
            added = self._conn.execute(
                "INSERT INTO user (name, password_hash, role, created_utc_ms) "
                "SELECT ?, ?, 'admin', ? WHERE NOT EXISTS (SELECT 1 FROM user)",
                (name, password_hash, _now_ms()),
            )
            if added.rowcount != 1:
                raise ConflictError("the admin account exists already; log in with it")
            self._conn.execute("DELETE FROM secret WHERE key = 'first_run_code'")
            made = self._user(int(added.lastrowid or 0))
            assert made is not None
            return made

    def check_password(self, name: str, password: str) -> User | None:
        """The user, when the password is right. Takes as long for a name that does not exist."""
        with self._lock:
            row = self._conn.execute(
                "SELECT id, password_hash FROM user WHERE name = ? AND disabled = 0", (name,)
            ).fetchone()
        if not verify_password(None if row is None else row[1], password):
            return None
        return self.user(row[0])

    def user(self, user_id: int) -> User | None:
        """The user with what she may do now; ``None`` when she is gone or shut out."""
        with self._lock:
            return self._user(user_id)

    def _user(self, user_id: int) -> User | None:
        row = self._conn.execute(
            "SELECT u.id, u.name, u.role, r.permissions, r.own_lines FROM user u LEFT JOIN role r ON r.name = u.role "
            "WHERE u.id = ? AND u.disabled = 0",
            (user_id,),
        ).fetchone()
        if row is None:
            return None
        of_her_own = row[3] is not None and row[2] not in PRESETS
        permissions = known_permissions(row[3]) if of_her_own else permissions_of(row[2])
        lines = None
        if bool(row[4]) if of_her_own else row[2] in OWN_LINES:
            found = self._conn.execute(
                "SELECT line FROM user_line WHERE user_id = ? UNION SELECT l.line FROM department_line l "
                "JOIN user u ON u.department_id = l.department_id WHERE u.id = ?",
                (user_id, user_id),
            )
            lines = frozenset(str(each[0]) for each in found)
        return User(id=row[0], name=row[1], role=row[2], permissions=permissions, lines=lines)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one piece of work that is committed at its end or undone."""
        with self._lock, self._conn:
            yield self._conn

    def note(self, key: str) -> str | None:
        """What the page remembers of the box under ``key``."""
        with self._lock:
            row = self._conn.execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_note(self, key: str, value: str | None) -> None:
        """``None`` forgets it."""
        with self._lock, self._conn:
            if value is None:
                self._conn.execute("DELETE FROM note WHERE key = ?", (key,))
            else:
                self._conn.execute("INSERT OR REPLACE INTO note (key, value) VALUES (?, ?)", (key, value))

    def open_session(self, user: User, *, address: str, agent: str) -> str:
        """The token of a new session; only its hash is kept."""
        token = secrets.token_urlsafe(32)
        now_ms = _now_ms()
        with self._lock, self._conn:
            self._conn.execute(
                "DELETE FROM session WHERE seen_utc_ms < ? OR created_utc_ms < ?",
                (now_ms - SESSION_IDLE_S * 1000, now_ms - SESSION_LONGEST_S * 1000),
            )
            self._conn.execute(
                "INSERT INTO session (token_sha256, user_id, created_utc_ms, seen_utc_ms, address, agent) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (token_digest(token), user.id, now_ms, now_ms, address[:64], agent[:256]),
            )
            self._conn.execute("UPDATE user SET last_login_utc_ms = ? WHERE id = ?", (now_ms, user.id))
        return token

    def session_user(self, token: str) -> User | None:
        """The user of a live session, which counts as being used now."""
        digest, now_ms = token_digest(token), _now_ms()
        with self._lock:
            row = self._conn.execute(
                "SELECT user_id, created_utc_ms, seen_utc_ms FROM session WHERE token_sha256 = ?",
                (digest,),
            ).fetchone()
            if row is None:
                return None
            if now_ms - row[2] > SESSION_IDLE_S * 1000 or now_ms - row[1] > SESSION_LONGEST_S * 1000:
                return None
            if abs(now_ms - row[2]) > _TOUCH_EVERY_MS:
                with self._conn:
                    self._conn.execute("UPDATE session SET seen_utc_ms = ? WHERE token_sha256 = ?", (now_ms, digest))
            return self._user(row[0])

    def close_session(self, token: str) -> None:
        with self._lock, self._conn:
            self._conn.execute("DELETE FROM session WHERE token_sha256 = ?", (token_digest(token),))


def token_digest(token: str) -> str:
    """What of a session's token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
