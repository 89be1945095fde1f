"""Warns before the client certificate ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from firmware.config_sync import SyncSettings
from firmware.model import Instant
from sync.alarms import Alarms

WARN_DAYS = 30


def watch_certificate(settings: SyncSettings, dev: str, alarms: Alarms, *, now: Instant) -> None:
    """Raises or resolves the alarm; a file that cannot be read is the connection's own fault to tell."""
    if not settings.cert_file:
        return
    from cryptography import x509  # noqa: PLC0415 - 7 MB, only for boxes that have a certificate

    try:
        ends = x509.load_pem_x509_certificate(Path(settings.cert_file).read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return
    if ends - datetime.fromtimestamp(now.utc_ns / 1e9, UTC) < timedelta(days=WARN_DAYS):
        detail = f"{settings.cert_file}, {ends:%Y-%m-%d %H:%M} UTC"
        alarms.raise_alarm("sync_certificate", dev, detail, now_s=now.boot_ns / 1e9)
    else:
        alarms.resolve("sync_certificate", dev)
