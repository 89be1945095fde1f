"""A backup of what people set up: settings, users, roles and departments, encrypted with a passphrase.

Calls and recordings are not in it: the cloud, `offhook export` and the box's own nightly copy keep those. Its form:
``OFFHOOK1``, 16 bytes of salt, 12 of nonce, then AES-256-GCM over a JSON document; the key by scrypt.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from firmware.errors import OffhookError
from webui.users.store import UserStore

MAGIC = b"OFFHOOK1"
AT_MOST_BYTES = 4 * 1024 * 1024
_TABLES = {
    "role": ("name", "permissions", "own_lines"),
    "department": ("id", "name"),
    "department_line": ("department_id", "line"),
    "user": ("id", "name", "password_hash", "role", "created_utc_ms", "department_id", "disabled", "totp_secret"),
    "user_line": ("user_id", "line"),
    "recovery_code": ("user_id", "code_hash"),
}
"""In the order their references need. Sessions, tokens and passkeys stay with the box they were made for."""


class BackupError(OffhookError):
    """The file is no backup, or the passphrase is another one, or it was changed."""


@dataclass(frozen=True, slots=True)
class Backup:
    settings: str
    people: dict[str, list[list[Any]]]
    made_utc_ms: int
    box: str


def make(users: UserStore, *, settings: str, box: str, passphrase: str) -> bytes:
    """The whole file."""
    people: dict[str, list[list[Any]]] = {}
    with users.transaction() as conn:
        for table, columns in _TABLES.items():
            rows = conn.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608  our own names
            people[table] = [list(row) for row in rows]
    document = {"settings": settings, "people": people, "made_utc_ms": time.time_ns() // 1_000_000, "box": box}
    salt, nonce = os.urandom(16), os.urandom(12)
    plain = json.dumps(document, ensure_ascii=False).encode()
    return MAGIC + salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, plain, MAGIC)


def read(content: bytes, passphrase: str) -> Backup:
    """Raises `BackupError`."""
    if not content.startswith(MAGIC) or len(content) < 52:
        raise BackupError("not a backup of Offhook")
    salt, nonce, sealed = content[8:24], content[24:36], content[36:]
    try:
        document = json.loads(AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed, MAGIC))
        people = {
            table: [list(row) for row in document["people"][table] if len(row) == len(columns)]
            for table, columns in _TABLES.items()
        }
        return Backup(str(document["settings"]), people, int(document["made_utc_ms"]), str(document["box"]))
    except InvalidTag as error:
        raise BackupError("another passphrase, or the file was changed") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError("not a backup of this version of Offhook") from error


def restore_people(users: UserStore, backup: Backup) -> None:
    """Puts the users of the backup in place of those of this box, all or none. Everybody has to log in anew.

    Raises `BackupError` when no user of the backup could manage users: nobody would get in.
    """
    if not any(row[3] == "admin" and not row[6] for row in backup.people["user"]):
        raise BackupError("there is no admin in this backup")
    try:
        with users.transaction() as conn:
            for table in ("api_token", "passkey", "session", *reversed(_TABLES)):
                conn.execute(f"DELETE FROM {table}")  # noqa: S608
            for table, columns in _TABLES.items():
                marks = ", ".join("?" * len(columns))
                conn.executemany(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
                    backup.people[table],
                )
            conn.execute("DELETE FROM secret WHERE key = 'first_run_code'")
    except sqlite3.Error as error:
        raise BackupError(f"the users of this backup do not fit together ({error})") from error


def _key(passphrase: str, salt: bytes) -> bytes:
    """16 MiB of memory: a guess costs, and a small Pi can pay it."""
    return Scrypt(salt=salt, length=32, n=2**14, r=8, p=1).derive(passphrase.encode())
