"""What an admin does with users, roles and departments. The last admin cannot be lost."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from firmware.errors import ConflictError
from webui.permissions import Permission
from webui.users.passwords import hash_password
from webui.users.roles import OWN_LINES, PRESETS, known_permissions
from webui.users.store import UserStore


class LastAdminError(ConflictError):
    """Without this user nobody could manage users any more."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user as the admin sees her."""

    id: int
    name: str
    role: str
    department_id: int | None
    department: str | None
    disabled: bool
    created_utc_ms: int
    last_login_utc_ms: int | None
    second_factor: bool
    passkeys: int
    sessions: int
    lines: frozenset[str]


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    permissions: frozenset[Permission]
    own_lines: bool
    preset: bool
    users: int


@dataclass(frozen=True, slots=True)
class Department:
    id: int
    name: str
    lines: frozenset[str]
    users: int


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    """Its first digits; the token itself nobody knows but the browser."""
    user_id: int
    user: str
    created_utc_ms: int
    seen_utc_ms: int
    address: str
    agent: str


class People:
    """Safe to call from any thread. Raises `ConflictError` for names that are taken and things that are gone."""

    def __init__(self, users: UserStore) -> None:
        self._users = users

    # --- users ---

    def listed(self) -> list[Person]:
        with self._users.transaction() as conn:
            return self._people(conn, "")

    def one(self, user_id: int) -> Person | None:
        with self._users.transaction() as conn:
            found = self._people(conn, "WHERE u.id = ?", user_id)
        return found[0] if found else None

    def add(self, name: str, password: str, role: str, *, department: int | None = None) -> int:
        password_hash = hash_password(password)
        with self._users.transaction() as conn:
            _check_role(conn, role)
            try:
                cursor = conn.execute(
                    "INSERT INTO user (name, password_hash, role, department_id, created_utc_ms) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (name, password_hash, role, department, time.time_ns() // 1_000_000),
                )
            except sqlite3.IntegrityError as error:
                raise ConflictError(f"a user called {name} exists already") from error
            return int(cursor.lastrowid or 0)

    def change(self, user_id: int, *, role: str, department: int | None, disabled: bool, lines: Iterable[str]) -> None:
        """What she may do and which lines are hers. Her sessions end when she is shut out."""
        with self._users.transaction() as conn:
            _check_role(conn, role)
            conn.execute(
                "UPDATE user SET role = ?, department_id = ?, disabled = ? WHERE id = ?",
                (role, department, disabled, user_id),
            )
            conn.execute("DELETE FROM user_line WHERE user_id = ?", (user_id,))
            conn.executemany("INSERT INTO user_line VALUES (?, ?)", [(user_id, line) for line in sorted(set(lines))])
            if disabled:
                conn.execute("DELETE FROM session WHERE user_id = ?", (user_id,))
            _check_admin_is_left(conn)

    def set_password(self, user_id: int, password: str, *, keep_session: str | None = None) -> None:
        """All her sessions end, but the one whose token hash is given."""
        password_hash = hash_password(password)
        with self._users.transaction() as conn:
            conn.execute("UPDATE user SET password_hash = ? WHERE id = ?", (password_hash, user_id))
            conn.execute("DELETE FROM session WHERE user_id = ? AND token_sha256 IS NOT ?", (user_id, keep_session))

    def remove(self, user_id: int) -> None:
        """Her name stays in the audit log; her sessions, tokens and passkeys go."""
        with self._users.transaction() as conn:
            conn.execute("DELETE FROM user WHERE id = ?", (user_id,))
            _check_admin_is_left(conn)

    # --- roles ---

    def roles(self) -> list[Role]:
        """The presets first."""
        with self._users.transaction() as conn:
            counts = dict(conn.execute("SELECT role, count(*) FROM user GROUP BY role").fetchall())
            own = conn.execute("SELECT name, permissions, own_lines FROM role ORDER BY name").fetchall()
        presets = [
            Role(name, permissions, name in OWN_LINES, preset=True, users=counts.get(name, 0))
            for name, permissions in PRESETS.items()
        ]
        return presets + [
            Role(str(row[0]), known_permissions(row[1]), bool(row[2]), preset=False, users=counts.get(row[0], 0))
            for row in own
        ]

    def save_role(self, name: str, permissions: Iterable[Permission], *, own_lines: bool) -> None:
        """Makes or changes a role of one's own; presets stay as they are."""
        if name.casefold() in PRESETS:
            raise ConflictError(f"{name} is a preset role and stays as it is; choose another name")
        with self._users.transaction() as conn:
            conn.execute(
                "INSERT INTO role (name, permissions, own_lines) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "permissions = excluded.permissions, own_lines = excluded.own_lines",
                (name, json.dumps(sorted(permission.value for permission in permissions)), own_lines),
            )
            _check_admin_is_left(conn)

    def remove_role(self, name: str) -> None:
        with self._users.transaction() as conn:
            if conn.execute("SELECT 1 FROM user WHERE role = ? LIMIT 1", (name,)).fetchone():
                raise ConflictError(f"somebody still has the role {name}; give those users another one first")
            conn.execute("DELETE FROM role WHERE name = ?", (name,))

    # --- departments ---

    def departments(self) -> list[Department]:
        with self._users.transaction() as conn:
            lines: dict[int, set[str]] = {}
            for department, line in conn.execute("SELECT department_id, line FROM department_line"):
                lines.setdefault(department, set()).add(line)
            rows = conn.execute(
                "SELECT d.id, d.name, (SELECT count(*) FROM user u WHERE u.department_id = d.id) FROM department d "
                "ORDER BY d.name"
            ).fetchall()
        return [Department(row[0], row[1], frozenset(lines.get(row[0], ())), row[2]) for row in rows]

    def save_department(self, department: int | None, name: str, lines: Iterable[str]) -> int:
        with self._users.transaction() as conn:
            try:
                if department is None:
                    department = int(conn.execute("INSERT INTO department (name) VALUES (?)", (name,)).lastrowid or 0)
                else:
                    conn.execute("UPDATE department SET name = ? WHERE id = ?", (name, department))
            except sqlite3.IntegrityError as error:
                raise ConflictError(f"a department called {name} exists already") from error
            conn.execute("DELETE FROM department_line WHERE department_id = ?", (department,))
            conn.executemany(
                "INSERT INTO department_line VALUES (?, ?)", [(department, line) for line in sorted(set(lines))]
            )
        return department

    def remove_department(self, department: int) -> None:
        with self._users.transaction() as conn:
            conn.execute("DELETE FROM department WHERE id = ?", (department,))

    # --- sessions ---

    def sessions(self, user_id: int | None = None) -> list[Session]:
        """The most recently used first."""
        with self._users.transaction() as conn:
            rows = conn.execute(
                "SELECT substr(s.token_sha256, 1, 16), s.user_id, u.name, s.created_utc_ms, s.seen_utc_ms, s.address, "
                "s.agent FROM session s JOIN user u ON u.id = s.user_id WHERE ? IS NULL OR s.user_id = ? "
                "ORDER BY s.seen_utc_ms DESC",
                (user_id, user_id),
            ).fetchall()
        return [Session(*row) for row in rows]

    def end_session(self, session: str, *, user_id: int | None = None) -> Session | None:
        """Ends the session with that id, when it is of ``user_id`` (None: of anybody)."""
        found = next((each for each in self.sessions(user_id) if each.id == session), None)
        if found is not None:
            with self._users.transaction() as conn:
                conn.execute("DELETE FROM session WHERE substr(token_sha256, 1, 16) = ?", (session,))
        return found

    def _people(self, conn: sqlite3.Connection, where: str, *values: object) -> list[Person]:
        select = (
            "SELECT u.id, u.name, u.role, u.department_id, d.name, u.disabled, u.created_utc_ms, u.last_login_utc_ms, "
            "u.totp_secret IS NOT NULL, (SELECT count(*) FROM passkey p WHERE p.user_id = u.id), "
            "(SELECT count(*) FROM session s WHERE s.user_id = u.id) FROM user u "
            "LEFT JOIN department d ON d.id = u.department_id"
        )
        rows = conn.execute(f"{select} {where} ORDER BY u.name", values).fetchall()
        lines: dict[int, set[str]] = {}
        for user, line in conn.execute("SELECT user_id, line FROM user_line"):
            lines.setdefault(user, set()).add(line)
        return [
            Person(
                id=row[0],
                name=row[1],
                role=row[2],
                department_id=row[3],
                department=row[4],
                disabled=bool(row[5]),
                created_utc_ms=row[6],
                last_login_utc_ms=row[7],
                second_factor=bool(row[8]),
                passkeys=row[9],
                sessions=row[10],
                lines=frozenset(lines.get(row[0], ())),
            )
            for row in rows
        ]


def _check_role(conn: sqlite3.Connection, role: str) -> None:
    if role not in PRESETS and not conn.execute("SELECT 1 FROM role WHERE name = ?", (role,)).fetchone():
        raise ConflictError(f"there is no role {role}")


def _check_admin_is_left(conn: sqlite3.Connection) -> None:
    own = dict(conn.execute("SELECT name, permissions FROM role").fetchall())
    for (role,) in conn.execute("SELECT role FROM user WHERE disabled = 0"):
        if Permission.USERS in PRESETS.get(role, known_permissions(own.get(role, "[]"))):
            return
    raise LastAdminError("this is the last user who may manage users; give somebody else that right first")
