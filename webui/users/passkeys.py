"""Passkeys (WebAuthn): a login by the device's own lock. Only for a box that is reached by name: browsers refuse
addresses of numbers.

The library is loaded at a passkey's first use: it weighs 26 MB, and most boxes have none.
"""

from __future__ import annotations

import ipaddress
import json
import time
from dataclasses import dataclass
from typing import Any

from webui.users.store import UserStore


@dataclass(frozen=True, slots=True)
class Passkey:
    id: str
    """The credential's id in hex."""
    name: str
    host: str
    created_utc_ms: int
    used_utc_ms: int | None


class PasskeyError(Exception):
    """The browser's answer proves nothing; why is for the log."""


def host_for(host: str) -> str | None:
    """The name that passkeys of a box under ``host`` are bound to; ``None`` when it is reached by its address."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name
    return None


class Passkeys:
    """Makes challenges and checks answers; the caller keeps a challenge between the two, signed, for minutes only."""

    def __init__(self, users: UserStore) -> None:
        self._users = users

    def of(self, user_id: int) -> list[Passkey]:
        with self._users.transaction() as conn:
            rows = conn.execute(
                "SELECT credential_id, name, host, created_utc_ms, used_utc_ms FROM passkey WHERE user_id = ? "
                "ORDER BY created_utc_ms",
                (user_id,),
            ).fetchall()
        return [Passkey(bytes(row[0]).hex(), *row[1:]) for row in rows]

    def some_for(self, host: str) -> bool:
        """Whether anybody has one for this name of the box."""
        with self._users.transaction() as conn:
            return conn.execute("SELECT 1 FROM passkey WHERE host = ? LIMIT 1", (host,)).fetchone() is not None

    def remove(self, user_id: int, passkey: str) -> bool:
        with self._users.transaction() as conn:
            gone = conn.execute(
                "DELETE FROM passkey WHERE user_id = ? AND lower(hex(credential_id)) = ?", (user_id, passkey)
            )
            return gone.rowcount == 1

    def registration_options(self, user_id: int, name: str, *, host: str, challenge: bytes) -> dict[str, Any]:
        from webauthn import generate_registration_options, options_to_json  # noqa: PLC0415  see the first lines
        from webauthn.helpers.structs import (  # noqa: PLC0415
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        options = generate_registration_options(
            rp_id=host,
            rp_name="Offhook",
            user_id=f"offhook-{user_id}".encode(),
            user_name=name,
            challenge=challenge,
            exclude_credentials=[PublicKeyCredentialDescriptor(id=bytes.fromhex(key.id)) for key in self.of(user_id)],
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        return dict(json.loads(options_to_json(options)))

    def register(
        self, user_id: int, answer: dict[str, Any], *, name: str, host: str, origin: str, challenge: bytes
    ) -> None:
        """Raises `PasskeyError`."""
        from webauthn import verify_registration_response  # noqa: PLC0415
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=host,
                expected_origin=origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise PasskeyError(str(error)) from error
        with self._users.transaction() as conn:
            conn.execute(
                "INSERT INTO passkey (credential_id, user_id, public_key, sign_count, host, name, created_utc_ms) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    made.credential_id,
                    user_id,
                    made.credential_public_key,
                    made.sign_count,
                    host,
                    name,
                    time.time_ns() // 1_000_000,
                ),
            )

    def login_options(self, *, host: str, challenge: bytes) -> dict[str, Any]:
        from webauthn import generate_authentication_options, options_to_json  # noqa: PLC0415
        from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415

        options = generate_authentication_options(
            rp_id=host, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
        )
        return dict(json.loads(options_to_json(options)))

    def login(self, answer: dict[str, Any], *, host: str, origin: str, challenge: bytes) -> int:
        """The id of the user whose passkey it is. Raises `PasskeyError`."""
        from webauthn import verify_authentication_response  # noqa: PLC0415
        from webauthn.helpers import base64url_to_bytes  # noqa: PLC0415
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

        try:
            credential = base64url_to_bytes(str(answer["rawId"]))
            with self._users.transaction() as conn:
                row = conn.execute(
                    "SELECT user_id, public_key, sign_count FROM passkey WHERE credential_id = ? AND host = ?",
                    (credential, host),
                ).fetchone()
            if row is None:
                raise PasskeyError("no such passkey")
            proved = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=host,
                expected_origin=origin,
                credential_public_key=bytes(row[1]),
                credential_current_sign_count=int(row[2]),
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise PasskeyError(str(error)) from error
        with self._users.transaction() as conn:
            conn.execute(
                "UPDATE passkey SET sign_count = ?, used_utc_ms = ? WHERE credential_id = ?",
                (proved.new_sign_count, time.time_ns() // 1_000_000, credential),
            )
        return int(row[0])
