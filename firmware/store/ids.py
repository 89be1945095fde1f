"""Ids for the cloud: sortable by time, and for files bound to their content."""

from __future__ import annotations

import hashlib
import os

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def ulid(utc_ms: int, entropy: bytes | None = None) -> str:
    """26 lower-case characters: 48 bits of time, 80 bits of ``entropy`` (None: random). See github.com/ulid/spec."""
    tail = os.urandom(10) if entropy is None else entropy[:10].ljust(10, b"\0")
    value = (max(utc_ms, 0) & (1 << 48) - 1) << 80 | int.from_bytes(tail, "big")
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def file_id(*, recording: str, started_utc_ms: int, sha256: str) -> str:
    """The id of one sealed file in the cloud: the same file gets the same id however often it is asked for."""
    entropy = hashlib.sha256(f"{recording}\0{sha256}".encode()).digest()
    return f"{ulid(started_utc_ms, entropy)}-{sha256[:16]}"
