"""The seams: what the core asks of clocks, drivers, sound sources and the recorder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from firmware.effects import ListenFor, StartRecording, StopRecording
from firmware.events import LineEvent
from firmware.model import CallId, ChannelRole, Instant, LineId, LineKind, RecordingId

if TYPE_CHECKING:
    from firmware.signals.countries import CountryProfile
    from firmware.signals.line_health import LineHealth


class Clock(Protocol):
    """Both clocks, read together."""

    def now(self) -> Instant: ...


class EventSink(Protocol):
    """Where drivers and workers put what happened. Returns at once; may be called from any thread."""

    def __call__(self, event: LineEvent | RecorderEvent, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of sound from a source: interleaved s16le, ``at`` is the moment of its first frame."""

    pcm: bytes
    frames: int
    at: Instant
    lost_frames: int = 0
    """Frames that were lost just before this block (an overrun), as far as the device can tell; -1 = some."""


class AudioSource(Protocol):
    """Where a line's sound comes from: an ALSA device, or a module's PCM port.

    Every source is opened once and read for as long as the line is there; a module's port is just quiet between calls.
    """

    rate_hz: int
    roles: tuple[ChannelRole, ...]

    def open(self) -> None:
        """Raises `AudioDeviceError` when the device is missing, busy, or gives another format."""
        ...

    def read(self) -> Block | None:
        """Blocks for at most 1 s. None: nothing came in that time. Raises `AudioDeviceError` when it is gone."""
        ...

    def close(self) -> None: ...


class LineDriver(Protocol):
    """One line. Its first event is `LineUp`, or `LineDown` when the device is missing; it looks for it until `stop`.

    Every call returns at once; what comes of it comes as events. See docs/adding-a-line-driver.md.
    """

    kind: ClassVar[LineKind]
    options_type: ClassVar[type[Any]]
    """An attrs class: the driver's options in the settings, parsed and checked before the driver is made."""
    actions: ClassVar[frozenset[str]]
    """What it can do beside listening: values of `firmware.effects.LineAction`."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Returns within 5 s; no event follows."""
        ...

    def audio_source(self) -> AudioSource | None:
        """The line's sound, not yet opened; None where the hardware gives none."""
        ...

    def dial(self, number: str) -> None: ...

    def answer(self) -> None: ...

    def hang_up(self) -> None: ...


@runtime_checkable
class Flashing(Protocol):
    """A driver that can flash the hook (``flash`` in its actions)."""

    def flash(self) -> None:
        """Returns at once. Raises `DeviceError` when the box does not hold the line."""
        ...


@runtime_checkable
class Keying(Protocol):
    """A driver that can press keys in a call (``digits`` in its actions)."""

    def send_digits(self, digits: str) -> None:
        """Returns at once. ``digits``: of ``0123456789*#ABCD``. Raises `DeviceError` when the box holds no call."""
        ...


@runtime_checkable
class Playing(Protocol):
    """A driver that can play into a call (``play`` in its actions)."""

    def play(self, pcm: bytes) -> None:
        """Returns at once. ``pcm``: s16le mono 8 kHz. Raises `DeviceError` when the box does not hold the line."""
        ...


@runtime_checkable
class CountryAware(Protocol):
    """A driver whose debounce and supervision depend on the country; told before `LineDriver.start`."""

    def use_country(self, country: CountryProfile) -> None: ...


class GapCause(StrEnum):
    OVERRUN = "overrun"
    QUEUE_FULL = "queue_full"
    DEVICE_LOST = "device_lost"
    RECORDER_DOWN = "recorder_down"
    DISK_FULL = "disk_full"


@dataclass(frozen=True, slots=True)
class Gap:
    """Sound that is missing from a recording: ``missing_ms`` (None: unknown) before frame ``at_frame``."""

    at_frame: int
    missing_ms: int | None
    cause: GapCause


@dataclass(frozen=True, slots=True)
class ChannelLevels:
    """Levels of one channel over a whole recording. dBFS of s16: 0 is full scale, -96.3 is silence."""

    rms_dbfs: float
    peak_dbfs: float
    clipped_runs: int
    active_s: float
    """Seconds above -50 dBFS RMS, in 100 ms windows."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    path: str
    """Relative to the data folder."""
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderEvent:
    """Something happened to a recording or to the sound of a line."""

    line: LineId
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOpened(RecorderEvent):
    """The raw file exists and is safe in its folder; sound is being appended. ``at`` is its first frame's moment."""

    recording: RecordingId
    call: CallId
    part: int
    raw_path: str
    rate_hz: int
    roles: tuple[ChannelRole, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFound(RecordingOpened):
    """A raw file of an earlier run was in the spool; the store may not know of it. `RecordingClosed` follows.

    ``at`` is its first frame's moment; its ``boot_ns`` counts in the boot ``boot_id`` (None: not known).
    """

    boot_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed(RecorderEvent):
    """No sound can be kept for this recording (any more); what is already in its file stays."""

    recording: RecordingId
    call: CallId
    part: int
    cause: GapCause
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingClosed(RecorderEvent):
    """The raw file is complete and on the disk."""

    recording: RecordingId
    frames: int
    gaps: tuple[Gap, ...]
    levels: tuple[ChannelLevels, ...]
    chain_head: str
    """Last link of the SHA-256 chain over 1 s chunks, hex."""
    cut_short: bool = False
    """A crash or a power cut ended it, not the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSealed(RecorderEvent):
    """FLAC (decoded back, equal bit for bit) and Opus are on the disk. The raw file goes at `Recorder.confirm`."""

    recording: RecordingId
    flac: SealedFile
    opus: SealedFile
    peaks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMeasured(RecorderEvent):
    """What a recording of a two-wire line tells of the line; after its `RecordingSealed`."""

    recording: RecordingId
    health: LineHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class SealFailed(RecorderEvent):
    """The raw file stays where it is and is tried again later."""

    recording: RecordingId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundLost(RecorderEvent):
    """The sound device of the line is gone, or was never there."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundBack(RecorderEvent):
    """The sound device of the line delivers (again)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSilent(RecorderEvent):
    """In a call, nothing but digital silence (or no bytes at all) came for 3 s."""

    recording: RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundHeard(RecorderEvent):
    """Sound came after a `SoundSilent`."""

    recording: RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels(RecorderEvent):
    """Level per channel over the last fifth or quarter of a second, for the page's meters. dBFS."""

    rms_dbfs: tuple[float, ...]
    peak_dbfs: tuple[float, ...]


class LineListener(Protocol):
    """Decoders on one line's sound; lives on the line's file thread."""

    def order(self, order: ListenFor) -> None: ...

    def hear(self, block: Block) -> Sequence[LineEvent]: ...


class Recorder(Protocol):
    """The sound of all lines. Every call returns at once; what comes of it comes as `RecorderEvent`s."""

    def add_line(
        self, line: LineId, source: AudioSource, preroll_s: float, listener: LineListener | None = None
    ) -> None: ...

    def remove_line(self, line: LineId) -> None: ...

    def start(self, order: StartRecording) -> None: ...

    def stop(self, order: StopRecording) -> None: ...

    def listen(self, order: ListenFor) -> None: ...

    def recover(self) -> object:
        """Finishes what an earlier run left in the spool, in the background; called once."""
        ...

    def confirm(self, recording: RecordingId) -> None:
        """`RecordingSealed` of ``recording`` is committed: its raw file may go."""
        ...

    def close(self, deadline_s: float) -> None:
        """Closes every open recording (safe on the disk, sealed at the next start if time runs out) and stops."""
        ...


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device that could be a line: what to write in the settings to use it."""

    path: str
    """Where it is plugged in: the USB path (``1-1.3``), or the GPIO chip's label."""
    driver: str
    options: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    proposal: bool = False
    """It may be something else as well: shown to people, never made a line by itself."""
