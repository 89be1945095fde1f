"""Carries `offhook sync test` through: follows the steps of a `Proof` and answers the one who asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware.config_sync import ConfirmedBy, FilesBy, SyncSettings
from sync import proof, wire
from sync.complaints import Complaints
from sync.desk import Desk, Wish
from sync.outbox import DueFile, Outbox
from sync.proof import Proof
from sync.s3.job import Event


class Prover:
    def __init__(
        self,
        settings: SyncSettings,
        box: Outbox,
        desk: Desk,
        complaints: Complaints,
        *,
        now_s: Callable[[], float],
        utc_ms: Callable[[], int],
        ask_to_check: Callable[[str], None],
    ) -> None:
        """``ask_to_check`` asks the receiver to read a stored file again where it lies."""
        self._settings = settings
        self._outbox = box
        self._desk = desk
        self._complaints = complaints
        self._now_s = now_s
        self._utc_ms = utc_ms
        self._ask_to_check = ask_to_check
        self._run: Proof | None = None
        self._last: dict[str, Any] | None = None

    @property
    def shown(self) -> dict[str, Any] | None:
        return {"running": True} if self._run else self._last

    def begin(self, wish: Wish) -> DueFile | None:
        """The file that is to be sent; None when another test runs, which the one who asked is told."""
        if self._run:
            self._desk.answer(wish, {"ok": False, "error": "another test runs"})
            return None
        self._outbox.write([proof.record(wish)])
        waiting = self._outbox.waiting(self._settings.audio).events
        self._run = proof.prepare(
            wish, now_s=self._now_s(), utc_ms=self._utc_ms(), records_waiting=waiting, epoch=self._outbox.epoch
        )
        return self._run.file

    def to_send(self) -> DueFile | None:
        """The file, once for each connection."""
        if self._run is None or self._run.offered:
            return None
        self._run.offered = True
        return self._run.file

    def disconnected(self) -> None:
        if self._run:
            self._run.offered = False

    # Steps -----------------------------------------------------------------------------------------------------------

    def greeted(self) -> None:
        if self._run and self._run.hello_s is None:
            self._run.hello_s = self._now_s() - self._run.started_s

    def stored(self, fid: str) -> bool:
        """Whether it was the test's file."""
        run = self._run
        if run is None or fid != run.file.fid:
            return False
        run.file_s = self._now_s() - run.started_s
        if self._settings.files_by is FilesBy.MQTT:
            self._ask_to_check(fid)
        else:
            run.read_back = True  # EMQX has held the whole against its checksum, and shows nothing
        return True

    def refused(self, fid: str, why: str) -> bool:
        """Whether it was the test's file."""
        if self._run is None or fid != self._run.file.fid:
            return False
        self._run.error = why
        return True

    def checked(self, ack: wire.FileAck) -> None:
        """The receiver has read the test's file again where it lies, if that is what this says."""
        run = self._run
        if run is None or ack.f != run.file.fid or not run.file_s:
            return
        if ack.desc == wire.CHECKED:
            run.read_back = ack.sha256 == run.file.sha256 and ack.size == run.file.size
            if not run.read_back:
                run.error = "what the cloud reads back is not what was sent"
        elif ack.state == "rejected":
            run.error = ack.desc

    def bucket_said(self, event: Event) -> None:
        if self._run is None:
            return
        if event.what == "stored":
            self._run.file_s = self._now_s() - self._run.started_s
            self._run.read_back = bool(event.facts.get("read_back"))
            if not self._run.read_back:
                self._run.error = "what was read back from the bucket is not what was sent"
        else:
            self._run.error = event.why

    def follow(self, *, ready: bool) -> bool:
        """Whether a test has just come to its end."""
        run = self._run
        if run is None:
            return False
        took_s = self._now_s() - run.started_s
        if self._settings.confirmed_by is ConfirmedBy.BROKER and ready:
            run.hello_s = run.hello_s if run.hello_s is not None else took_s  # nobody there to greet: the broker counts
        if run.hello_s is not None and run.records_s is None and not self._outbox.waiting(self._settings.audio).events:
            run.records_s = took_s
        if not run.done and took_s > proof.DEADLINE_S:
            late = "the receiver did not answer in time" if run.file_s is None else "the receiver reads nothing back"
            run.error = self._complaints.last or late
        if not run.done:
            return False
        answer = run.answer()
        self._desk.answer(run.wish, answer)
        self._last = answer | {"running": False, "at_ms": self._utc_ms()}
        run.close()
        self._run = None
        return True
