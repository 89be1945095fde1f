"""Keys, requests and certificates themselves: what `sync.identity` keeps."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

RENEW_AT = 2 / 3
"""Of a certificate's life."""


def new_key() -> bytes:
    """P-256 in PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def request(key_file: Path, dev: str) -> str:
    """A CSR in PEM for the common name ``dev``."""
    key = load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dev)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def renew_from(cert_file: Path) -> datetime:
    """When two thirds of its life are over."""
    cert = x509.load_pem_x509_certificate(cert_file.read_bytes())
    return cert.not_valid_before_utc + (cert.not_valid_after_utc - cert.not_valid_before_utc) * RENEW_AT


def unfit_because(chain: str, key_file: Path, *, dev: str, now: datetime) -> str | None:
    """Why the first certificate of ``chain`` cannot be this box's; None when it can."""
    try:
        cert = x509.load_pem_x509_certificates(chain.encode())[0]
        names = [str(each.value) for each in cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, IndexError) as error:
        return f"it is no certificate in PEM: {error}"
    ours = load_pem_private_key(key_file.read_bytes(), None).public_key()
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if cert.public_key().public_bytes(*spki) != ours.public_bytes(*spki):
        return "it is for another key"
    if names != [dev]:
        return f"its common name is {names!r}, not {dev!r}"
    return f"it ended on {cert.not_valid_after_utc:%Y-%m-%d}" if cert.not_valid_after_utc <= now else None
