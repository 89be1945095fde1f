"""The `[sync]` table of the settings: which cloud, how to reach it, what goes there and when."""

from __future__ import annotations

import enum
import re
import tomllib
from typing import Any, TypeVar

import attrs
import cattrs

from firmware.config_checks import between, short_text, time_zone
from firmware.config_home_assistant import HomeAssistantSettings
from firmware.config_structure import structure
from firmware.config_webhooks import WebhookSettings

_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_PATH = short_text(300)
_INTERFACE = re.compile(r"[A-Za-z0-9_.*?:-]{1,32}")

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


class FilesBy(enum.Enum):
    """How recordings reach the cloud; records always go over MQTT."""

    MQTT = "mqtt"
    """In chunks to Offhook's own receiver."""
    EMQX = "emqx"
    """By the file transfer of an EMQX broker, which needs none of our code behind it."""
    S3 = "s3"
    """Into a bucket of any S3-compatible store."""


class ConfirmedBy(enum.Enum):
    """Whose word counts for a record."""

    RECEIVER = "receiver"
    BROKER = "broker"
    """The broker's PUBACK, where nobody behind it answers: a record that the broker loses is lost in the cloud."""


def _interfaces(_instance: Any, _attribute: Any, value: tuple[str, ...]) -> None:
    for name in value:
        if not _INTERFACE.fullmatch(name):
            raise ValueError(f'must be a list of interface names like "wwan*", not {name!r:.40}')


@attrs.frozen(kw_only=True)
class S3Settings:
    """Where recordings go with ``files_by = "s3"``."""

    endpoint: str = attrs.field(default="", validator=short_text(300))
    """``https://...`` of the store; empty: Amazon's own in ``region``."""
    region: str = attrs.field(default="us-east-1", validator=short_text(40))
    bucket: str = attrs.field(default="", validator=short_text(100))
    prefix: str = attrs.field(default="", validator=short_text(200))
    """Put before each key."""
    path_style: bool = False
    """The bucket in the path and not in the host's name: most stores that are not Amazon's."""
    keys_file: str = attrs.field(default="", validator=_PATH)
    """JSON: ``access_key_id``, ``secret_access_key`` and perhaps ``session_token``."""
    ca_file: str = attrs.field(default="", validator=_PATH)
    iot_endpoint: str = attrs.field(default="", validator=short_text(253))
    """AWS IoT's credentials provider, asked with the client certificate of ``[sync]`` instead of a file of keys."""
    iot_role_alias: str = attrs.field(default="", validator=short_text(128))
    part_mb: int = attrs.field(default=8, validator=between(5, 512))
    """Files above this size go in parts of it, and go on at the part where they were cut."""

    def __attrs_post_init__(self) -> None:
        if self.endpoint and not self.endpoint.startswith(("https://", "http://")):
            raise ValueError('endpoint must begin with "https://"')
        if bool(self.iot_endpoint) != bool(self.iot_role_alias):
            raise ValueError("iot_endpoint and iot_role_alias belong together")


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
    day_mb: int = attrs.field(default=0, validator=between(0, 10_000_000))
    """Megabytes that sync may send in a day of the box's time zone before recordings wait for the next; 0: no limit."""
    month_mb: int = attrs.field(default=0, validator=between(0, 100_000_000))
    metered_interfaces: tuple[str, ...] = attrs.field(default=("wwan*", "ppp*"), validator=_interfaces)
    """Network interfaces that cost by volume: over these go records and what somebody asked for, no other recording."""
    files_by: FilesBy = FilesBy.MQTT
    confirmed_by: ConfirmedBy = ConfirmedBy.RECEIVER
    emqx_segments_h: float = attrs.field(default=24.0, validator=between(0.01, 8760))
    """How long the EMQX broker keeps pieces of an unfinished file (its ``maximum_segments_ttl``)."""
    s3: S3Settings = attrs.field(factory=S3Settings)
    claim_cert_file: str = attrs.field(default="", validator=_PATH)
    """Shared by a batch of boxes and good for one thing only: to ask for a certificate of this box's own."""
    claim_key_file: str = attrs.field(default="", validator=_PATH)
    allow_erase: bool = False
    """Whether the cloud may delete recordings from this box."""
    take_commands: bool = True
    take_settings: bool = False
    """Whether the cloud may change this box's settings."""
    unreachable_alarm_h: float = attrs.field(default=24.0, validator=between(0, 720))
    alpn: str = attrs.field(default="mqtt", validator=short_text(64))
    """With ``tls-443``; AWS IoT wants ``x-amzn-mqtt-ca``."""
    will_delay_s: int = attrs.field(default=60, validator=between(0, 86400))
    """A box that comes back within it is not told to anybody as lost (MQTT 5)."""
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
        if bool(self.claim_cert_file) != bool(self.claim_key_file):
            raise ValueError("claim_cert_file and claim_key_file belong together")
        if self.files_by is FilesBy.S3 and not self.s3.bucket:
            raise ValueError('files_by = "s3", but s3.bucket names no bucket')
        if self.s3.iot_endpoint and not (self.cert_file or self.claim_cert_file):
            raise ValueError("s3.iot_endpoint needs a client certificate (cert_file and key_file)")
        if (
            self.confirmed_by is ConfirmedBy.BROKER
            and self.files_by is FilesBy.MQTT
            and self.audio is not SentAudio.NONE
        ):
            raise ValueError(
                'confirmed_by = "broker" needs files_by = "emqx" or "s3" (or audio = "none"): a broker cannot confirm '
                "a recording"
            )
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


@attrs.frozen(kw_only=True)
class CloudPart:
    """What the sync process needs of the settings."""

    sync: SyncSettings
    time_zone: str
    webhooks: tuple[WebhookSettings, ...] = ()
    home_assistant: HomeAssistantSettings = attrs.field(factory=HomeAssistantSettings)
    box_name: str = "Offhook"


def sync_part(document: str) -> CloudPart:
    """What the sync process needs of a stored document.

    Reads nothing else of it, so that the sync process loads no line driver. What a fault makes unusable falls back to
    the defaults: sync is off then, as everything else of a faulty document (`firmware.config.salvage`).
    """
    try:
        tables = tomllib.loads(document)
    except tomllib.TOMLDecodeError:
        return CloudPart(sync=SyncSettings(), time_zone=_Zone().time_zone)
    box = tables.get("box")
    box = box if isinstance(box, dict) else {}
    hooks = tables.get("webhooks", [])
    return CloudPart(
        sync=_or_default(tables.get("sync", {}), SyncSettings),
        time_zone=_or_default({key: box[key] for key in ("time_zone",) if key in box}, _Zone).time_zone,
        webhooks=tuple(hook for raw in (hooks if isinstance(hooks, list) else []) for hook in _sound_hook(raw)),
        home_assistant=_or_default(tables.get("home_assistant", {}), HomeAssistantSettings),
        box_name=str(box.get("name", "Offhook")),
    )


def _sound_hook(raw: Any) -> list[WebhookSettings]:
    try:
        return [structure(raw, WebhookSettings)]
    except (cattrs.BaseValidationError, ValueError):
        return []


def _or_default(value: Any, cls: type[T]) -> T:
    try:
        return structure(value, cls)
    except (cattrs.BaseValidationError, ValueError):
        return cls()
