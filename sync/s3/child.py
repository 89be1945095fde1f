"""The process that uploads into a bucket and ends. boto3 takes 40 MB that the sync process has no use for otherwise."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from firmware.worker import Worker
from sync.s3.body import CHUNK, Body, Pace
from sync.s3.credentials import KeysError, session_of
from sync.s3.job import Event, Job, Upload, What

_NOT_ALLOWED = frozenset(
    {
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "NoSuchBucket",
        "403",
    }
)
_REFUSED = frozenset({"EntityTooLarge", "InvalidArgument", "KeyTooLongError", "MetadataTooLarge", "MethodNotAllowed"})


class _FaultError(Exception):
    def __init__(self, what: What, why: str) -> None:
        super().__init__(why)
        self.what: What = what


def main() -> int:
    job = Job.of_json(json.loads(sys.stdin.readline()))
    Worker("parent", lambda _stop: _end_with_parent()).start()
    try:
        _Uploader(job).run()
    except KeysError as error:
        _tell(Event(what="not_allowed", why=str(error)))
    used = resource.getrusage(resource.RUSAGE_SELF)
    facts = {"rss_kib": used.ru_maxrss, "cpu_s": round(used.ru_utime + used.ru_stime, 3)}
    _tell(Event(what="used", facts=facts))
    return 0


def _end_with_parent() -> None:
    """A parent that was killed starts another child for the same files: this one must be gone."""
    sys.stdin.read()
    os._exit(1)


class _Uploader:
    def __init__(self, job: Job) -> None:
        """Raises `KeysError`."""
        store = job.store
        self._job = job
        self._bucket = store.bucket
        self._unsaid = 0
        self._pace = Pace(job.bytes_per_s, self._sent)
        self._client = session_of(store).create_client(
            "s3",
            region_name=store.region,
            endpoint_url=store.endpoint or None,
            verify=store.ca_file or None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if store.path_style else "auto"},
                retries={"mode": "standard", "max_attempts": 3},
                connect_timeout=15,
                read_timeout=60,
                # Stores that are not Amazon's do not know its newer checksums; Content-MD5 they all know.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        # A request is signed by reading its body once before it is sent: that is not sending.
        events = self._client.meta.events
        events.register_first("request-created.s3", lambda **_: self._set_counting(on=False))
        events.register_last("request-created.s3", lambda **_: self._set_counting(on=True))

    def run(self) -> None:
        """Each file in turn; what is wrong with the store itself ends the job."""
        for upload in self._job.uploads:
            try:
                facts = self._one(upload)
            except _FaultError as fault:
                self._say_sent(upload.fid)
                _tell(Event(what=fault.what, fid=upload.fid, why=str(fault)))
                if fault.what in ("not_allowed", "unreachable"):
                    return
            else:
                self._say_sent(upload.fid)
                _tell(Event(what="stored", fid=upload.fid, facts=facts))

    def _one(self, upload: Upload) -> dict[str, Any]:
        """Raises `_FaultError`."""
        try:
            with Path(upload.path).open("rb") as file:
                md5s = _checked(file, upload, self._job.part_bytes)
                if not self._is_there(upload):
                    if len(md5s) == 1:
                        self._put(upload, file, md5s[0])
                    else:
                        self._put_parts(upload, file, md5s)
                    if not self._is_there(upload, by_size=True):
                        raise _FaultError("later", "the store took it, and has it with another size or not at all")
        except (KeysError, ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and _code(error) == "NoSuchUpload":
                _tell(Event(what="began", fid=upload.fid))  # it ended, or was cleaned up: nothing to go on with
            raise _fault(error) from error
        except OSError as error:
            raise _FaultError("unreadable", str(error)) from error
        facts = {"bucket": self._bucket, "key": upload.key, "size": upload.size, "sha256": upload.sha256}
        return facts | ({"read_back": self._read_back(upload)} if upload.read_back else {})

    def _is_there(self, upload: Upload, *, by_size: bool = False) -> bool:
        """With our size, and with our hash where the store keeps what it is told about an object."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=upload.key)
        except ClientError as error:
            if _code(error) in ("404", "NoSuchKey", "NotFound"):
                return False
            raise
        same = head["ContentLength"] == upload.size
        return same and (by_size or head.get("Metadata", {}).get("sha256") == upload.sha256)

    def _put(self, upload: Upload, file: BinaryIO, md5: bytes) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=upload.key,
            Body=Body(file, 0, upload.size, self._pace),
            ContentLength=upload.size,
            ContentMD5=base64.b64encode(md5).decode(),
            ContentType=upload.content_type,
            Metadata=upload.about,
        )

    def _put_parts(self, upload: Upload, file: BinaryIO, md5s: list[bytes]) -> None:
        where = {"Bucket": self._bucket, "Key": upload.key}
        upload_id, there = self._begun(upload, where)
        parts = []
        for number, md5 in enumerate(md5s, 1):
            start = (number - 1) * self._job.part_bytes
            size = min(self._job.part_bytes, upload.size - start)
            if there.get(number) != (size, md5.hex()):
                self._client.upload_part(
                    **where,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=Body(file, start, size, self._pace),
                    ContentLength=size,
                    ContentMD5=base64.b64encode(md5).decode(),
                )
                self._say_sent(upload.fid)
            parts.append({"PartNumber": number, "ETag": f'"{md5.hex()}"'})
        self._client.complete_multipart_upload(**where, UploadId=upload_id, MultipartUpload={"Parts": parts})

    def _begun(self, upload: Upload, where: dict[str, str]) -> tuple[str, dict[int, tuple[int, str]]]:
        """The upload to go on with, and size and MD5 of the parts that are there."""
        if upload.upload_id:
            try:
                pages = self._client.get_paginator("list_parts").paginate(**where, UploadId=upload.upload_id)
                parts = [part for page in pages for part in page.get("Parts", [])]
                return upload.upload_id, {p["PartNumber"]: (p["Size"], p["ETag"].strip('"')) for p in parts}
            except ClientError:
                pass  # forgotten, or a store that lists no parts: from the beginning
        made = self._client.create_multipart_upload(**where, ContentType=upload.content_type, Metadata=upload.about)
        _tell(Event(what="began", fid=upload.fid, upload_id=made["UploadId"]))
        return str(made["UploadId"]), {}

    def _read_back(self, upload: Upload) -> bool:
        whole = hashlib.sha256()
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=upload.key)["Body"]
            for data in body.iter_chunks(CHUNK):
                whole.update(data)
        except (ClientError, BotoCoreError) as error:
            raise _fault(error) from error
        finally:
            with contextlib.suppress(ClientError, BotoCoreError):  # a box that may not delete is as it should be
                self._client.delete_object(Bucket=self._bucket, Key=upload.key)
        return whole.hexdigest() == upload.sha256

    def _set_counting(self, *, on: bool) -> None:
        self._pace.counting = on

    def _sent(self, size: int) -> None:
        self._unsaid += size
        if self._unsaid >= 1_000_000:
            self._say_sent("")

    def _say_sent(self, fid: str) -> None:
        if self._unsaid:
            _tell(Event(what="sent", fid=fid, bytes=self._unsaid))
            self._unsaid = 0


def _checked(file: BinaryIO, upload: Upload, part_bytes: int) -> list[bytes]:
    """MD5 of each part, one for a file that goes in one piece. Raises `_FaultError` when the file is another."""
    whole, size, md5s = hashlib.sha256(), 0, []
    for part in _parts(file, part_bytes):
        md5 = hashlib.md5(usedforsecurity=False)
        for data in part:
            whole.update(data)
            md5.update(data)
            size += len(data)
        md5s.append(md5.digest())
    if size != upload.size or whole.hexdigest() != upload.sha256:
        raise _FaultError("unreadable", f"it is not as sealed: {size} bytes, SHA-256 {whole.hexdigest()[:16]}...")
    return md5s


def _parts(file: BinaryIO, part_bytes: int) -> Iterator[Iterator[bytes]]:
    def part(first: bytes) -> Iterator[bytes]:
        left, data = part_bytes, first
        while data:
            yield data
            left -= len(data)
            data = file.read(min(CHUNK, left)) if left else b""

    while first := file.read(min(CHUNK, part_bytes)):
        yield part(first)


def _fault(error: Exception) -> _FaultError:
    if isinstance(error, KeysError):
        return _FaultError("not_allowed", str(error))
    if isinstance(error, NoConnectionError | HTTPClientError):
        return _FaultError("unreachable", str(error))
    code = _code(error) if isinstance(error, ClientError) else ""
    if code in _NOT_ALLOWED:
        return _FaultError("not_allowed", f"the store says {code}: {error}")
    return _FaultError("refused" if code in _REFUSED else "later", str(error))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _tell(event: Event) -> None:
    print(json.dumps(asdict(event)), flush=True)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    sys.exit(main())
