"""Turns closed raw recordings into FLAC and Opus, one at a time and behind everything else the box does."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from firmware.audio.chain import Header, read_sidecar
from firmware.audio.durable import fsync_folder
from firmware.audio.encode import PORTION_S, EncodeError, EncodeStoppedError, encode
from firmware.model import ChannelRole, RecordingId
from firmware.ports import Clock, EventSink, LineMeasured, RecordingSealed, SealFailed
from firmware.signals.line_health import HealthMeter
from firmware.worker import Worker

log = logging.getLogger("offhook.audio")

RETRY_S = 60.0

Job = Callable[[], None]


class Sealer:
    """One worker, one queue. Raw files go only when `confirm` says that the result is in the database.

    Its thread keeps the priority of the others on purpose: one that steps back and is put aside by a busy machine while
    it holds the interpreter's lock holds up the capture of sound for seconds.
    """

    def __init__(self, *, data_dir: Path, sink: EventSink, clock: Clock) -> None:
        self._data_dir = data_dir
        self._sink = sink
        self._clock = clock
        self._jobs: deque[Job] = deque()
        self._busy = False
        self._stopping = threading.Event()
        self._retry: list[Path] = []
        self._ready = threading.Condition()
        self._worker = Worker("seal", self._run)

    def start(self) -> None:
        self._worker.start()

    def request_stop(self) -> None:
        """What is being sealed is left for the next start."""
        self._stopping.set()
        self._worker.request_stop()
        with self._ready:
            self._ready.notify()

    def join(self, deadline_s: float) -> None:
        self._worker.join(deadline_s)

    @property
    def idle(self) -> bool:
        with self._ready:
            return not self._jobs and not self._busy

    def submit(self, job: Job) -> None:
        """Runs ``job`` on the sealing thread, after what is queued already."""
        with self._ready:
            self._jobs.append(job)
            self._ready.notify()

    def seal_later(self, raw: Path) -> None:
        """Queues a closed raw file (its sidecar complete) for sealing."""
        self.submit(lambda: self.seal(raw))

    def confirm(self, recording: RecordingId) -> None:
        """The database knows of the sealed files: the raw file may go. Returns at once."""
        self.submit(lambda: remove_raw(self._data_dir / "spool" / f"{recording}.raw"))

    def seal(self, raw: Path) -> None:
        """Seals now, on the calling thread; the result comes as an event."""
        if not raw.exists():
            return
        header: Header | None = None
        try:
            header = read_sidecar(raw.with_suffix(".jsonl").read_bytes()).header
            sealed = encode(raw, header, self._data_dir, self._stopping.is_set)
        except EncodeStoppedError as stopped:
            log.info("%s", stopped)
            return
        except (EncodeError, OSError, ValueError) as error:
            log.error("sealing %s failed: %s", raw.name, error)
            self._retry.append(raw)
            if header is not None:
                self._sink(
                    SealFailed(line=header.line, at=self._clock.now(), recording=header.recording, reason=str(error))
                )
            return
        self._sink(
            RecordingSealed(
                line=header.line,
                at=self._clock.now(),
                recording=header.recording,
                flac=sealed.flac,
                opus=sealed.opus,
                peaks=sealed.peaks,
            )
        )
        if header.roles == (ChannelRole.MIXED,):
            self._measure(raw, header)

    def _measure(self, raw: Path, header: Header) -> None:
        """What the sound tells of its two-wire line."""
        meter = HealthMeter(header.rate_hz)
        try:
            with raw.open("rb") as file:
                while (pcm := file.read(2 * PORTION_S * header.rate_hz)) and not self._stopping.is_set():
                    meter.feed(np.frombuffer(pcm[: len(pcm) & ~1], dtype="<i2"))
        except OSError as error:
            log.warning("the line of %s was not measured: %s", header.recording, error)
            return
        health = meter.result()
        if health is not None and not self._stopping.is_set():
            self._sink(LineMeasured(line=header.line, at=self._clock.now(), recording=header.recording, health=health))

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            with self._ready:
                self._busy = False
                if not self._jobs and not stop.is_set():
                    self._ready.wait(RETRY_S)
                job = self._jobs.popleft() if self._jobs else None
                self._busy = job is not None
            if job is not None:
                job()
            else:
                retry, self._retry = self._retry, []
                for raw in retry:
                    self.seal_later(raw)


def remove_raw(raw: Path) -> None:
    """Removes a raw file first and its companions after, so that sound is never left without its sidecar."""
    for path in (raw, raw.with_suffix(".peaks.json"), raw.with_suffix(".jsonl")):
        path.unlink(missing_ok=True)
    fsync_folder(raw.parent)
