"""Signs what the box vouches for: documents of known types only, so that its key never signs anything else."""

from __future__ import annotations

import base64
import json

from firmware.errors import RequestError
from firmware.identity import Identity
from firmware.live import Json

DOMAIN = b"offhook certificate\n"
"""Before every document that is signed: a signature for a certificate can be one for nothing else."""
TYPES = frozenset({"offhook-fieldtest", "offhook-fieldtest-pdf"})
_LONGEST = 512 * 1024


def sign(identity: Identity, document: str) -> Json:
    """Who signs, and the signature of ``document`` (canonical JSON with a known ``type``). Raises `RequestError`."""
    if len(document) > _LONGEST:
        raise RequestError("bad_request", f"a certificate has at most {_LONGEST} characters, not {len(document)}")
    try:
        parsed = json.loads(document)
        kind = parsed["type"]
    except (ValueError, KeyError, TypeError):
        raise RequestError("bad_request", 'only a JSON object with a "type" is signed') from None
    if kind not in TYPES:
        raise RequestError("bad_request", f"only {', '.join(sorted(TYPES))} are signed, not {kind!r:.40}")
    signature = identity.sign(DOMAIN + document.encode("utf-8"))
    return {**about(identity), "signature": base64.b64encode(signature).decode("ascii")}


def about(identity: Identity) -> Json:
    """The box's name and its public key: what others need to check its signatures."""
    return {"device_id": identity.device_id, "public_key": identity.public_key_pem()}
