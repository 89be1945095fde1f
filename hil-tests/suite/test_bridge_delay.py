"""From sound card to sound card: how late a handset hears a caller, and a caller the handset, devices included."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import alsaaudio
import numpy as np
import pytest

pytestmark = pytest.mark.needs_kernel

RATE_HZ = 8000
BLOCK = 160
SECONDS = 30.0
PULSE_EVERY_S = 0.5
LONGEST_MS = 300.0
"""A talk is a nuisance beyond it; what the bridge itself may add is 60 ms, and `bench/bridge.py` measures that."""


class Clockwork:
    """Where a device stands in its own frames, against the clock that both ends share."""

    def __init__(self) -> None:
        self._at: list[tuple[float, int]] = []

    def note(self, frame: int) -> None:
        self._at.append((time.monotonic(), frame))

    def when(self, frame: int) -> float:
        """By the note next to it: a device that ran over or dry stands elsewhere afterwards."""
        at_s, at = min(self._at, key=lambda note: abs(note[1] - frame))
        return at_s + (frame - at) / RATE_HZ


class Mouth(threading.Thread):
    """Says a pulse now and then, and remembers at which frames."""

    def __init__(self, device: str, stop: threading.Event) -> None:
        super().__init__()
        self.clock, self.pulses = Clockwork(), []
        self._stop_event = stop
        self._pcm = alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK, device=device, rate=RATE_HZ, channels=1, format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=BLOCK, periods=8,
        )  # fmt: skip

    def run(self) -> None:
        written, block_n = 0, 0
        every = round(PULSE_EVERY_S * RATE_HZ / BLOCK)
        rng = np.random.default_rng(1)
        burst = (rng.normal(0, 9000, BLOCK).clip(-30000, 30000)).astype("<i2").tobytes()
        buffer = self._pcm.info()["buffer_size"]
        while not self._stop_event.is_set():
            loud = block_n % every == every // 2
            if loud:
                self.pulses.append(written)
            self._pcm.write(burst if loud else bytes(2 * BLOCK))
            written += BLOCK
            block_n += 1
            self.clock.note(written - (buffer - self._pcm.avail()))
        self._pcm.close()


class Ear(threading.Thread):
    """Hears for the whole time, and where each frame stood."""

    def __init__(self, device: str, stop: threading.Event) -> None:
        super().__init__()
        self.clock, self.heard = Clockwork(), bytearray()
        self._stop_event = stop
        self._pcm = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE, device=device, rate=RATE_HZ, channels=1, format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=BLOCK, periods=50,
        )  # fmt: skip

    def run(self) -> None:
        while not self._stop_event.is_set():
            length, data = self._pcm.read()
            if length > 0:
                self.heard += data
                self.clock.note(len(self.heard) // 2 + self._pcm.avail())
        self._pcm.close()

    def onsets(self) -> list[int]:
        loud = np.flatnonzero(np.abs(np.frombuffer(bytes(self.heard), dtype="<i2").astype(int)) > 2000)
        return [int(at) for n, at in enumerate(loud) if n == 0 or at - loud[n - 1] > 0.2 * RATE_HZ]


@pytest.fixture
def cards() -> Iterator[None]:
    """Two cards with both ways each: `module` and `handset`. The box has DEV=1 of both, the street DEV=0."""
    from simulator.kernel.sound import LoopbackStreet  # noqa: PLC0415 - on the test kernel only

    street = LoopbackStreet(("module", "handset"))
    street.start()
    for wire in street.wires.values():  # its feeder would keep DEV=0
        feeder, wire._feeder = wire._feeder, None
        assert feeder is not None
        feeder.stop()
    yield
    street.stop()


def test_a_handset_and_a_caller_hear_each_other_soon(cards: None, capsys: pytest.CaptureFixture[str]) -> None:
    from firmware.audio.bridge import Bridge  # noqa: PLC0415
    from firmware.clock import SystemClock  # noqa: PLC0415
    from firmware.modem.card_voice import CardVoice  # noqa: PLC0415

    module, handset = "plughw:CARD=module,DEV=1", "plughw:CARD=handset,DEV=1"
    bridge = Bridge("sim-1", capture=handset, playback=handset)
    voice = CardVoice("sim-1", capture=module, playback=module, clock=SystemClock(), handset=bridge)
    stop = threading.Event()
    caller, local = (Mouth(f"hw:CARD={card},DEV=0", stop) for card in ("module", "handset"))
    far_ear, near_ear = (Ear(f"hw:CARD={card},DEV=0", stop) for card in ("module", "handset"))
    street = (caller, local, far_ear, near_ear)
    for thread in street:
        thread.start()
    voice.open()
    voice.call_is_up(True)
    end_s = time.monotonic() + SECONDS
    while time.monotonic() < end_s:
        voice.read()
    health = bridge.health
    stop.set()
    for thread in street:
        thread.join(10)
    voice.close()
    bridge.close()
    for name, mouth, ear, way in (
        ("caller to earpiece", caller, near_ear, health[0]),
        ("microphone to caller", local, far_ear, health[1]),
    ):
        heard = np.array([ear.clock.when(at) for at in ear.onsets()])
        said = np.array([mouth.clock.when(at) for at in mouth.pulses])
        waits = [heard[heard > at_s][:1] - at_s for at_s in said if at_s > said[0] + 3]
        late_ms = [float(wait[0]) * 1000 for wait in waits if wait.size and wait[0] < PULSE_EVERY_S]
        assert len(late_ms) > 0.8 * len(waits)
        p50, p99 = np.percentile(late_ms, [50, 99])
        with capsys.disabled():
            print(
                f"\n  {name}, device to device on snd-aloop: p50 {p50:.0f} ms, p99 {p99:.0f} ms over {len(late_ms)} "
                f"pulses; {way.length_ms:.0f} ms of it in the bridge at the end, {way.underruns} under-runs"
            )
        assert p50 < LONGEST_MS
