"""Switches a module's sound on for each call and off after it, and keeps trying while the module says no."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from firmware.modem.at_events import PcmPort
from firmware.modem.dialects import Audio, InitRow, Row
from firmware.modem.engine import Answer, Command
from firmware.modem.session import command_of
from firmware.sim import Mark

log = logging.getLogger("offhook.modem")

WAIT_FOR_PORT_S: Final = 3.0
"""The audio port must be open before the sound is switched on; a call must not wait for it for ever."""
FAR_S: Final = 3600.0


SILENT_S: Final = 3.0
"""No byte for this long although the module says that its sound is on: it is switched off and on again."""


BAD_RETRIES: Final = 3
BAD_CALLS: Final = 2
"""So many calls in a row that needed so many retries, or one without any sound, and the module is restarted."""


class Flow(Protocol):
    """The part of a sound source that the switch looks at."""

    @property
    def is_open(self) -> bool: ...

    @property
    def last_bytes_s(self) -> float:
        """When sound came last, in seconds of time.monotonic()."""
        ...

    @property
    def last_sound_s(self) -> float:
        """When sound other than digital silence came last, in seconds of time.monotonic()."""
        ...


class Send(Protocol):
    def __call__(self, *batch: Command, urgent: bool = False) -> bool: ...


class AudioSwitch:
    """Lives on the AT port's thread. Does nothing for families without sound over a tty.

    `retries` counts the refusals of the last call: on SIM7600 a growing number is the only sign that the PCM end point
    degrades (callpilot issues 112, 119, 121).
    """

    def __init__(self, audio: Audio | None, *, source: Flow | None, send: Send) -> None:
        self._audio = audio if source is not None else None
        self._source = source
        self._send = send
        self._wanted = False
        self._on = False
        self._on_since_s = 0.0
        self._gave_up = False
        self._asking = False
        self._reset_tried = False
        self._may_be_on = False
        self._next_try_s = FAR_S
        self._give_up_s = 0.0
        self._port_wait_ends_s = 0.0
        self.retries = 0
        self.cure_wanted = False
        """The PCM end point has degraded: the module should be restarted, once nobody talks."""
        self.on_trouble: Callable[[Mark, float], None] = lambda _mark, _after_s: None
        self._up_since_s = 0.0
        self._rearmed = False
        self._bad_calls = 0

    def speak(self, audio: Audio | None) -> None:
        """From now on the module is told in these words."""
        self._audio = audio if self._source is not None else None

    @property
    def dial(self) -> Row | None:
        """What dials instead of the dialect's own row, None where that will do."""
        return self._audio.dial if self._audio is not None else None

    @property
    def answer(self) -> Row | None:
        """What answers instead of the dialect's own row, None where that will do."""
        return self._audio.answer if self._audio is not None else None

    @property
    def init_rows(self) -> tuple[InitRow, ...]:
        """What belongs to the start sequence for the sound."""
        return self._audio.init if self._audio is not None else ()

    def forget(self) -> None:
        """The module was lost or set up again: its sound is off."""
        self._wanted = self._on = self._asking = self._gave_up = False

    def call_is_up(self, up: bool, now_s: float) -> None:
        """Tells whether somebody talks now."""
        if self._audio is None or up == self._wanted:
            return
        self._wanted = up
        if up:
            self.retries = 0
            self._up_since_s, self._rearmed = now_s, False
            self._begin(now_s)
            self._port_wait_ends_s = now_s + WAIT_FOR_PORT_S
        else:
            self._send(*self.off_commands())
            self._on = False
            self._judge()

    def off_commands(self) -> tuple[Command, ...]:
        """What goes together with hanging up."""
        audio = self._audio
        return (command_of(audio.off),) if audio is not None and audio.off and (self._on or self._asking) else ()

    def on_time(self, now_s: float) -> float:
        """Sends what is due; returns seconds until it wants to be asked again."""
        if self._audio is None or not self._wanted or self._asking or self._gave_up:
            return FAR_S
        if self._on:
            return self._watch(now_s)
        if now_s < self._next_try_s:
            return self._next_try_s - now_s
        if now_s >= self._give_up_s:
            log.error("the module refused its sound for %.0f s: this call has none", self._audio.retry_for_s)
            self._gave_up = True
            self.on_trouble(Mark.SOUND_REFUSED, now_s - self._up_since_s)
            return FAR_S
        if self._source is not None and not self._source.is_open and now_s < self._port_wait_ends_s:
            return 0.1
        self._next_try_s = now_s + self._audio.retry_s
        half_way = self._give_up_s - self._audio.retry_for_s / 2
        self._try(reset=now_s >= half_way and not self._reset_tried)
        return self._audio.retry_s

    def _begin(self, now_s: float) -> None:
        assert self._audio is not None
        self._on, self._gave_up, self._reset_tried = False, False, False
        self._may_be_on = self._audio.dial is not None  # then the dial or the answer has switched it on already
        self._next_try_s = now_s
        self._give_up_s = now_s + self._audio.retry_for_s

    def _try(self, *, reset: bool) -> None:
        audio = self._audio
        assert audio is not None
        self._reset_tried = self._reset_tried or reset
        self._asking = True
        commands = [command_of(audio.reset)] if reset and audio.reset else []
        if audio.ask is None:
            self._send(*commands, command_of(audio.on, on_answer=self._taken))
            return
        if not self._may_be_on:
            commands.append(command_of(audio.on))
        self._may_be_on = False
        self._send(*commands, command_of(audio.ask, on_answer=self._told))

    def _watch(self, now_s: float) -> float:
        """Sound that is on but does not come: starts over, with a reset first.

        Digital silence counts as none at the start of a call, once: later a quiet network may send it too.
        """
        assert self._source is not None
        heard_s = self._source.last_bytes_s
        if not self._rearmed and self._source.last_sound_s < self._up_since_s:
            heard_s = self._source.last_sound_s
        quiet_s = now_s - max(self._on_since_s, heard_s)
        if not self._source.is_open or quiet_s < SILENT_S:
            return max(SILENT_S - quiet_s, 0.1)
        log.warning("no sound comes although it is on: it is switched on again")
        self.retries += 1
        if not self._rearmed:
            self.on_trouble(Mark.SOUND_REARMED, now_s - self._up_since_s)
        self._rearmed = True
        self._begin(now_s)
        self._may_be_on = False
        self._try(reset=True)
        assert self._audio is not None
        return self._audio.retry_s

    def _judge(self) -> None:
        """After a call. More and more retries are the only sign of a PCM end point that degrades (CP issue 112)."""
        bad = self._gave_up or self.retries >= BAD_RETRIES
        self._bad_calls = self._bad_calls + 1 if bad else 0
        if self._gave_up or self._bad_calls >= BAD_CALLS:
            self.cure_wanted, self._bad_calls = True, 0

    def _taken(self, answer: Answer) -> None:
        self._is_on(answer.ok)

    def _told(self, answer: Answer) -> None:
        self._is_on(any(isinstance(event, PcmPort) and event.on for event in answer.events))

    def _is_on(self, on: bool) -> None:
        self._asking = False
        self._on = self._wanted and on
        self._on_since_s = time.monotonic()
        if not self._on:
            self.retries += 1
