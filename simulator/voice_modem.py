"""A USB voice modem on a pty: rings, tells callers, holds the line, sends and plays sound, and wedges when told to.

What it says is after ITU-T V.253, the Conexant CX930xx reference and logs of callattendant and NCID (telephony facts
6.7 and 6.8): RING, ``NMBR = ...`` lines, CONNECT, DLE-shielded sound of 8-bit unsigned samples at 8 kHz, DLE ETX.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import tty
from dataclasses import dataclass
from pathlib import Path

from firmware.worker import Worker

_DLE, _ETX = b"\x10", b"\x10\x03"
_FRAME_BYTES, _FRAME_S = 160, 0.02


@dataclass
class VoiceQuirks:
    """What differs from unit to unit, or goes wrong."""

    spaced: bool = True
    """``NMBR = 555`` or ``NMBR=555`` (NCID logs have both)."""
    caller_first: bool = False
    """Caller ID before the first RING (UK, France)."""
    number_then_out_of_area: bool = False
    """The exchange sends ``NMBR = O`` after the number (NCID)."""
    wedged: bool = False
    """Takes everything and says nothing (callattendant 105)."""
    refuses_line: bool = False
    """ERROR to AT+VLS=1 (callattendant 11)."""
    late_ok_s: float = 0.0
    """Time between the end of its sound and the OK behind it."""
    connected: str = "VCON"
    """What ATDT...; ends with: VCON or OK."""


class VoiceModem:
    """One modem. Every method may be called from any thread."""

    def __init__(self, path: Path, quirks: VoiceQuirks | None = None) -> None:
        self.path = path
        self.quirks = quirks or VoiceQuirks()
        self.commands: list[str] = []
        self.holds_line = False
        self.heard = bytearray()
        """Samples that the box played into the call."""
        self.remote = b"\x80\x90\xa0\x90\x80\x70\x60\x70"
        """What the line carries, over and over."""
        self.far_end_busy = False
        self._lock = threading.RLock()
        self._ends: tuple[int, int] | None = None
        self._worker: Worker | None = None
        self._ringing: Worker | None = None
        self._sending = self._playing = False
        self._typed = b""

    def plug(self) -> None:
        if self._ends is None:
            far, near = os.openpty()
            tty.setraw(near)
            os.set_blocking(far, False)
            self._ends, self.holds_line, self._sending, self._playing, self._typed = (
                (far, near),
                False,
                False,
                False,
                b"",
            )
            self.path.symlink_to(os.ttyname(near))
            self._worker = Worker("voice-modem", self._run)
            self._worker.start()

    def unplug(self) -> None:
        if self._ends is not None and self._worker is not None:
            self._worker.stop()
            self.path.unlink()
            with self._lock:
                ends, self._ends = self._ends, None
            for end in reversed(ends):
                os.close(end)

    # --- the line ---------------------------------------------------------------------------------------------------

    def ring(self, number: str = "02155550001", *, every_s: float = 2.0, name: str = "") -> None:
        """Somebody calls until `give_up`, or until the line is taken."""
        self._ringing = Worker("office-ringing", lambda stop: self._rings(stop, number, name, every_s))
        self._ringing.start()

    def give_up(self) -> None:
        if self._ringing is not None:
            self._ringing.stop()
            self._ringing = None

    def event(self, code: str) -> None:
        """A DLE event: ``b`` busy tone, ``d`` dial tone, ``l`` open loop, ``P`` another telephone was lifted ..."""
        self._say(_DLE + code.encode())

    def says(self, raw: bytes) -> None:
        self._say(raw)

    def close(self) -> None:
        self.give_up()
        self.unplug()

    # ----------------------------------------------------------------------------------------------------------------

    def _rings(self, stop: threading.Event, number: str, name: str, every_s: float) -> None:
        if self.quirks.caller_first:
            self._caller(number, name)
            stop.wait(0.6)
        first = True
        while not stop.is_set() and not self.holds_line:
            self._line("RING")
            if first and not self.quirks.caller_first:
                stop.wait(0.5)
                self._caller(number, name)
            first = False
            stop.wait(every_s)

    def _caller(self, number: str, name: str) -> None:
        fields = [("DATE", "1122"), ("TIME", "1017"), ("NMBR", number), *([("NAME", name)] if name else [])]
        if self.quirks.number_then_out_of_area:
            fields.append(("NMBR", "O"))
        for key, value in fields:
            self._line(f"{key} = {value}" if self.quirks.spaced else f"{key}={value}")

    def _line(self, text: str) -> None:
        with self._lock:
            if self.quirks.wedged or self._sending:
                return
            self._say(f"\r\n{text}\r\n".encode())

    def _say(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._ends is not None and select.select([], [self._ends[0]], [], 0)[1]:
                os.write(self._ends[0], data)

    def _run(self, stop: threading.Event) -> None:
        assert self._ends is not None
        far, at, next_s = self._ends[0], 0, time.monotonic()
        while not stop.is_set():
            if select.select([far], [], [], _FRAME_S / 2)[0]:
                with contextlib.suppress(OSError):
                    self._hear(os.read(far, 4096))
            while (now_s := time.monotonic()) >= next_s:
                next_s = now_s + _FRAME_S if now_s - next_s > 1 else next_s + _FRAME_S
                if self._sending and not self.quirks.wedged:
                    frame = bytes(self.remote[(at + n) % len(self.remote)] for n in range(_FRAME_BYTES))
                    at += _FRAME_BYTES
                    self._say(frame.replace(_DLE, _DLE + _DLE))

    def _hear(self, data: bytes) -> None:
        if self.quirks.wedged:
            return
        self._typed += data
        while self._typed:
            if self._playing:
                end = self._typed.find(_ETX)
                if end < 0:
                    return
                self.heard += self._typed[:end].replace(_DLE + _DLE, _DLE)
                self._typed, self._playing = self._typed[end + 2 :], False
                self._line("OK")
            elif self._sending:
                stop = self._typed.find(_DLE + b"!")
                if stop < 0:
                    self._typed = b""
                    return
                self._typed, self._sending = self._typed[stop + 2 :], False
                self._say(_ETX)
                time.sleep(self.quirks.late_ok_s)
                self._line("OK")
            else:
                line, end_of_line, rest = self._typed.partition(b"\r")
                if not end_of_line:
                    return
                self._typed = rest
                if b"AT" in line:
                    self._command(line[line.index(b"AT") :].decode("ascii", "replace"))

    def _command(self, text: str) -> None:
        self.commands.append(text)
        if text == "AT+VLS=1" and self.quirks.refuses_line:
            self._line("ERROR")
        elif text.startswith("AT+VLS="):
            self.holds_line = text.endswith("1")
            if self._ringing is not None and self.holds_line:
                self._ringing.request_stop()  # the loop is closed: the exchange trips the ringing
            self._line("OK")
        elif text == "AT+VRX":
            with self._lock:  # nothing else may be said between the word and the sound
                self._line("CONNECT")
                self._sending = True
        elif text == "AT+VTX":
            self._line("CONNECT")
            self._playing = True
        elif text.startswith("ATDT"):
            self.holds_line = True
            time.sleep(0.3)
            self._line("BUSY" if self.far_end_busy else self.quirks.connected)
        else:
            self._line("OK")
