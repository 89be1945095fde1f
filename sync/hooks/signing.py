"""Secrets and signatures of Standard Webhooks (standard-webhooks/spec, "Webhook scheme": symmetric signatures, v1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, *, message: str, timestamp_s: int, body: bytes) -> str:
    """``v1,`` and the HMAC of id, time and body, so that none of them can be exchanged."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join([message.encode(), str(timestamp_s).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(secrets_in_force: list[str], *, message: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """One signature for each secret: a receiver that knows either of them accepts it."""
    signatures = [signature(s, message=message, timestamp_s=timestamp_s, body=body) for s in secrets_in_force]
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signatures),
    }
