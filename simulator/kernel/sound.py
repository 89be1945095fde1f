"""The street's sound devices on a real kernel: one snd-aloop card per wire."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time
from pathlib import Path

import alsaaudio

from firmware.worker import Worker
from simulator.mixer import RATE_HZ, Mixer
from simulator.sound import SoundError

log = logging.getLogger("offhook.street.sound")

_DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
_BLOCK_FRAMES = 320
_PERIODS = 4
_THERE_DEADLINE_S = 10.0
_AGAIN_S = 0.1


def card_id(wire: str) -> str:
    """The ALSA card of a wire: ``fxo-1`` → ``fxo1``, ``sim-1-mic`` → ``sim1mic``."""
    return wire.replace("-", "")


class LoopbackWire:
    """One sound card. Play into its `mixer`; `plug` and `unplug` bind and unbind the card's driver."""

    def __init__(self, name: str, number: int, mixer: Mixer) -> None:
        self.name = name
        self.mixer = mixer
        self._number = number
        self._feeder: Worker | None = None

    @property
    def device(self) -> str:
        """What the box captures from."""
        return f"plughw:CARD={card_id(self.name)},DEV=1"

    @property
    def plugged(self) -> bool:
        return (_DRIVER / f"snd_aloop.{self._number}").exists()

    def plug(self) -> None:
        """The card is there from now on. Raises `SoundError`."""
        if not self.plugged:
            (_DRIVER / "bind").write_text(f"snd_aloop.{self._number}")
        end = time.monotonic() + _THERE_DEADLINE_S
        while not Path(f"/dev/snd/pcmC{self._number}D1c").exists():
            if time.monotonic() > end:
                raise SoundError(f"the sound card of wire {self.name} did not come up")
            time.sleep(0.02)
        self.mixer.silence()
        if self._feeder is None:
            self._feeder = Worker(f"street-feed-{self.name}", self._feed)
            self._feeder.start()

    def unplug(self) -> None:
        """The card is gone: whoever captures it gets an error."""
        feeder, self._feeder = self._feeder, None
        if self.plugged:
            (_DRIVER / "unbind").write_text(f"snd_aloop.{self._number}")
        if feeder is not None:
            feeder.stop()
        self.mixer.silence()

    def _feed(self, stop: threading.Event) -> None:
        while not stop.is_set():
            pcm = None
            try:
                pcm = alsaaudio.PCM(
                    alsaaudio.PCM_PLAYBACK,
                    device=f"hw:CARD={card_id(self.name)},DEV=0",
                    rate=RATE_HZ,
                    channels=1,
                    format=alsaaudio.PCM_FORMAT_S16_LE,
                    periodsize=_BLOCK_FRAMES,
                    periods=_PERIODS,
                )
                while not stop.is_set():
                    pcm.write(self.mixer.block(_BLOCK_FRAMES))
            except alsaaudio.ALSAAudioError as error:
                log.info("wire %s: %s", self.name, error)
                stop.wait(_AGAIN_S)
            finally:
                if pcm is not None:
                    with contextlib.suppress(alsaaudio.ALSAAudioError):
                        pcm.close()


class LoopbackStreet:
    """All wires. The cards' names are given to the kernel module when it is loaded, so it must not be there yet."""

    def __init__(self, wires: tuple[str, ...]) -> None:
        self.wires = {name: LoopbackWire(name, n, Mixer(seed=n + 1)) for n, name in enumerate(wires)}

    def device(self, wire: str) -> str:
        """The ALSA device to capture a wire from."""
        return self.wires[wire].device

    def environment(self) -> dict[str, str]:
        """Nothing: the box finds real cards as it does on a Pi."""
        return {}

    def start(self) -> None:
        """Plugs every wire in. Raises `SoundError`."""
        names = list(self.wires)
        options = [
            "enable=" + ",".join("1" for _ in names),
            "index=" + ",".join(str(n) for n in range(len(names))),
            "id=" + ",".join(card_id(name) for name in names),
            "pcm_substreams=" + ",".join("1" for _ in names),
        ]
        done = subprocess.run(  # noqa: S603  # fixed arguments
            ["/usr/sbin/modprobe", "snd-aloop", *options], capture_output=True, text=True, timeout=20, check=False
        )
        if done.returncode:
            raise SoundError(f"this kernel has no loopback sound cards: {done.stderr.strip()}")
        for wire in self.wires.values():
            wire.plug()

    def stop(self) -> None:
        for wire in self.wires.values():
            wire.unplug()
        subprocess.run(["/usr/sbin/modprobe", "-r", "snd-aloop"], capture_output=True, timeout=20, check=False)
