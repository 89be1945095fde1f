"""The `[sync]` table of the settings: which cloud, how to reach it, what goes there and when."""

from __future__ import annotations

import enum
import re
import tomllib
from typing import Any, TypeVar

import attrs
import cattrs

from firmware.config_checks import between, short_text, time_zone
from firmware.config_structure import structure

_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_PATH = short_text(300)

T = TypeVar("T")


class Transport(enum.Enum):
    """How the broker is reached; each has its usual port."""

    TLS = "tls"
    TLS_443 = "tls-443"
    """TLS on 443 with ALPN `mqtt`, for networks that let nothing else out."""
    WEBSOCKET = "websocket"
    """MQTT over a secure WebSocket on 443."""
    PLAIN = "plain"
    """Not encrypted: for a broker on the same machine or network."""


_PORTS = {Transport.TLS: 8883, Transport.TLS_443: 443, Transport.WEBSOCKET: 443, Transport.PLAIN: 1883}


class SentAudio(enum.Enum):
    FLAC = "flac"
    OPUS = "opus"
    BOTH = "both"
    """Opus first, so that something can be heard soon, then FLAC."""
    NONE = "none"


class AudioOrder(enum.Enum):
    OLDEST = "oldest"
    NEWEST = "newest"


def _windows(_instance: Any, _attribute: Any, value: tuple[str, ...]) -> None:
    for window in value:
        if not _WINDOW.fullmatch(window):
            raise ValueError(f'must be a list of times like "22:00-06:00", not {window!r:.40}')


@attrs.frozen(kw_only=True)
class SyncSettings:
    """Off by default: nothing leaves the box until somebody says where to."""

    enabled: bool = False
    host: str = attrs.field(default="", validator=short_text(253))
    transport: Transport = Transport.TLS
    port: int = attrs.field(default=0, validator=between(0, 65535))
    """0: the usual one of the transport."""
    box_id: str = attrs.field(default="", validator=short_text(40))
    """Client id and name in topics; empty: the box's own id. Must be the certificate's common name where the broker
    checks it."""
    user: str = attrs.field(default="", validator=short_text(200))
    password_file: str = attrs.field(default="", validator=_PATH)
    """A file and not the password itself: the settings are shown on the page and told to the cloud."""
    ca_file: str = attrs.field(default="", validator=_PATH)
    """Empty: the authorities that the operating system trusts."""
    cert_file: str = attrs.field(default="", validator=_PATH)
    key_file: str = attrs.field(default="", validator=_PATH)
    websocket_path: str = attrs.field(default="/mqtt", validator=short_text(200))
    audio: SentAudio = SentAudio.FLAC
    order: AudioOrder = AudioOrder.OLDEST
    windows: tuple[str, ...] = attrs.field(default=(), validator=_windows)
    """Hours of the local day in which recordings go; none: always. Records always go."""
    limit_kbps: int = attrs.field(default=0, validator=between(0, 1_000_000))
    """Kilobits per second for recordings; 0: no limit."""
    take_commands: bool = True
    take_settings: bool = False
    """Whether the cloud may change this box's settings."""
    unreachable_alarm_h: float = attrs.field(default=24.0, validator=between(0, 720))
    keepalive_s: int = attrs.field(default=60, validator=between(1, 1200))
    hello_s: float = attrs.field(default=30.0, validator=between(0.2, 600))
    resend_s: float = attrs.field(default=3.0, validator=between(0.2, 600))
    probe_s: float = attrs.field(default=60.0, validator=between(0.2, 3600))
    longest_backoff_s: float = attrs.field(default=300.0, validator=between(0.2, 86400))

    def __attrs_post_init__(self) -> None:
        if self.enabled and not self.host:
            raise ValueError('enabled, but no host is named (host = "broker.example.org")')
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file belong together")
        if self.password_file and not self.user:
            raise ValueError("password_file without user")
        if self.box_id and not re.fullmatch(r"[a-z0-9-]{1,40}", self.box_id):
            raise ValueError(f"box_id must be 1 to 40 of a-z, 0-9 and hyphens, not {self.box_id!r}")

    @property
    def broker_port(self) -> int:
        return self.port or _PORTS[self.transport]


@attrs.frozen(kw_only=True)
class _Zone:
    time_zone: str = attrs.field(default="Asia/Shanghai", validator=time_zone)


def sync_part(document: str) -> tuple[SyncSettings, str]:
    """`[sync]` of a stored document, and the box's time zone.

    Reads nothing else of it, so that the sync process loads no line driver. What a fault makes unusable falls back to
    the defaults: sync is off then, as everything else of a faulty document (`firmware.config.salvage`).
    """
    try:
        tables = tomllib.loads(document)
    except tomllib.TOMLDecodeError:
        return SyncSettings(), _Zone().time_zone
    box = tables.get("box")
    zone = {"time_zone": box["time_zone"]} if isinstance(box, dict) and "time_zone" in box else {}
    return _or_default(tables.get("sync", {}), SyncSettings), _or_default(zone, _Zone).time_zone


def _or_default(value: Any, cls: type[T]) -> T:
    try:
        return structure(value, cls)
    except (cattrs.BaseValidationError, ValueError):
        return cls()
