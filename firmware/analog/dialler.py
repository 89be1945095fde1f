"""Takes the line and dials on it: waits for loop current and dial tone, then sends tones, or pulses of the loop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from firmware.analog.dial_tone import DialToneWait
from firmware.errors import AudioDeviceError, DeviceError
from firmware.ports import AudioSource

log = logging.getLogger("offhook.analog")

LOOP_CURRENT_S: Final = 1.0
"""A line with battery draws current at once; a relay takes 10 ms."""
DIAL_TONE_S: Final = 5.0
"""ITU-T E.425: an exchange gives it within 3 s."""
NO_EARS_S: Final = 2.0
"""Where nothing can hear the dial tone it is waited for so long."""
_BREAK_S, _MAKE_S, _PAUSE_S = 0.061, 0.039, 0.8
"""10 pulses a second, 61:39, as most dials make them."""
_RATE_HZ: Final = 8000
_TONE_S, _GAP_S, _TONE_DBFS = 0.1, 0.1, -12.0
_ROWS_HZ, _COLUMNS_HZ, _KEYS = (697, 770, 852, 941), (1209, 1336, 1477, 1633), "123A456B789C*0#D"


class CancelledError(Exception):
    """Somebody hung up meanwhile."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """What the dialler works on: the hook relay, the loop sensor, the line's ears and its mouth."""

    seize: Callable[[bool], None]
    loop_closed: threading.Event
    ears: Callable[[], AudioSource | None]
    speaker: str | None
    """ALSA device that speaks to the line."""


def dial(number: str, outlet: Outlet, *, by_pulses: bool, seized: Callable[[], None], stop: threading.Event) -> None:
    """Returns when the last digit is out; the line stays seized. ``seized`` is called when it draws current.

    Raises `DeviceError`, with the line let go, when it has no battery or no dial tone, or the speaker is gone;
    `CancelledError` when ``stop`` was set.
    """
    try:
        outlet.seize(True)
        if not outlet.loop_closed.wait(LOOP_CURRENT_S):
            raise DeviceError("no current flows although the line was taken: it has no battery, or is not connected")
        seized()
        _wait_for_dial_tone(outlet.ears(), stop)
        if by_pulses or outlet.speaker is None:
            _pulse(number, outlet.seize, stop)
        else:
            speak(tones(number), outlet.speaker, stop)
    except BaseException:
        outlet.seize(False)
        raise


def flash(outlet: Outlet, seconds: float) -> None:
    """Opens the loop for a moment: recall, or the register of a PBX."""
    outlet.seize(False)
    time.sleep(seconds)
    outlet.seize(True)


def tones(number: str) -> bytes:
    """DTMF of ``number`` (ITU-T Q.23; 100 ms on, 100 ms off), s16le mono 8 kHz."""
    t = np.arange(round(_TONE_S * _RATE_HZ)) / _RATE_HZ
    ramp = np.minimum(1.0, np.minimum(np.arange(len(t)), np.arange(len(t))[::-1]) / 40)
    amplitude = 32767 * 10 ** (_TONE_DBFS / 20)
    gap = np.zeros(round(_GAP_S * _RATE_HZ))
    parts = [gap]
    for key in number:
        row, column = divmod(_KEYS.index(key), 4)
        wave = np.sin(2 * np.pi * _ROWS_HZ[row] * t) + np.sin(2 * np.pi * _COLUMNS_HZ[column] * t)
        parts += [wave * ramp * amplitude, gap]
    return np.concatenate(parts).astype("<i2").tobytes()


def _wait_for_dial_tone(ears: AudioSource | None, stop: threading.Event) -> None:
    if ears is None:
        _rest(NO_EARS_S, stop)
        return
    wait = DialToneWait(ears.rate_hz)
    until_s = time.monotonic() + DIAL_TONE_S
    try:
        ears.open()
        while time.monotonic() < until_s:
            _rest(0.0, stop)
            block = ears.read()
            if block is not None and wait.hear(np.frombuffer(block.pcm, dtype="<i2")):
                return
    except AudioDeviceError as error:
        log.warning("dialling without hearing the dial tone: %s", error)
        _rest(NO_EARS_S, stop)
        return
    finally:
        ears.close()
    raise DeviceError(f"no dial tone came within {DIAL_TONE_S:g} s: is the line in service?")


def _pulse(number: str, seize: Callable[[bool], None], stop: threading.Event) -> None:
    if not number.isdigit():
        raise DeviceError("* and # cannot be dialled by pulses: give the board a way to speak (audio.playback)")
    for key in number:
        _rest(_PAUSE_S, stop)
        for _ in range(int(key) or 10):
            seize(False)
            time.sleep(_BREAK_S)
            seize(True)
            time.sleep(_MAKE_S)


def speak(pcm: bytes, speaker: str, stop: threading.Event) -> None:
    """Returns when the last of ``pcm`` (s16le mono 8 kHz) has been played on the ALSA device ``speaker``.

    Raises `DeviceError` when it is gone or cannot be opened; `CancelledError` when ``stop`` was set.
    """
    import alsaaudio  # noqa: PLC0415 - a box that only listens needs no playback

    try:
        device = alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK,
            device=speaker,
            rate=_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=320,
            periods=4,
        )
    except alsaaudio.ALSAAudioError as error:
        raise DeviceError(f"sound device {speaker} cannot be opened to dial: {error}") from error
    try:
        for at in range(0, len(pcm), 640):
            _rest(0.0, stop)
            device.write(pcm[at : at + 640].ljust(640, b"\0"))
        device.drain()
    except alsaaudio.ALSAAudioError as error:
        raise DeviceError(f"sound device {speaker} is gone: {error}") from error
    finally:
        device.close()


def _rest(seconds: float, stop: threading.Event) -> None:
    if stop.wait(seconds):
        raise CancelledError
