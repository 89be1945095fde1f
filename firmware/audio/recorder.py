"""The sound of all lines: takes orders from the runtime, gives events back, and keeps every file safe in between."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path

from firmware.audio.durable import make_folder
from firmware.audio.line_sound import LineSound
from firmware.audio.recovery import SpoolFindings, recover, search_spool
from firmware.audio.seal import Sealer
from firmware.effects import ListenFor, StartRecording, StopRecording
from firmware.model import LineId, RecordingId
from firmware.ports import (
    AudioSource,
    Clock,
    EventSink,
    GapCause,
    LineListener,
    RecordingClosed,
    RecordingFailed,
)
from firmware.worker import WorkerStuckError

log = logging.getLogger("offhook.audio")

_STOP_SEALING_S = 2.0
"""A portion of a recording that is just being encoded takes this long on the slowest box."""


class SoundRecorder:
    """Implements `Recorder`. Orders may come from any thread."""

    def __init__(self, sink: EventSink, clock: Clock, data_dir: Path, boot_id: str) -> None:
        """Makes ``spool/`` and ``recordings/`` in ``data_dir``. Raises `OSError` when the disk does not allow it."""
        self._sink = sink
        self._clock = clock
        self._boot_id = boot_id
        self._data_dir = data_dir
        self._spool = data_dir / "spool"
        make_folder(self._spool)
        make_folder(data_dir / "recordings")
        self._left_behind = frozenset(path.name for path in self._spool.iterdir())
        self._lock = threading.Lock()
        self._lines: dict[LineId, LineSound] = {}
        self._retired: list[LineSound] = []
        self._sealer = Sealer(data_dir=data_dir, sink=sink, clock=clock)
        self._sealer.start()

    def recover(self) -> SpoolFindings:
        """Finishes what an earlier run left in the spool, on the sealing thread; call it once.

        Returns at once with what it found; recordings of this run are left alone. Each recording comes as
        `RecordingFound`, `RecordingClosed` and `RecordingSealed`. Raises `OSError` when the spool cannot be read.
        """
        findings = search_spool(self._data_dir, self._left_behind)
        for raw in findings.recordings:
            self._sealer.submit(partial(self._recover_one, raw))
        return findings

    def add_line(
        self, line: LineId, source: AudioSource, preroll_s: float, listener: LineListener | None = None
    ) -> None:
        sound = LineSound(
            line=line,
            source=source,
            preroll_s=preroll_s,
            listener=listener,
            sink=self._sink,
            closed=self._closed,
            clock=self._clock,
            spool=self._spool,
            boot_id=self._boot_id,
        )
        with self._lock:
            replaced = self._lines.pop(line, None)
            self._lines[line] = sound
            if replaced is not None:
                self._retired.append(replaced)
        if replaced is not None:
            replaced.request_stop()
        sound.start()

    def remove_line(self, line: LineId) -> None:
        """A recording that is open on it is closed and sealed."""
        with self._lock:
            sound = self._lines.pop(line, None)
            if sound is not None:
                self._retired.append(sound)
        if sound is not None:
            sound.request_stop()

    def start(self, order: StartRecording) -> None:
        sound = self._sound(order.line)
        if sound is not None:
            sound.inbox.put(order)
            return
        self._sink(
            RecordingFailed(
                line=order.line,
                at=self._clock.now(),
                recording=order.recording,
                call=order.call,
                part=order.part,
                cause=GapCause.DEVICE_LOST,
                reason=f"line {order.line} has no sound device",
            )
        )

    def stop(self, order: StopRecording) -> None:
        sound = self._sound(order.line)
        if sound is not None:
            sound.inbox.put(order)

    def listen(self, order: ListenFor) -> None:
        sound = self._sound(order.line)
        if sound is not None:
            sound.inbox.put(order)

    def confirm(self, recording: RecordingId) -> None:
        """`RecordingSealed` of ``recording`` is committed in the database: its raw file may go.

        Also for a `RecordingFailed` whose cause is ``recorder_down``: its raw file is empty.
        """
        self._sealer.confirm(recording)

    def close(self, deadline_s: float) -> None:
        """See `Recorder`. What is not sealed in time stays in the spool for the next start."""
        until_s = time.monotonic() + deadline_s
        seal_until_s = until_s - min(_STOP_SEALING_S, deadline_s / 2)
        with self._lock:
            sounds = [*self._lines.values(), *self._retired]
            self._lines.clear()
            self._retired.clear()
        for sound in sounds:
            sound.request_stop()
        for sound in sounds:
            try:
                sound.join(max(0.1, until_s - time.monotonic()))
            except WorkerStuckError as error:
                log.error("%s; its recording is finished at the next start", error)
        while not self._sealer.idle and time.monotonic() < seal_until_s:
            time.sleep(0.05)
        self._sealer.request_stop()
        try:
            self._sealer.join(max(0.1, until_s - time.monotonic()))
        except WorkerStuckError as error:
            log.error("%s; what it was sealing is sealed at the next start", error)

    def _sound(self, line: LineId) -> LineSound | None:
        with self._lock:
            return self._lines.get(line)

    def _closed(self, event: RecordingClosed) -> None:
        self._sealer.seal_later(self._spool / f"{event.recording}.raw")

    def _recover_one(self, raw: Path) -> None:
        try:
            found, outcome = recover(raw, self._clock)
        except OSError as error:
            log.error("%s cannot be recovered now, it is tried again at the next start: %s", raw.name, error)
            return
        self._sink(found)
        self._sink(outcome)
        if isinstance(outcome, RecordingClosed):
            self._sealer.seal(raw)
