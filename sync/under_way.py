"""Rows of the outbox that are on their way: read when they are due, and marked by what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from firmware.config_sync import SyncSettings
from sync import outbox, wire
from sync.complaints import Complaints
from sync.logs import is_log
from sync.machine import Wants
from sync.outbox import DueFile, DueRecord, Mark, Outbox

SUSPECTS = 3


class UnreadableError(Exception):
    """A file is not what was sealed."""


@dataclass(frozen=True, slots=True)
class Due:
    """What may go now."""

    records: list[DueRecord] = field(default_factory=list)
    files: list[DueFile] = field(default_factory=list)


class UnderWay:
    def __init__(
        self,
        settings: SyncSettings,
        box: Outbox,
        complaints: Complaints,
        *,
        utc_ms: Callable[[], int],
        abort: Callable[[str], None],
        trial_refused: Callable[[str, str], bool],
    ) -> None:
        """``abort`` tells the cloud that a file will not come; ``trial_refused`` takes the refusal of a file that is no
        row of the outbox."""
        self._settings = settings
        self._outbox = box
        self._complaints = complaints
        self._utc_ms = utc_ms
        self._abort = abort
        self._trial_refused = trial_refused
        self._records: dict[int, DueRecord] = {}
        self._files: dict[str, DueFile] = {}
        self._marks: list[Mark] = []
        self._suspects: dict[str, int] = {}

    # Out -------------------------------------------------------------------------------------------------------------

    def due(
        self, wants: Wants, *, records: Collection[int], files: Collection[str], clock_is_right: bool, with_files: bool
    ) -> Due:
        """At most what is wanted, without the ``records`` and ``files`` that the machine has. Raises `StoreError`."""
        if wants.records or wants.urgent or wants.files:
            self.commit()  # what is stored must not be found again
        found = Due()
        if wants.records:
            found.records.extend(self._outbox.records(wants.records, without=records, clock_is_right=clock_is_right))
        for limit, urgent in ((wants.urgent, True), (wants.files, False)):
            if limit and with_files:
                audio, order = self._settings.audio, self._settings.order
                found.files.extend(
                    self._outbox.files(limit, urgent=urgent, audio=audio, order=order, without=list(files))
                )
        self._marks += [outbox.file_opened(file) for file in found.files]
        return found

    def take(self, due: Due, *, records: Collection[int], files: Collection[str]) -> None:
        """``due`` is on its way now, with those of before that the machine still has."""
        self._records = {seq: self._records[seq] for seq in records} | {one.seq: one for one in due.records}
        self._files = {fid: file for fid, file in self._files.items() if fid in files}
        self._files |= {file.fid: file for file in due.files}

    def records(self, seqs: Collection[int]) -> list[wire.Record]:
        return [self._records[seq].record for seq in seqs]

    def file(self, fid: str) -> DueFile | None:
        """None when it was given up meanwhile."""
        return self._files.get(fid)

    def piece(self, file: DueFile, offset: int, length: int) -> bytes:
        """Raises `UnreadableError`."""
        try:
            with file.path.open("rb") as content:
                content.seek(offset)
                data = content.read(length)
        except OSError as error:
            raise UnreadableError(str(error)) from error
        if len(data) != length:
            raise UnreadableError(f"it has less than the {file.size} bytes it was sealed with")
        return data

    def clear(self) -> None:
        """There is no connection any more."""
        self._records.clear()
        self._files.clear()

    # What became of them ---------------------------------------------------------------------------------------------

    def mark(self, *marks: Mark) -> None:
        """Written with the next commit."""
        self._marks += marks

    def commit(self) -> None:
        """Raises `StoreError`: then none of the marks counts."""
        marks, self._marks = self._marks, []
        self._outbox.write(marks)

    def forget_marks(self) -> None:
        """Nothing is lost: what was acknowledged meanwhile is sent again, and the cloud has it only once."""
        self._marks.clear()

    def record_refused(self, seq: int, why: str) -> None:
        self.mark(outbox.set_record_aside(seq, why))
        self._complaints.alarm("sync_refused", f"record {seq}", why)

    def record_postponed(self, seq: int, wait_s: float, why: str) -> None:
        self.mark(outbox.postpone_record(seq, until_ms=self._later_ms(wait_s), why=why))
        self._complaints.failed(f"record {seq}: {why}")

    def stored(self, fid: str, *, trial: bool) -> None:
        """A ``trial`` is no row of the outbox."""
        file = self._files.pop(fid, None)
        if file is not None and is_log(file.recording_id):
            file.path.unlink(missing_ok=True)
        self._suspects.pop(fid, None)
        self._complaints.over("sync_cloud_full")
        if not trial:
            self.mark(outbox.file_stored(fid))

    def refused(self, fid: str, why: str) -> None:
        self._files.pop(fid, None)
        if self._trial_refused(fid, why):
            return
        self.mark(outbox.set_file_aside(fid, why))
        self._complaints.alarm("sync_refused", f"file {fid}", why)

    def suspect(self, fid: str, why: str) -> None:
        """What the cloud assembled does not fit: our own file is read again before it is blamed on the way."""
        file = self._files.get(fid)
        if file is None:
            return
        try:
            with file.path.open("rb") as content:
                ours = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            self.unreadable(file, str(error))
            return
        if ours != file.sha256:
            self.unreadable(file, f"its SHA-256 is {ours[:16]}..., it was sealed with {file.sha256[:16]}...")
            return
        self._suspects[fid] = self._suspects.get(fid, 0) + 1
        if self._suspects[fid] >= SUSPECTS:
            self.refused(fid, f"{why}; three attempts, and our own file is sound")
        else:
            self.postpone(fid, 1.0, why)

    def unreadable(self, file: DueFile, why: str) -> None:
        self._files.pop(file.fid, None)
        self._abort(file.fid)
        if self._outbox.knows_file(file.fid):  # else retention was faster, and has told the cloud so
            self.mark(outbox.set_file_aside(file.fid, why))
            self._complaints.alarm("sync_file_lost", file.fid, f"{file.path.name}: {why}")

    def postpone(self, fid: str, wait_s: float, why: str) -> None:
        self._files.pop(fid, None)
        self.mark(outbox.postpone_file(fid, until_ms=self._later_ms(wait_s), why=why))
        self._complaints.failed(f"file {fid}: {why}", "file")

    def _later_ms(self, wait_s: float) -> int:
        return self._utc_ms() + round(wait_s * 1000)
