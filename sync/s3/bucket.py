"""Recordings into a bucket, as the agent sees it: which go next, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firmware.config_sync import SyncSettings
from sync import outbox
from sync.logs import is_log
from sync.moves import URGENT
from sync.outbox import DueFile, Mark, Outbox
from sync.s3.job import Event, Job, store_of, upload_of
from sync.s3.uploads import Uploads

MIB = 1024 * 1024
FILES, BYTES = 16, 64 * MIB
"""Of one child: few enough that it ends soon, many enough that its start costs little."""
REST_S = 60.0
LONGEST_REST_S = 900.0
WAIT_S = 600.0


class Host(Protocol):
    """What the agent does with what became of a file."""

    def mark(self, mark: Mark) -> None: ...

    def refused(self, file: DueFile, why: str) -> None: ...

    def unreadable(self, file: DueFile, why: str) -> None: ...

    def postpone(self, fid: str, wait_s: float, why: str) -> None: ...

    def trouble(self, key: str, detail: str) -> None: ...

    def sent(self, size: int) -> None: ...

    def heard(self) -> None:
        """The cloud answered."""


@dataclass(slots=True)
class _Trial:
    """A file that is no row of the outbox: of `offhook sync test`."""

    file: DueFile
    told: Callable[[Event], None]


class Bucket:
    def __init__(self, settings: SyncSettings, dev: str, box: Outbox, host: Host) -> None:
        self._settings = settings
        self._dev = dev
        self._outbox = box
        self._host = host
        self._uploads = Uploads()
        self._open: dict[str, DueFile] = {}
        self._test: _Trial | None = None
        self._rest_until_s = 0.0
        self._failures = 0

    @property
    def busy(self) -> bool:
        return self._uploads.busy

    @property
    def used(self) -> dict[str, float]:
        """``rss_kib`` and ``cpu_s`` of the last child that came to its end; empty before."""
        return self._uploads.used

    def turn(self, now_s: float, *, closed: str | None) -> None:
        """Looks at the child, and starts another. ``closed``: why ordinary recordings may not go now."""
        for event in self._uploads.events():
            self._happened(event, now_s)
        if self._uploads.busy:
            overtaken = not self._uploads.urgent and (closed or self._due(urgent=True))
            if overtaken:
                self.stop()
            return
        for fid in list(self._open):  # the child ended without a word about it
            del self._open[fid]
            self._host.postpone(fid, REST_S, "the uploading process ended early")
        if now_s >= self._rest_until_s:
            self._start(closed)

    def test(self, file: DueFile, told: Callable[[Event], None]) -> None:
        """Uploads, reads back and deletes ``file`` before anything else."""
        self._test = _Trial(file, told)
        self._rest_until_s = 0.0
        self.stop()

    def hurry(self) -> None:
        self._rest_until_s = 0.0

    def stop(self) -> None:
        """Whatever it was doing is done again later; a large file goes on where it was."""
        for event in self._uploads.events():
            self._happened(event, 0.0)
        self._uploads.stop()
        for event in self._uploads.events():
            self._happened(event, 0.0)
        self._open.clear()

    def _start(self, closed: str | None) -> None:
        if self._test:
            self._begin([self._test.file], urgent=True, read_back=True)
        elif due := self._due(urgent=True):
            self._begin(due, urgent=True)
        elif not closed and (due := self._due(urgent=False)):
            self._begin(due, urgent=False)

    def _due(self, *, urgent: bool) -> list[DueFile]:
        settings = self._settings
        found = self._outbox.files(
            FILES, urgent=urgent, audio=settings.audio, order=settings.order, without=list(self._open)
        )
        chosen: list[DueFile] = []
        for file in found:
            if chosen and sum(each.size for each in chosen) + file.size > BYTES:
                break
            chosen.append(file)
        return chosen

    def _begin(self, files: list[DueFile], *, urgent: bool, read_back: bool = False) -> None:
        settings = self._settings
        self._open = {file.fid: file for file in files}
        for file in files:
            if not read_back:
                self._host.mark(outbox.file_opened(file))
        prefix = settings.s3.prefix
        job = Job(
            store=store_of(settings, self._dev),
            uploads=[
                upload_of(file, prefix=prefix, dev=self._dev, upload_id=file.have, read_back=read_back)
                for file in files
            ],
            part_bytes=settings.s3.part_mb * MIB,
            bytes_per_s=settings.limit_kbps * 125.0 if settings.limit_kbps and not urgent else None,
        )
        self._uploads.start(job, urgent=urgent or all(file.prio <= URGENT for file in files))

    def _happened(self, event: Event, now_s: float) -> None:
        if event.what == "sent":
            self._host.sent(event.bytes)
            return
        if event.what == "began":
            self._host.mark(outbox.keep_have(event.fid, event.upload_id or None))
            return
        file = self._open.pop(event.fid, None)
        if self._test and (file is None or file.fid == self._test.file.fid):
            test, self._test = self._test, None
            test.told(event)
            return
        match event.what:
            case "stored":
                self._stored(event, file)
            case "unreadable" if file:
                self._host.unreadable(file, event.why)
            case "refused" if file:
                self._host.refused(file, event.why)
            case "later" if file:
                self._host.postpone(file.fid, WAIT_S, event.why)
            case "not_allowed" | "unreachable":
                self._failures += 1
                self._rest_until_s = now_s + min(REST_S * 2.0 ** min(self._failures - 1, 8), LONGEST_REST_S)
                self._open.clear()
                key = "not_allowed" if event.what == "not_allowed" else "unreachable"
                self._host.trouble(key, event.why)

    def _stored(self, event: Event, file: DueFile | None) -> None:
        self._failures = 0
        self._host.heard()
        if file is None:
            return
        if event.facts.get("size") != file.size or event.facts.get("sha256") != file.sha256:
            self._host.postpone(file.fid, WAIT_S, "the store has another size or hash")
            return
        self._host.mark(outbox.file_stored(file.fid))
        if is_log(file.recording_id):
            file.path.unlink(missing_ok=True)
        if file.call_id:
            self._host.mark(outbox.uploaded(file, event.facts))
