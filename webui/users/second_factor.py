"""The six digits of a second factor (TOTP, RFC 6238), and the codes that help when the telephone with it is lost."""

from __future__ import annotations

import secrets
import time

import pyotp

from webui.users.first_run import ALPHABET
from webui.users.passwords import hash_password, verify_password
from webui.users.store import UserStore

RECOVERY_CODES = 8
_STEP_S = 30
_WINDOW = 1
"""Steps that a telephone's clock may be ahead or behind."""


def new_secret() -> str:
    return pyotp.random_base32()


def enrolment_uri(secret: str, *, user: str, box: str) -> str:
    """What the QR code says to the authenticator on the telephone."""
    return pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name=box)


def matching_step(secret: str, digits: str, *, now_s: float | None = None) -> int | None:
    """The time step whose digits these are; ``None`` when they are wrong."""
    now = int((time.time() if now_s is None else now_s) // _STEP_S)
    typed = "".join(c for c in digits if c.isdigit())
    if len(typed) != 6:
        return None
    totp = pyotp.TOTP(secret)
    for step in range(now - _WINDOW, now + _WINDOW + 1):
        if secrets.compare_digest(totp.at(step * _STEP_S), typed):
            return step
    return None


class SecondFactor:
    """Switches it on and off for a user and checks what she types; safe to call from any thread."""

    def __init__(self, users: UserStore) -> None:
        self._users = users

    def is_on(self, user_id: int) -> bool:
        with self._users.transaction() as conn:
            row = conn.execute("SELECT totp_secret FROM user WHERE id = ?", (user_id,)).fetchone()
        return row is not None and row[0] is not None

    def switch_on(self, user_id: int, secret: str, digits: str) -> list[str] | None:
        """The recovery codes, to be shown once, when ``digits`` prove that the telephone has ``secret``."""
        step = matching_step(secret, digits)
        if step is None:
            return None
        codes = [_code() for _ in range(RECOVERY_CODES)]
        hashes = [hash_password(_plain(code)) for code in codes]
        with self._users.transaction() as conn:
            conn.execute("UPDATE user SET totp_secret = ?, totp_last_step = ? WHERE id = ?", (secret, step, user_id))
            conn.execute("DELETE FROM recovery_code WHERE user_id = ?", (user_id,))
            conn.executemany(
                "INSERT INTO recovery_code (user_id, code_hash) VALUES (?, ?)", [(user_id, each) for each in hashes]
            )
        return codes

    def switch_off(self, user_id: int) -> None:
        with self._users.transaction() as conn:
            conn.execute("UPDATE user SET totp_secret = NULL, totp_last_step = NULL WHERE id = ?", (user_id,))
            conn.execute("DELETE FROM recovery_code WHERE user_id = ?", (user_id,))

    def check(self, user_id: int, typed: str) -> bool:
        """Whether ``typed`` are the digits of now, or a recovery code. Each is good for one login only."""
        with self._users.transaction() as conn:
            row = conn.execute("SELECT totp_secret, totp_last_step FROM user WHERE id = ?", (user_id,)).fetchone()
            if row is None or row[0] is None:
                return False
            step = matching_step(str(row[0]), typed)
            if step is not None:
                used = conn.execute(
                    "UPDATE user SET totp_last_step = ? WHERE id = ? AND coalesce(totp_last_step, -1) < ?",
                    (step, user_id, step),
                )
                return used.rowcount == 1
            hashes = [
                str(each[0])
                for each in conn.execute("SELECT code_hash FROM recovery_code WHERE user_id = ?", (user_id,))
            ]
        plain = _plain(typed)
        if len(plain) != 10:
            return False
        for each in hashes:
            if verify_password(each, plain):
                with self._users.transaction() as conn:
                    gone = conn.execute(
                        "DELETE FROM recovery_code WHERE user_id = ? AND code_hash = ?", (user_id, each)
                    )
                    return gone.rowcount == 1
        return False

    def codes_left(self, user_id: int) -> int:
        with self._users.transaction() as conn:
            return int(conn.execute("SELECT count(*) FROM recovery_code WHERE user_id = ?", (user_id,)).fetchone()[0])


def _code() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(2))


def _plain(code: str) -> str:
    return "".join(c for c in code.upper() if c.isalnum())
