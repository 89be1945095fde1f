"""A world of sound for the recorder: a source that plays a script on a clock of its own, and an ear for events."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from firmware.audio.recorder import SoundRecorder
from firmware.effects import StartRecording, StopRecording
from firmware.errors import AudioDeviceError
from firmware.events import LineEvent
from firmware.model import CallId, ChannelRole, Instant, LineId, RecordingId
from firmware.ports import Block, LineListener, RecorderEvent, RecordingSealed

LINE = LineId("fxo-1")
CALL = CallId("20261122T102233123Z-fxo-1")
RECORDING = RecordingId(f"{CALL}.p1")
BLOCK_S = 0.1
START = Instant(1_000_000_000_000, 1_795_342_953_123_000_000)

E = TypeVar("E", bound=RecorderEvent)


class TestClock:
    """Time that moves when the test says so."""

    __test__ = False

    def __init__(self) -> None:
        self._now = START

    def now(self) -> Instant:
        return self._now

    def move_to(self, seconds: float) -> None:
        self._now = START.plus_s(seconds)


class ScriptedSource:
    """A sound device whose n-th frame is the sample n (modulo 2**15), so that every frame in a file can be told apart.

    ``play`` puts sound into it at once, ahead of any clock; the blocks carry the stamps of a device that runs exactly.
    """

    def __init__(self, rate_hz: int = 8000, roles: tuple[ChannelRole, ...] = (ChannelRole.MIXED,)) -> None:
        self.rate_hz = rate_hz
        self.roles = roles
        self.present = True
        self.hangs = threading.Event()
        self._blocks: deque[Block | AudioDeviceError] = deque()
        self._ready = threading.Condition()
        self._frame = 0
        self._open = False

    @property
    def waiting_blocks(self) -> int:
        """Blocks that nobody has read yet."""
        return len(self._blocks)

    def open(self) -> None:
        if not self.present:
            raise AudioDeviceError("sound device test is not plugged in")
        self._open = True

    def close(self) -> None:
        self._open = False

    def read(self) -> Block | None:
        assert self._open
        while self.hangs.is_set():
            time.sleep(0.01)
        with self._ready:
            self._ready.wait_for(lambda: bool(self._blocks), timeout=0.2)
            if not self._blocks:
                return None
            block = self._blocks.popleft()
        if isinstance(block, AudioDeviceError):
            raise block
        return block

    def play(self, seconds: float, *, sound: Callable[[int, int], np.ndarray] | None = None, lost_s: float = 0) -> None:
        """The next ``seconds`` of sound come, after ``lost_s`` that an overrun swallowed."""
        lost = round(lost_s * self.rate_hz)
        self._frame += lost
        left = round(seconds * self.rate_hz)
        while left > 0:
            frames = min(left, round(BLOCK_S * self.rate_hz))
            samples = (sound or ramp)(self._frame, frames)
            pcm = np.repeat(samples.astype("<i2")[:, None], len(self.roles), axis=1).tobytes()
            self._put(Block(pcm=pcm, frames=frames, at=self.moment(self._frame), lost_frames=lost))
            lost = 0
            self._frame += frames
            left -= frames

    def skip(self, seconds: float) -> None:
        """Time passes in which the device delivers nothing and says nothing about it."""
        self._frame += round(seconds * self.rate_hz)

    def vanish(self) -> None:
        self.present = False
        self._put(AudioDeviceError("sound device test was unplugged"))

    def come_back(self, after_s: float) -> None:
        self.skip(after_s)
        self.present = True

    def moment(self, frame: int) -> Instant:
        return START.plus_s(frame / self.rate_hz)

    def drained(self) -> bool:
        return not self._blocks

    def _put(self, item: Block | AudioDeviceError) -> None:
        with self._ready:
            self._blocks.append(item)
            self._ready.notify()


def ramp(first: int, frames: int) -> np.ndarray:
    return np.arange(first, first + frames) % 32768


def silence(first: int, frames: int) -> np.ndarray:
    return np.zeros(frames)


class Ear:
    """The event sink: remembers everything, waits for what should come, and confirms what was sealed."""

    def __init__(self) -> None:
        self.events: list[RecorderEvent | LineEvent] = []
        self.confirm: Callable[[RecordingId], None] | None = None
        self._new = threading.Condition()

    def __call__(self, event: RecorderEvent | LineEvent, /) -> None:
        with self._new:
            self.events.append(event)
            self._new.notify_all()
        if isinstance(event, RecordingSealed) and self.confirm is not None:
            self.confirm(event.recording)

    def heard(self, kind: type[E]) -> list[E]:
        return [event for event in list(self.events) if isinstance(event, kind)]

    def wait(self, kind: type[E], *, count: int = 1, within_s: float = 8.0) -> E:
        """The ``count``-th event of a kind."""
        with self._new:
            came = self._new.wait_for(lambda: len(self.heard(kind)) >= count, within_s)
        assert came, (
            f"no {kind.__name__} number {count} within {within_s} s; heard {[type(e).__name__ for e in self.events]}"
        )
        return self.heard(kind)[count - 1]


class Studio:
    """A recorder with one scripted line, on a clock that the test moves."""

    def __init__(
        self,
        data_dir: Path,
        *,
        source: ScriptedSource | None = None,
        preroll_s: float = 5.0,
        listener: LineListener | None = None,
        confirm: bool = False,
    ) -> None:
        self.data_dir = data_dir
        self.clock = TestClock()
        self.ear = Ear()
        self.source = source or ScriptedSource()
        self.recorder = SoundRecorder(self.ear, self.clock, data_dir, "boot-1")
        if confirm:
            self.ear.confirm = self.recorder.confirm
        self.preroll_s = preroll_s
        self.recorder.add_line(LINE, self.source, preroll_s, listener)

    def start(self, at_s: float, *, part: int = 1) -> None:
        self.recorder.start(
            StartRecording(
                recording=RecordingId(f"{CALL}.p{part}"),
                call=CALL,
                line=LINE,
                part=part,
                at=START.plus_s(at_s),
                preroll_s=self.preroll_s,
            )
        )

    def stop(self, at_s: float, *, part: int = 1) -> None:
        self.recorder.stop(StopRecording(recording=RecordingId(f"{CALL}.p{part}"), line=LINE, at=START.plus_s(at_s)))

    def settle(self) -> None:
        """Until the sound played so far has gone through the capture thread and the file thread has seen it."""
        deadline = time.monotonic() + 5
        while not self.source.drained() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.8)  # longer than the file thread sleeps when little sound comes

    def raw(self, part: int = 1) -> np.ndarray:
        path = self.data_dir / "spool" / f"{CALL}.p{part}.raw"
        return np.fromfile(path, dtype="<i2").reshape(-1, len(self.source.roles))

    def close(self) -> None:
        self.recorder.close(5.0)
