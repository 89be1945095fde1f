"""A telephone line as a script: what a country's exchange and a person do, as sensor edges and sound over time.

Nothing waits here: the script is played to a box in its own time, or faster. What was done is in `LineScript.log`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import fsk
from simulator.mixer import RATE_HZ, Sound, level
from simulator.networks import Network
from simulator.tones import country_of, digits, pause, tone

Edge = tuple[str, bool, float]
"""Sensor (``ring``, ``off_hook``, ``polarity``), its level, and when, seconds from the start."""

_NOISE_DBFS = -62.0
_VOICE_DBFS = -24.0


@dataclass
class ScriptedCall:
    """One call, as the street knows it. Moments in seconds from the start."""

    direction: str
    began_s: float
    number: str | None = None
    answered: bool = False
    ended_s: float = 0.0
    how: str = "on_hook"
    """What ended it: ``on_hook``, ``gave_up``, or a way in which a far end leaves (`Network.ends`)."""


@dataclass
class LineScript:
    """Call its methods in the order things happen. ``bounce_ms``: contacts chatter so long at each edge."""

    network: Network
    seed: int = 8
    bounce_ms: float = 5.0
    now_s: float = 0.0
    edges: list[Edge] = field(default_factory=list)
    sounds: list[tuple[float, Sound]] = field(default_factory=list)
    log: list[ScriptedCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311  # scenery, not secrets

    # --- what happens, one after the other --------------------------------------------------------------------------

    def rest(self, seconds: float) -> LineScript:
        self.now_s += seconds
        return self

    def rings(self, times: int, number: str | None, *, heralded: bool = False) -> LineScript:
        """Somebody calls: so many bursts, with the caller ID where the country sends it."""
        if self.network.caller_id == "ntt":
            return self._rings_in_japan(times, number)
        if self.network.before and number is not None:
            if heralded:
                self.reversal(True)
                self.rest(0.3)
            self._caller_id(number)
            self.rest(0.3)
        self.log.append(ScriptedCall("incoming", self.now_s, number if self.network.caller_id != "none" else None))
        for n in range(times):
            for k in range(0, len(self.network.ring), 2):
                self._burst(self.network.ring[k] / 1000)
                off_s = self.network.ring[k + 1] / 1000
                last = k + 2 >= len(self.network.ring)
                if n == 0 and last and not self.network.before and number is not None:
                    self.rest(0.5)
                    off_s -= 0.5 + self._caller_id(number)
                if not (n + 1 == times and last):
                    self.rest(max(0.2, off_s))
        if heralded:
            self.reversal(False)
        self.log[-1].ended_s, self.log[-1].how = self.now_s, "gave_up"
        return self

    def _rings_in_japan(self, times: int, number: str | None) -> LineScript:
        """Reversal, short rings, a number display that takes the line and puts it back, and only then the ringing.

        From a line without a number display (``number`` None) the exchange gets no answer, and rings after 6 s.
        """
        self._given_up()
        self.reversal(True)
        self.rest(0.4)
        self.log.append(ScriptedCall("incoming", self.now_s, number))
        for n in range(6):
            if number is not None and n == 1 + self._dice.randrange(2):
                break
            self._burst(0.5)
            self.rest(0.5)
        if number is not None:
            self._burst(0.2)  # it is cut
            self._edge("off_hook", True)
            self.rest(0.5)
            self._caller_id(number)
            self.rest(0.15)
            self._edge("off_hook", False)
            self.rest(0.8)
        for n in range(times):
            self._burst(1.0)
            if n + 1 < times:
                self.rest(2.0)
        self.log[-1].ended_s, self.log[-1].how = self.now_s, "gave_up"
        return self

    def lifts(self) -> LineScript:
        if self.log and self.log[-1].how == "gave_up" and self.now_s - self.log[-1].ended_s < 3:
            self.log[-1].answered = True
        else:
            self._given_up()
            self.log.append(ScriptedCall("outgoing", self.now_s))
        self._edge("off_hook", True)
        if self.network.caller_id == "ntt" and self.log[-1].answered:
            self.reversal(False)
        return self

    def _given_up(self) -> None:
        """The last caller gave up: Japan's exchange turns the line back shortly after its last ring."""
        if self.network.caller_id == "ntt" and self.log and self.log[-1].how == "gave_up":
            self.edges.append(("polarity", False, self.log[-1].ended_s + 0.3))

    def dials(self, number: str) -> LineScript:
        """Dial tone, then keys, then ringback."""
        self._sound(self._dial_tone(1.5))
        keys = digits(number)
        self.sounds.append((self.now_s, keys))
        self.rest(len(keys) / RATE_HZ + 0.6)
        self.log[-1].number = number
        return self

    def rings_back(self, code: str, times: int = 2) -> LineScript:
        """The caller hears the other side ring."""
        self._sound(np.tile(country_of(code).ringback(), times))
        return self

    def talks(self, seconds: float) -> LineScript:
        n = round(seconds * RATE_HZ)
        noise = np.random.default_rng(self._dice.getrandbits(32)).standard_normal(n + 5)
        voice = np.convolve(noise, np.ones(6) / 6, "valid")[:n]
        voice *= np.clip(np.sin(2 * np.pi * 2.7 * np.arange(n) / RATE_HZ) + 0.5, 0, 1)
        voice *= level(_VOICE_DBFS) / max(1e-9, float(np.sqrt((voice**2).mean())))
        self._sound(voice.astype(np.float32))
        return self

    def hangs_up(self) -> LineScript:
        """The handset is put back."""
        call = self.log[-1]
        if call.how in ("gave_up", "on_hook"):
            call.ended_s, call.how = self.now_s, "on_hook"
        self._edge("off_hook", False)
        return self

    def far_end_leaves(self, how: str, tone_s: float = 12.0) -> LineScript:
        """In one of the network's ways (`Network.ends`); the handset is still up."""
        self.log[-1].ended_s, self.log[-1].how = self.now_s, how
        if how in ("busy", "congestion"):
            cadence = self.network.busy if how == "busy" else self.network.congestion
            parts = [
                tone(self.network.busy_hz, ms / 1000) if n % 2 == 0 else pause(ms / 1000)
                for n, ms in enumerate(cadence)
            ]
            self._sound(np.resize(np.concatenate(parts), round(tone_s * RATE_HZ)))
        elif how == "dial":
            self._sound(self._dial_tone(tone_s))
        elif how == "open_loop":
            self._edge("off_hook", False)
            self.rest(0.5)
            self._edge("off_hook", True)
        else:
            self.reversal(False)
        return self

    def reversal(self, reversed_: bool) -> LineScript:
        self.edges.append(("polarity", reversed_, self.now_s))
        return self

    def flash(self, ms: float) -> LineScript:
        self._edge("off_hook", False)
        self.rest(ms / 1000)
        self._edge("off_hook", True)
        return self

    # --- as the box gets it -----------------------------------------------------------------------------------------

    def pcm(self) -> np.ndarray:
        """All the sound, s16, with the line's noise."""
        n = round((self.now_s + 1) * RATE_HZ)
        mix = np.random.default_rng(self.seed).standard_normal(n) * level(_NOISE_DBFS)
        for at_s, sound in self.sounds:
            start = round(at_s * RATE_HZ)
            piece = sound[: n - start]
            mix[start : start + len(piece)] += piece
        return (np.clip(mix, -1, 1) * 32767).astype("<i2")

    # ----------------------------------------------------------------------------------------------------------------

    def _edge(self, sensor: str, level_: bool) -> None:
        end_s, at_s = self.now_s + self.bounce_ms / 1000, self.now_s
        while at_s + 0.002 < end_s:
            self.edges += [(sensor, level_, at_s), (sensor, not level_, at_s + 0.001)]
            at_s += 0.001 + self._dice.uniform(0.0005, 0.002)
        self.edges.append((sensor, level_, at_s))

    def _burst(self, seconds: float) -> None:
        half_s = 0.5 / self.network.ring_hz
        for n in range(2 * max(1, round(seconds * self.network.ring_hz / 1))):
            self.edges.append(("ring", n % 2 == 0, self.now_s + n * half_s))
        self.edges.append(("ring", False, self.now_s + seconds))
        self.rest(seconds)

    def _caller_id(self, number: str) -> float:
        kind = self.network.caller_id
        if kind == "none":
            return 0.0
        if kind == "ntt":
            sound = fsk.signal(fsk.frame(number), frequencies_hz=fsk.V23_HZ, seizure_bits=0, mark_bits=72)
        elif kind.startswith("dtmf"):
            sound = digits(f"{kind[-1].upper()}{number}C", on_s=0.07, off_s=0.07)
        else:
            hz = fsk.V23_HZ if kind == "v23" else fsk.BELL_202_HZ
            sound = fsk.signal(fsk.message(number, datetime(2026, 11, 22, 10, 17)), frequencies_hz=hz)
        return self._sound(sound)

    def _sound(self, sound: Sound) -> float:
        self.sounds.append((self.now_s, sound))
        seconds = len(sound) / RATE_HZ
        self.rest(seconds)
        return seconds

    def _dial_tone(self, seconds: float) -> Sound:
        t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        wave: npt.NDArray[np.floating[Any]] = tone(self.network.dial_hz, seconds)
        if self.network.dial_am_hz:
            wave = wave * (1 + 0.8 * np.sin(2 * np.pi * self.network.dial_am_hz * t)) / 1.8
        if self.network.dial:
            gate = np.concatenate([np.full(ms * 8, n % 2 == 0) for n, ms in enumerate(self.network.dial)])
            wave = wave * np.resize(gate, len(wave))
        return wave.astype(np.float32)
