"""Hook and keys of a handset: a hook contact on a GPIO pin, keys as Linux input events, or as tones in its sound."""

from __future__ import annotations

import logging
import os
import select
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from firmware.model import LineId
from firmware.modem.handset_dial import Answer, Dial, HandsetDial, HangUp, SendDigit, Wish
from firmware.modem.handset_ear import HandsetEar
from firmware.worker import Worker

log = logging.getLogger("offhook.modem")

EVENT: Final = struct.Struct("llHHi")
"""struct input_event of linux/input.h: time (two longs), type, code, value."""
EV_KEY: Final = 1
PRESSED: Final = 1
DIGIT_OF_CODE: Final[dict[int, str]] = {
    **{code: str((code - 1) % 10) for code in range(2, 12)},  # KEY_1 ... KEY_9, KEY_0
    **{0x200 + n: str(n) for n in range(10)},  # KEY_NUMERIC_0 ...
    0x20A: "*", 0x20B: "#", 55: "*",  # KEY_NUMERIC_STAR, KEY_NUMERIC_POUND, KEY_KPASTERISK
    71: "7", 72: "8", 73: "9", 75: "4", 76: "5", 77: "6", 79: "1", 80: "2", 81: "3", 82: "0",  # KEY_KP7 ...
}  # fmt: skip
BUTTON_CODES: Final = frozenset({169, 226, 28, 96, 0x1BD})
"""KEY_PHONE, KEY_MEDIA (a headset's button), KEY_ENTER, KEY_KPENTER, KEY_PICKUP_PHONE (linux/input-event-codes.h)."""
HANG_UP_CODES: Final = frozenset({0x1BE, 1})
"""KEY_HANGUP_PHONE, KEY_ESC."""
_RETRY_S: Final = 2.0


class HandsetKeys:
    """Calls ``wish`` on its own threads; it must return at once."""

    def __init__(
        self,
        line: LineId,
        *,
        hook_gpio: int | None,
        keys: str | None,
        ringing: Callable[[], bool],
        in_call: Callable[[], bool],
        wish: Callable[[Wish], None],
        tones: str | None = None,
    ) -> None:
        """``hook_gpio``: BCM number of a contact to ground that closes when the handset is lifted; ``keys``: an input
        device (``/dev/input/by-id/...-event-kbd``); ``tones``: ALSA name of a microphone in whose sound digits are
        heard, while the handset is lifted (without a hook contact: always) and no call is up."""
        self._line = line
        self._hook_gpio = hook_gpio
        self._keys = keys
        self._ringing = ringing
        self._in_call = in_call
        self._wish = wish
        self._lock = threading.Lock()
        self._dial = HandsetDial()
        self._hook: Any = None
        self._worker = Worker(f"keys-{line}", self._run) if keys is not None else None
        self._ear: HandsetEar | None = None
        if tones is not None:
            self._ear = HandsetEar(
                line, capture=tones, listening=self._wants_tones, digit=self.typed, on_time=self._on_time
            )

    def start(self) -> None:
        if self._hook_gpio is not None:
            from gpiozero import Button, GPIOZeroError  # noqa: PLC0415 - only boxes with a hook contact need it

            try:
                self._hook = Button(self._hook_gpio, bounce_time=0.05)
                self._hook.when_pressed, self._hook.when_released = self._lifted, self._put_back
            except GPIOZeroError as error:
                log.error("the hook contact of %s on GPIO %d cannot be used: %s", self._line, self._hook_gpio, error)
        for part in (self._worker, self._ear):
            if part is not None:
                part.start()

    def stop(self) -> None:
        for part in (self._worker, self._ear):
            if part is not None:
                part.stop()
        # Last: both ask it whether the handset is lifted.
        if self._hook is not None:
            self._hook.close()

    def _lifted(self) -> None:
        with self._lock:
            wish = self._dial.lifted(ringing=self._ringing())
        self._pass_on(wish)

    def _put_back(self) -> None:
        with self._lock:
            wish = self._dial.put_back(in_call=self._in_call())
        self._pass_on(wish)

    def _pass_on(self, wish: Wish | None) -> None:
        if wish is not None:
            self._wish(wish)

    def _run(self, stop: threading.Event) -> None:
        complained = False
        while not stop.is_set():
            try:
                fd = os.open(str(self._keys), os.O_RDONLY | os.O_NONBLOCK)
            except OSError as error:
                if not complained:
                    log.warning("keys of the handset of %s cannot be read: %s", self._line, error)
                    complained = True
                stop.wait(_RETRY_S)
                continue
            try:
                while not stop.is_set():
                    self._read(fd)
            except OSError as error:
                log.warning("keys of the handset of %s are gone: %s", self._line, error)
                stop.wait(_RETRY_S)
            finally:
                os.close(fd)

    def _read(self, fd: int) -> None:
        ready, _, _ = select.select([fd], [], [], 0.25)
        data = os.read(fd, EVENT.size * 16) if ready else b""
        for _, _, kind, code, value in EVENT.iter_unpack(data[: len(data) - len(data) % EVENT.size]):
            if kind == EV_KEY and value == PRESSED:
                self.pressed(code)
        self._on_time()

    def _on_time(self) -> None:
        with self._lock:
            wish = self._dial.on_time(time.monotonic())
        self._pass_on(wish)

    def _wants_tones(self) -> bool:
        lifted = self._hook is None or bool(self._hook.is_pressed)
        return lifted and not self._ringing() and not self._in_call()

    def typed(self, digit: str) -> None:
        """A digit, however it came."""
        ringing, in_call, now_s = self._ringing(), self._in_call(), time.monotonic()
        with self._lock:
            wish = self._dial.digit(digit, now_s, ringing=ringing, in_call=in_call)
        self._pass_on(wish)

    def pressed(self, code: int) -> None:
        """A key with this code of linux/input-event-codes.h."""
        if code in DIGIT_OF_CODE:
            self.typed(DIGIT_OF_CODE[code])
            return
        ringing, in_call = self._ringing(), self._in_call()
        wish: Wish | None = None
        with self._lock:
            if code in BUTTON_CODES:
                wish = self._dial.button(ringing=ringing, in_call=in_call)
            elif code in HANG_UP_CODES and (in_call or ringing):
                wish = HangUp()
        self._pass_on(wish)


__all__ = ["Answer", "Dial", "HandsetKeys", "HangUp", "SendDigit"]
