"""A recorder that hears nothing and a driver that does nothing, for tests of what stands between them."""

from __future__ import annotations

from firmware.effects import ListenFor, StartRecording, StopRecording
from firmware.model import LineId, LineKind
from firmware.ports import AudioSource, LineListener


class DeafRecorder:
    """Takes every order; no sound ever comes of it."""

    def add_line(
        self, line: LineId, source: AudioSource, preroll_s: float, listener: LineListener | None = None
    ) -> None: ...

    def remove_line(self, line: LineId) -> None: ...

    def start(self, order: StartRecording) -> None: ...

    def stop(self, order: StopRecording) -> None: ...

    def listen(self, order: ListenFor) -> None: ...

    def close(self, deadline_s: float) -> None: ...


class StillDriver:
    """A line on which nothing happens by itself."""

    kind = LineKind.ANALOG
    options_type = dict
    actions: frozenset[str] = frozenset()

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def audio_source(self) -> AudioSource | None:
        return None

    def dial(self, number: str) -> None: ...

    def answer(self) -> None: ...

    def hang_up(self) -> None: ...
