"""Certificates as signed JSON, and PDFs with a signature behind their end: made, and checked. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from attrs import frozen
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from firmware.certificates import DOMAIN
from firmware.errors import OffhookError
from firmware.identity import verify

JSON_TYPE = "offhook-fieldtest"
PDF_TYPE = "offhook-fieldtest-pdf"
_TRAILER = b"\n%offhook-signature "
"""After %%EOF, where PDF readers do not mind a comment (ISO 32000-1, annex H)."""


class VerifyError(OffhookError):
    """What was to be verified is damaged, changed, or not signed."""


@frozen(kw_only=True)
class Verified:
    """The signature is right. Whether the key is that of the box it names, somebody has to compare."""

    type: str
    device_id: str
    public_key: str
    document: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public_key)


def canonical(document: dict[str, Any]) -> str:
    """The one text of a document that is signed."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def fingerprint(public_key: str) -> str:
    """SHA-256 of the key (SubjectPublicKeyInfo), the first half of it: ``1a2b 3c4d ...``. Raises `VerifyError`."""
    try:
        key = load_pem_public_key(public_key.encode("ascii"))
    except ValueError as error:
        raise VerifyError(f"the public key in it cannot be read: {error}") from error
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = hashlib.sha256(der).hexdigest()[:32]
    return " ".join(text[n : n + 4] for n in range(0, len(text), 4))


def json_file(document: dict[str, Any], signed: dict[str, Any]) -> bytes:
    """The certificate as a file."""
    return json.dumps({"certificate": document, **signed}, ensure_ascii=False, indent=1).encode("utf-8")


def pdf_document(pdf: bytes, run: str, device_id: str) -> dict[str, Any]:
    """What is signed of a PDF: its bytes, and which run it shows."""
    return {"type": PDF_TYPE, "run": run, "device_id": device_id, "sha256": hashlib.sha256(pdf).hexdigest()}


def pdf_file(pdf: bytes, document: dict[str, Any], signed: dict[str, Any]) -> bytes:
    """The PDF with its signature."""
    return pdf + _TRAILER + canonical({"certificate": document, **signed}).encode("utf-8") + b"\n"


def is_json(content: bytes) -> bool:
    return content.lstrip()[:1] == b"{" and b'"certificate"' in content and b'"offhook-fieldtest"' in content


def is_pdf(content: bytes) -> bool:
    return content.startswith(b"%PDF-")


def verify_json(content: bytes) -> Verified:
    """Raises `VerifyError`."""
    return _checked(_parsed(content), JSON_TYPE)


def verify_pdf(content: bytes) -> Verified:
    """Raises `VerifyError`."""
    pdf, found, trailer = content.rpartition(_TRAILER)
    if not found:
        raise VerifyError("this PDF carries no signature of a box")
    verified = _checked(_parsed(trailer), PDF_TYPE)
    if verified.document.get("sha256") != hashlib.sha256(pdf).hexdigest():
        raise VerifyError("this PDF was changed after the box had signed it")
    return verified


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise VerifyError(f"this is damaged: {error}") from error
    if not isinstance(found, dict):
        raise VerifyError("this is no certificate")
    return found


def _checked(found: dict[str, Any], kind: str) -> Verified:
    try:
        document, device_id, public_key = found["certificate"], str(found["device_id"]), str(found["public_key"])
        signature = base64.b64decode(found["signature"], validate=True)
        right_kind = document["type"] == kind and document["device_id"] == device_id
    except (KeyError, TypeError, ValueError) as error:
        raise VerifyError(f"this is no complete certificate: {error}") from error
    if not right_kind:
        raise VerifyError("type or box of the certificate are not those it was signed for")
    try:
        right = verify(public_key, signature, DOMAIN + canonical(document).encode("utf-8"))
    except ValueError as error:
        raise VerifyError(f"the public key in it cannot be read: {error}") from error
    if not right:
        raise VerifyError("the signature is wrong: this was changed after the box had signed it")
    return Verified(type=kind, device_id=device_id, public_key=public_key, document=document)
