"""The first-run code: proves that whoever makes the admin account can see this box's console."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from pathlib import Path

from webui.users.passwords import hash_password, verify_password
from webui.users.store import UserStore

log = logging.getLogger("offhook.web.auth")

ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Letters and digits that are not mistaken for each other on a screen or over the telephone."""

FILE_NAME = "first-run-code"
_SECRET = "first_run_code"  # noqa: S105  the key under which the hash is kept


def prepare(users: UserStore, run_dir: Path) -> str | None:
    """The code to show on the console, or ``None`` when the admin account exists.

    Written to ``run_dir/first-run-code``, mode 0600, until it is used; a restart before that keeps the same code.
    """
    path = run_dir / FILE_NAME
    if users.has_users():
        _remove(path)
        return None
    known = _read(path)
    if known is not None and verify_password(users.secret(_SECRET), _plain(known)):
        return known
    code = "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3))
    users.set_secret(_SECRET, hash_password(_plain(code)))
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(code + "\n")
    except OSError as error:
        log.warning("the first-run code stands on the console alone: %s cannot be written (%s)", path, error)
    return code


def check(users: UserStore, code: str) -> bool:
    """Whether a person typed the code; case, spaces and hyphens do not matter."""
    return not users.has_users() and verify_password(users.secret(_SECRET), _plain(code))


def used(run_dir: Path) -> None:
    """Removes the code's file, once the admin account exists."""
    _remove(run_dir / FILE_NAME)


def _remove(path: Path) -> None:
    # Its hash is gone from the database: what is left of the file opens nothing.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _plain(code: str) -> str:
    return "".join(c for c in code.upper() if c.isalnum())


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
