"""Hashes of passwords and of the first-run code: argon2id at a price that a small Pi can pay."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_PASSWORD_LENGTH = 10
MAX_PASSWORD_LENGTH = 1024
"""Longer input is refused before it costs anything."""

# 19 MiB, 2 passes, 1 lane: the OWASP password storage cheat sheet's first choice for argon2id. The library's default of
# 64 MiB for each of several logins at once is too much for a board with 512 MiB.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE = threading.BoundedSemaphore(2)
_NOBODYS_HASH = _HASHER.hash("nobody has this password")


def hash_password(password: str) -> str:
    """The argon2id hash of ``password``, with its salt and parameters."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def verify_password(stored_hash: str | None, password: str) -> bool:
    """Whether ``password`` made ``stored_hash``. Without a hash: no, after as long, so that names stay secret."""
    with _AT_ONCE:
        try:
            matches = _HASHER.verify(stored_hash or _NOBODYS_HASH, password[: MAX_PASSWORD_LENGTH + 1])
        except (VerificationError, InvalidHashError):
            return False
    return matches and stored_hash is not None
