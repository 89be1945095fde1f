"""Recordings in an S3-compatible object store: one PUT per file, to a key with its hash, which may be repeated."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from firmware.errors import StoreError
from sync.receiver.file_store import moment, suffix
from sync.receiver.settings import S3Settings
from sync.receiver.storage import FileRow, StorageFullError

_BLOCK_BYTES = 1024 * 1024
_ABSENT = {"404", "NoSuchKey", "NotFound"}


class ObjectStore:
    """Nothing rests on conditional writes, checksum headers or metadata: not every S3 has them. A size is checked after
    each PUT, an MD5 during it, and the SHA-256 is in the key. Raises `StorageFullError` when the store is away."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._prefix = settings.prefix
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            config=Config(
                signature_version="s3v4",
                connect_timeout=3,
                read_timeout=60,
                retries={"max_attempts": 2, "mode": "standard"},
                s3={"addressing_style": "path" if settings.path_style else "virtual"},
                # A checksum trailer of its own would be refused by stores that do not know it.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def close(self) -> None:
        self._client.close()

    def check(self) -> None:
        """Raises `StoreError` when the bucket cannot be used."""
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except (BotoCoreError, ClientError) as error:
            raise StoreError(
                f"cannot use the bucket {self._bucket!r}: {error}; check [s3] and that the bucket was made"
            ) from error

    def key(self, row: FileRow) -> str:
        """``<prefix><box>/<year>/<month>/<ULID>-<SHA-256>.flac``."""
        at = moment(row.fid)
        return f"{self._prefix}{row.dev}/{at:%Y}/{at:%m}/{row.fid[:26]}-{row.sha256}{suffix(row.name)}"

    def size(self, row: FileRow) -> int | None:
        """None when it is not there."""
        with _away():
            try:
                return int(self._client.head_object(Bucket=self._bucket, Key=self.key(row))["ContentLength"])
            except ClientError as error:
                if str(error.response["Error"]["Code"]) in _ABSENT:
                    return None
                raise

    def put(self, row: FileRow, content: IO[bytes]) -> None:
        """From the start of ``content``, which has ``row.size`` bytes."""
        content.seek(0)
        md5 = hashlib.md5(usedforsecurity=False)
        while block := content.read(_BLOCK_BYTES):
            md5.update(block)
        content.seek(0)
        with _away():
            self._client.put_object(
                Bucket=self._bucket,
                Key=self.key(row),
                Body=content,
                ContentLength=row.size,
                ContentMD5=base64.b64encode(md5.digest()).decode(),
            )
        found = self.size(row)
        if found != row.size:
            raise StorageFullError(f"the object store kept {found} of {row.size} bytes of {self.key(row)}")

    def read(self, row: FileRow, *, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """The bytes from ``first`` to ``last``, both included."""
        with _away():
            span = f"bytes={first}-{'' if last is None else last}"
            wanted = {"Range": span} if first or last is not None else {}
            body = self._client.get_object(Bucket=self._bucket, Key=self.key(row), **wanted)["Body"]
            with contextlib.closing(body):
                yield from body.iter_chunks(_BLOCK_BYTES)

    def digest(self, row: FileRow) -> tuple[str, int] | None:
        """The SHA-256 and the size of what lies there; None without it."""
        if self.size(row) is None:
            return None
        digest, size = hashlib.sha256(), 0
        for block in self.read(row):
            digest.update(block)
            size += len(block)
        return digest.hexdigest(), size

    def keys(self) -> Iterator[str]:
        """All there are."""
        with _away():
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            ):
                for one in page.get("Contents", ()):
                    yield str(one["Key"])


@contextlib.contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StorageFullError(f"the object store does not take or give a file: {error}") from error
