"""Seals SIM PINs with a key made from the box's identity: the database alone does not give them away."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from firmware.identity import Identity

_NONCE_BYTES = 12


class PinSafe:
    """AES-256-GCM (NIST SP 800-38D), the line's id bound to what is sealed. The box itself can open it, to unlock the
    card after a power cut: whoever has the whole disk, identity included, can do so too."""

    def __init__(self, identity: Identity) -> None:
        self._cipher = AESGCM(identity.derived_key("sim pin"))

    def seal(self, pin: str, *, line: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, pin.encode("ascii"), line.encode())

    def open(self, sealed: bytes, *, line: str) -> str | None:
        """None when it was sealed for another line, by another box, or is damaged."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], line.encode()).decode("ascii")
        except (InvalidTag, ValueError):
            return None
