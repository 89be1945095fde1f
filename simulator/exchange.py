"""The central office's end of one analog line, and the telephone on the wall: ring, loop, polarity and tones.

Everything the box can see goes over the pins of its hat and the sound of its wire. How the hat is wired (which pin,
which level means yes) is a fact of the hat and read from its profile.
"""

from __future__ import annotations

import threading
import time
import tomllib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import firmware.analog
from firmware.worker import Worker
from simulator import fsk
from simulator.mixer import Mixer, Playback
from simulator.tones import Country, country_of, digits
from simulator.wires import Pins

_BOUNCE_S = 0.002
_BOUNCES = 10


@dataclass(frozen=True)
class Wiring:
    """One pin of a hat."""

    pin: int
    active_high: bool = True


@dataclass(frozen=True)
class HatPort:
    """Where one line meets the box."""

    ring: Wiring
    off_hook: Wiring
    polarity: Wiring
    hook_relay: Wiring | None = None


def hat_port(profile: str, port: int) -> HatPort:
    """Port ``port`` (1, 2, ...) of the hat profile called ``profile``."""
    path = Path(firmware.analog.__file__).parent / "profiles" / f"{profile}.toml"
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["ports"][port - 1]

    def wiring(name: str) -> Wiring:
        return Wiring(pin=int(data[name]["pin"]), active_high=bool(data[name].get("active_high", True)))

    relay = wiring("hook_relay") if "hook_relay" in data else None
    return HatPort(wiring("ring"), wiring("off_hook"), wiring("polarity"), relay)


class AnalogLine:
    """One subscriber line. One thread at a time plays calls on it."""

    def __init__(self, name: str, port: HatPort, bank: Pins, mixer: Mixer, country: str = "CN") -> None:
        self.name = name
        self.mixer = mixer
        self.country: Country = country_of(country)
        self.bounce = False
        self._exchanged = False
        self._port = port
        self._bank = bank
        self._handset = False
        self._relay = False
        self._loop = threading.Condition()
        self._tone: Playback | None = None
        for sensor in (port.ring, port.off_hook, port.polarity):
            self._set(sensor, False)
        if port.hook_relay is not None:
            bank.on_output(port.hook_relay.pin, self._relay_moved)

    def exchange_sensors(self, exchanged: bool) -> None:
        """Somebody connected ring and loop sensor the wrong way round (True), or puts that right."""
        if exchanged != self._exchanged:
            self._exchanged = exchanged
            self._port = replace(self._port, ring=self._port.off_hook, off_hook=self._port.ring)

    # --- what anybody on the line can see ---------------------------------------------------------------------------

    @property
    def loop_closed(self) -> bool:
        """A handset is off the hook, or the box has seized the line by its relay."""
        return self._handset or self._relay

    def wait_for_loop(self, closed: bool, deadline_s: float) -> bool:
        """True when the loop is (or gets) ``closed`` within ``deadline_s`` seconds."""
        with self._loop:
            return self._loop.wait_for(lambda: self.loop_closed == closed, max(0.0, deadline_s))

    # --- the telephone ----------------------------------------------------------------------------------------------

    def lift(self) -> None:
        """The handset is lifted."""
        with self._loop:
            self._handset = True
            self._loop_changed()

    def put_back(self) -> None:
        with self._loop:
            self._handset = False
            self._loop_changed()

    def press(self, keys: str) -> None:
        """Presses keys of the handset, 100 ms each; returns when the last one was heard."""
        self.mixer.play(digits(keys)).wait(1 + 0.2 * len(keys))

    # --- the central office -----------------------------------------------------------------------------------------

    def ring(self, duration_s: float) -> bool:
        """One ring burst: half-wave pulses at the ring frequency. False when it was tripped by the loop closing."""
        half_s = 0.5 / self.country.ring_frequency_hz
        self._chatter(self._port.ring)
        start = time.monotonic()
        tripped = False
        for n in range(max(1, round(duration_s / half_s))):
            self._set(self._port.ring, n % 2 == 0)
            # An exchange does not stutter: a street that was not scheduled rings on a little later, not faster.
            due_s = max(start + (n + 1) * half_s, time.monotonic() + half_s / 2)
            if tripped := self.wait_for_loop(True, due_s - time.monotonic()):
                break
        self._set(self._port.ring, False)
        return not tripped

    def send_caller_id(self, number: str | None) -> Playback:
        """Begins an MDMF message in the country's FSK; None: the number is private."""
        message = fsk.message(number, datetime.now())  # exchanges send local time
        return self.mixer.play(fsk.signal(message, frequencies_hz=self.country.caller_id_hz))

    def reverse(self, reversed_: bool) -> None:
        """Swaps tip and ring (True), or puts them back."""
        self._set(self._port.polarity, reversed_)

    def dial_tone(self) -> None:
        self._play_tone(self.mixer.play(self.country.dial_tone(), loop=True))

    def ringback(self) -> None:
        self._play_tone(self.mixer.play(self.country.ringback(), loop=True))

    def busy_tone(self) -> None:
        self._play_tone(self.mixer.play(self.country.busy(), loop=True))

    def no_tone(self) -> None:
        self._play_tone(None)

    # ----------------------------------------------------------------------------------------------------------------

    def _play_tone(self, tone: Playback | None) -> None:
        if self._tone is not None:
            self._tone.stop()
        self._tone = tone

    def _relay_moved(self, level: bool, _at_boot_ns: int) -> None:
        relay = self._port.hook_relay
        assert relay is not None
        with self._loop:
            self._relay = level == relay.active_high
            self._loop_changed()

    def _loop_changed(self) -> None:
        """Shows the loop sensor what is so; the caller holds the condition."""
        self._chatter(self._port.off_hook)
        self._set(self._port.off_hook, self.loop_closed)
        self._loop.notify_all()

    def _chatter(self, sensor: Wiring) -> None:
        if not self.bounce:
            return
        for n in range(_BOUNCES):
            self._set(sensor, n % 2 == 0)
            until_s = time.monotonic() + _BOUNCE_S
            while time.monotonic() < until_s:  # contacts do not wait for a machine that is busy: who sleeps comes late
                pass

    def _set(self, sensor: Wiring, active: bool) -> None:
        self._bank.drive(sensor.pin, active == sensor.active_high)


def after(seconds: float, name: str, action: Any) -> Worker:
    """Does ``action()`` once after ``seconds``, unless the worker is stopped before."""

    def run(stop: threading.Event) -> None:
        if not stop.wait(seconds):
            action()

    worker = Worker(name, run)
    worker.start()
    return worker
