"""Who may look: one operator account made with a code from the terminal, sessions, and tokens for programs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from firmware.errors import StoreError

MIN_PASSWORD_LENGTH = 10
_MAX_PASSWORD_LENGTH = 1024
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Without letters and digits that look alike."""
_SESSION_S = 12 * 3600
_FREE_FAILURES = 5
_LONGEST_WAIT_S = 900.0

# OWASP password storage cheat sheet, first choice for argon2id: 19 MiB, 2 passes, 1 lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_ONE_AT_A_TIME = threading.Semaphore(2)


class Accounts:
    """``console.db``. Safe to call from any thread. Raises `StoreError` when it cannot be used."""

    def __init__(self, folder: Path) -> None:
        path = folder / "console.db"
        self._code_file = folder / "first-run-code"
        self._lock = threading.Lock()
        try:
            path.touch(mode=0o600, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
            self._connection.executescript(
                """
                PRAGMA journal_mode = WAL;
                CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value TEXT NOT NULL);
                CREATE TABLE IF NOT EXISTS user (name TEXT PRIMARY KEY, password TEXT NOT NULL);
                CREATE TABLE IF NOT EXISTS session (token TEXT PRIMARY KEY, user TEXT NOT NULL, until_s REAL NOT NULL);
                CREATE TABLE IF NOT EXISTS token (sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, made_s REAL NOT NULL);
                """
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open {path}: {error}; check the disk and the rights") from error
        self._failures: dict[str, tuple[int, float]] = {}

    def close(self) -> None:
        self._connection.close()

    def cookie_key(self) -> str:
        """Signs cookies; made once."""
        self._write("INSERT OR IGNORE INTO secret VALUES ('cookie', ?)", secrets.token_urlsafe(32))
        return str(self._one("SELECT value FROM secret WHERE name = 'cookie'"))

    def has_user(self) -> bool:
        return self._one("SELECT 1 FROM user") is not None

    def first_run_code(self) -> str | None:
        """What the terminal shows until there is an account; the same after a restart."""
        if self.has_user():
            self._code_file.unlink(missing_ok=True)
            return None
        if self._code_file.exists():
            return self._code_file.read_text().strip()
        code = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(3))
        self._code_file.touch(mode=0o600)
        self._code_file.write_text(code + "\n")
        return code

    def make_user(self, name: str, password: str, code: str) -> bool:
        """The first account, for whoever read the code. False: another code, or there is an account."""
        wanted = self.first_run_code()
        if wanted is None or not hmac.compare_digest(_plain(wanted).encode(), _plain(code).encode()):
            return False
        with _ONE_AT_A_TIME:
            digest = _HASHER.hash(password)
        with self._lock:
            made = self._connection.execute(
                "INSERT INTO user SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM user)", (name, digest)
            ).rowcount
        self._code_file.unlink(missing_ok=True)
        return made == 1

    def check(self, name: str, password: str) -> bool:
        """As slow for a name that is not there."""
        digest = self._one("SELECT password FROM user WHERE name = ?", name)
        with _ONE_AT_A_TIME:
            try:
                _HASHER.verify(str(digest) if digest else _HASHER.hash("nobody"), password[:_MAX_PASSWORD_LENGTH])
            except (VerificationError, InvalidHashError):
                return False
        return digest is not None

    def open_session(self, name: str) -> str:
        token = secrets.token_urlsafe(32)
        self._write("DELETE FROM session WHERE until_s < ?", time.time())
        self._write("INSERT INTO session VALUES (?, ?, ?)", _digest(token), name, time.time() + _SESSION_S)
        return token

    def session_user(self, token: str) -> str | None:
        found = self._one("SELECT user FROM session WHERE token = ? AND until_s > ?", _digest(token), time.time())
        return str(found) if found else None

    def close_session(self, token: str) -> None:
        self._write("DELETE FROM session WHERE token = ?", _digest(token))

    def make_token(self, name: str) -> str:
        """For a program; shown once, only its hash is kept."""
        token = "ohr_" + secrets.token_urlsafe(32)
        self._write("INSERT INTO token VALUES (?, ?, ?)", _digest(token), name, time.time())
        return token

    def knows_token(self, token: str) -> bool:
        return self._one("SELECT 1 FROM token WHERE sha256 = ?", _digest(token)) is not None

    # --- guessing costs time ----------------------------------------------------------------------------------------

    def wait_s(self, address: str) -> float:
        """Seconds until ``address`` may try again."""
        with self._lock:
            return max(0.0, self._failures.get(address, (0, 0.0))[1] - time.monotonic())

    def failed(self, address: str) -> None:
        with self._lock:
            count = self._failures.get(address, (0, 0.0))[0] + 1
            beyond = count - _FREE_FAILURES
            wait_s = min(_LONGEST_WAIT_S, 15.0 * 2 ** min(beyond, 10)) if beyond >= 0 else 0.0
            if len(self._failures) > 4096:
                self._failures.clear()
            self._failures[address] = (count, time.monotonic() + wait_s)

    def succeeded(self, address: str) -> None:
        with self._lock:
            self._failures.pop(address, None)

    def _one(self, sql: str, *parameters: object) -> object | None:
        with self._lock:
            row = self._connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def _write(self, sql: str, *parameters: object) -> None:
        with self._lock:
            self._connection.execute(sql, parameters)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _plain(code: str) -> str:
    return "".join(character for character in code.upper() if character.isalnum())
