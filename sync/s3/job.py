"""What the sync process and its uploading child say to each other: one job in, a line of JSON out per event."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from firmware.config_sync import SyncSettings
from sync.outbox import DueFile

What = Literal["sent", "began", "stored", "unreadable", "refused", "later", "not_allowed", "unreachable", "used"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where to, and who we are."""

    endpoint: str
    region: str
    bucket: str
    path_style: bool
    ca_file: str
    keys_file: str
    iot_endpoint: str
    iot_role_alias: str
    cert_file: str
    key_file: str
    iot_ca_file: str
    thing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    fid: str
    path: str
    key: str
    size: int
    sha256: str
    content_type: str
    about: dict[str, str]
    """The object's metadata; ASCII."""
    upload_id: str | None = None
    """Of an earlier attempt that was cut."""
    read_back: bool = False
    """A test: fetch it again, compare, and delete it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    store: Store
    uploads: list[Upload]
    part_bytes: int
    bytes_per_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, job: dict[str, Any]) -> Job:
        rest = {key: value for key, value in job.items() if key not in ("store", "uploads")}
        return cls(store=Store(**job["store"]), uploads=[Upload(**each) for each in job["uploads"]], **rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``what`` with ``why`` for people; ``sent`` counts ``bytes``, ``began`` names a multipart upload."""

    what: What
    fid: str = ""
    why: str = ""
    bytes: int = 0
    upload_id: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def store_of(settings: SyncSettings, dev: str) -> Store:
    s3 = settings.s3
    return Store(
        endpoint=s3.endpoint,
        region=s3.region,
        bucket=s3.bucket,
        path_style=s3.path_style,
        ca_file=s3.ca_file,
        keys_file=s3.keys_file,
        iot_endpoint=s3.iot_endpoint,
        iot_role_alias=s3.iot_role_alias,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        iot_ca_file=settings.ca_file,
        thing=dev,
    )


def upload_of(file: DueFile, *, prefix: str, dev: str, upload_id: str | None = None, read_back: bool = False) -> Upload:
    """``{prefix}{dev}/{yyyy}/{mm}/{fid}.flac``: the id holds the hash, so that a repeated PUT changes nothing."""
    month = datetime.fromtimestamp(file.started_utc_ms / 1000, UTC)
    suffix = "".join(Path(file.path).suffixes[-1:])
    about = {"sha256": file.sha256, "box": dev, "call-id": file.call_id or "", "recording-id": file.recording_id}
    return Upload(
        fid=file.fid,
        path=str(file.path),
        key=f"{prefix}{dev}/{month:%Y/%m}/{file.fid}{suffix}",
        size=file.size,
        sha256=file.sha256,
        content_type={".flac": "audio/flac", ".opus": "audio/ogg; codecs=opus"}.get(suffix, "application/octet-stream"),
        about={key: value for key, value in about.items() if value.isascii()},
        upload_id=upload_id,
        read_back=read_back,
    )
