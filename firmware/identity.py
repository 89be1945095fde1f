"""Who this box is: an id for people and an Ed25519 key for machines, made at the first run and never again."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from firmware.errors import OffhookError

_ID_FILE = "device-id"
_KEY_FILE = "ed25519.pem"
_ID = re.compile(r"oh-[a-z2-7]{10}")


class IdentityError(OffhookError):
    """The identity on the disk cannot be read or is damaged. It is never replaced by itself."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that names the box or signs for it uses this."""

    device_id: str
    """``oh-`` and ten base32 characters, random: 50 bits."""
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes, RFC 8032) of ``message``."""
        return self._key.sign(message)

    def derived_key(self, purpose: str) -> bytes:
        """A secret of 32 bytes for one purpose on this box only (HKDF with SHA-256, RFC 5869)."""
        secret = self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return HKDF(SHA256(), 32, salt=self.device_id.encode(), info=f"offhook {purpose}".encode()).derive(secret)

    def public_key_pem(self) -> str:
        """The public key as SubjectPublicKeyInfo PEM."""
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode("ascii")


def load_or_create(folder: Path) -> Identity:
    """The identity in ``folder`` (``$OFFHOOK_DATA/identity``); makes what is not there yet.

    Raises `IdentityError` when something is there and cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        device_id = _read_or_make(folder / _ID_FILE, _new_id).decode("ascii", "replace").strip()
        pem = _read_or_make(folder / _KEY_FILE, _new_key_pem)
    except OSError as error:
        raise IdentityError(
            f"cannot read or make this box's identity in {folder}: {error}; the folder must be writable for the "
            "recorder's user and the disk must not be full"
        ) from error
    if not _ID.fullmatch(device_id):
        raise IdentityError(_damaged(folder / _ID_FILE, f"{device_id!r:.40} is no device id"))
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise IdentityError(_damaged(folder / _KEY_FILE, str(error))) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityError(_damaged(folder / _KEY_FILE, "it is not an Ed25519 key"))
    return Identity(device_id, key)


def verify(public_key_pem: str, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` over ``message`` is by the box with this public key."""
    key = load_pem_public_key(public_key_pem.encode("ascii"))
    if not isinstance(key, Ed25519PublicKey):
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} is damaged: {why}. Restore it from a backup of this box; or, if there is none, move it away and start "
        "again: the box then gets a new identity, and whoever knew the old one (the cloud) must be told"
    )


def _new_id() -> bytes:
    return b"oh-" + base64.b32encode(secrets.token_bytes(7))[:10].lower() + b"\n"


def _new_key_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's bytes. A new one is complete on the disk before it has its name, and never takes another's place."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, make())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        with contextlib.suppress(FileExistsError):  # another process was faster: its file counts
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path.read_bytes()
