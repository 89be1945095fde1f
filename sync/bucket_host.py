"""What became of a file in a bucket, told to those who keep the rows, the volume and the complaints."""

from __future__ import annotations

from collections.abc import Callable

from sync.complaints import Complaints
from sync.outbox import DueFile, Mark
from sync.under_way import UnderWay
from sync.volume import Volume


class BucketHost:
    """As `sync.s3.bucket.Host`."""

    def __init__(
        self, under_way: UnderWay, volume: Volume, complaints: Complaints, *, heard: Callable[[], None]
    ) -> None:
        self._under_way = under_way
        self._volume = volume
        self._complaints = complaints
        self._heard = heard

    def mark(self, mark: Mark) -> None:
        self._under_way.mark(mark)

    def refused(self, file: DueFile, why: str) -> None:
        self._under_way.refused(file.fid, why)

    def unreadable(self, file: DueFile, why: str) -> None:
        self._under_way.unreadable(file, why)

    def postpone(self, fid: str, wait_s: float, why: str) -> None:
        self._under_way.postpone(fid, wait_s, why)

    def trouble(self, key: str, detail: str) -> None:
        self._complaints.trouble(key, detail, of_bucket=True)

    def sent(self, size: int) -> None:
        self._volume.sent(size)

    def heard(self) -> None:
        self._heard()
        self._complaints.forget(of_bucket=True)
