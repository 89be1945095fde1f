"""Whether the box reaches a network, and its cloud over TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

from firmware.config_sync import SyncSettings, Transport

_DEADLINE_S = 8.0
_UP = 0x1
_LOOPBACK = 0x8


@frozen(kw_only=True)
class Reached:
    """``name_ms`` None: the name is not known; ``tls_ms`` None: no encrypted connection came about, for ``error``."""

    name_ms: float | None = None
    tls_ms: float | None = None
    certificate_days: float | None = None
    error: str = ""


def connected() -> bool:
    """An interface other than the loopback is up, and has a carrier."""
    for link in Path("/sys/class/net").glob("*"):
        with contextlib.suppress(OSError, ValueError):
            flags = int((link / "flags").read_text(), 16)
            if flags & _UP and not flags & _LOOPBACK and (link / "carrier").read_text().strip() == "1":
                return True
    return False


def reach(cloud: SyncSettings) -> Reached:
    """Looks the cloud's name up and shakes hands with it, as the sync process does."""
    begun = time.monotonic()
    try:
        socket.getaddrinfo(cloud.host, cloud.broker_port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Reached(error=str(error))
    name_ms = (time.monotonic() - begun) * 1000
    if cloud.transport is Transport.PLAIN:
        return Reached(name_ms=name_ms, error="plain")
    try:
        context = ssl.create_default_context(cafile=cloud.ca_file or None)
        if cloud.transport is Transport.TLS_443:
            context.set_alpn_protocols(["mqtt"])
        if cloud.cert_file:
            context.load_cert_chain(cloud.cert_file, cloud.key_file)
        begun = time.monotonic()
        with (
            socket.create_connection((cloud.host, cloud.broker_port), timeout=_DEADLINE_S) as plain,
            context.wrap_socket(plain, server_hostname=cloud.host) as secure,
        ):
            tls_ms = (time.monotonic() - begun) * 1000
            ends = str((secure.getpeercert() or {}).get("notAfter", ""))
    except OSError as error:  # ssl.SSLError is one
        return Reached(name_ms=name_ms, error=str(error))
    left_s = ssl.cert_time_to_seconds(ends) - datetime.now(UTC).timestamp() if ends else 0.0
    return Reached(name_ms=name_ms, tls_ms=tls_ms, certificate_days=left_s / 86400)
