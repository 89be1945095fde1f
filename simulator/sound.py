"""The street's sound devices: for each wire a PulseAudio daemon with one null sink.

What the street plays into the sink is what the box captures from its monitor, through ALSA's pulse plugin. The daemon
paces both ends at the real rate. The box needs nothing but ``ALSA_CONFIG_PATH``: every device names its server. One
daemon per wire: one that loses a sink would move its listeners to another sink, and one that is gone
looks to the box as a sound card that was pulled out.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import alsaaudio

from firmware.errors import OffhookError
from firmware.worker import Worker
from simulator.mixer import RATE_HZ, Mixer

log = logging.getLogger("offhook.street.sound")

_BLOCK_FRAMES = 320  # 40 ms: 25 wake-ups a second and wire
_PERIODS = 4
_START_DEADLINE_S = 15.0
_IDLE_S = 20
"""A daemon that nobody is connected to ends by itself: a killed street leaves nothing behind."""


class SoundError(OffhookError):
    """A sound daemon did not start."""


def device_name(wire: str) -> str:
    """The ALSA device to capture a wire from: ``fxo-1`` → ``street_fxo1``, ``sim-1-mic`` → ``street_sim1_mic``."""
    line, microphone = wire.removesuffix("-mic"), wire.endswith("-mic")
    return "street_" + line.replace("-", "") + ("_mic" if microphone else "")


class SoundWire:
    """One sound device. Play into its `mixer`; `plug` and `unplug` are the two ends of a person's hand."""

    def __init__(self, name: str, folder: Path, mixer: Mixer) -> None:
        self.name = name
        self.mixer = mixer
        self._folder = folder
        self._daemon: subprocess.Popen[bytes] | None = None
        self._feeder: Worker | None = None

    @property
    def socket(self) -> Path:
        return self._folder / f"{self.name}.sock"

    @property
    def plugged(self) -> bool:
        return self._daemon is not None

    def plug(self) -> None:
        """The device is there from now on. Raises `SoundError`."""
        if self._daemon is not None:
            return
        program = shutil.which("pulseaudio")
        if program is None:
            raise SoundError("pulseaudio is not installed: the street has no sound. Install the package pulseaudio")
        runtime = self._folder / f"{self.name}.pulse"
        runtime.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        script = runtime / "daemon.pa"
        script.write_text(
            f"load-module module-null-sink sink_name=wire rate={RATE_HZ} channels=1 format=s16le\n"
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={self.socket}\n"
        )
        home = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"), str(runtime))
        options = ["-n", "-F", str(script), "--daemonize=no", f"--exit-idle-time={_IDLE_S}"]
        options += ["--use-pid-file=no", "--realtime=no", "--high-priority=no", f"--log-target=file:{runtime}/log"]
        self._daemon = subprocess.Popen(  # noqa: S603  # fixed arguments
            [program, *options],
            env={**os.environ, **home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends the street, and the street pulls its plugs
        )
        end = time.monotonic() + _START_DEADLINE_S
        while not self.socket.exists():
            if self._daemon.poll() is not None or time.monotonic() > end:
                self.unplug()
                raise SoundError(f"the sound daemon of wire {self.name} did not come up; its log is {runtime}/log")
            time.sleep(0.02)
        self.mixer.silence()  # what was said while nobody could hear it
        self._feeder = Worker(f"street-feed-{self.name}", self._feed)
        self._feeder.start()

    def unplug(self) -> None:
        """The device is gone: whoever captures it gets an error."""
        if self._feeder is not None:
            self._feeder.request_stop()
        if self._daemon is not None:
            self._daemon.kill()  # a pulled plug does not say goodbye
            self._daemon.wait(5.0)
            self._daemon = None
        self.socket.unlink(missing_ok=True)
        if self._feeder is not None:
            self._feeder.join(5.0)
            self._feeder = None
        self.mixer.silence()

    def _feed(self, stop: threading.Event) -> None:
        """Plays the wire's mix until it is unplugged; the daemon's pace is this thread's pace."""
        pcm = None
        try:
            pcm = self._open_feed(stop)
            while not stop.is_set():
                pcm.write(self.mixer.block(_BLOCK_FRAMES))
        except alsaaudio.ALSAAudioError as error:
            if not stop.is_set():
                log.warning("wire %s is gone: %s", self.name, error)
        finally:
            if pcm is not None:
                pcm.close()

    def _open_feed(self, stop: threading.Event) -> Any:
        """A daemon that has its socket may still refuse for a moment, on a busy machine for longer."""
        until_s = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                return alsaaudio.PCM(
                    alsaaudio.PCM_PLAYBACK,
                    device=f"{device_name(self.name)}_feed",
                    rate=RATE_HZ,
                    channels=1,
                    format=alsaaudio.PCM_FORMAT_S16_LE,
                    periodsize=_BLOCK_FRAMES,
                    periods=_PERIODS,
                )
            except alsaaudio.ALSAAudioError:
                if time.monotonic() > until_s or stop.wait(0.1):
                    raise


class SoundStreet:
    """All wires, and the ALSA configuration that names them (`device_name`)."""

    def __init__(self, folder: Path, wires: tuple[str, ...]) -> None:
        self._folder = folder
        self.wires = {name: SoundWire(name, folder, Mixer(seed=n + 1)) for n, name in enumerate(wires)}

    @property
    def alsa_config(self) -> Path:
        """What the box needs in ``ALSA_CONFIG_PATH``."""
        return self._folder / "asound.conf"

    def start(self) -> None:
        """Plugs every wire in. Raises `SoundError`. Sets this process' ``ALSA_CONFIG_PATH`` too."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = ["</usr/share/alsa/alsa.conf>"]
        for wire in self.wires.values():
            name = device_name(wire.name)
            for pcm, device in ((name, "wire.monitor"), (f"{name}_feed", "wire")):
                lines.append(f'pcm.{pcm} {{ type pulse server "unix:{wire.socket}" device "{device}" }}')
        self.alsa_config.write_text("\n".join(lines) + "\n")
        os.environ["ALSA_CONFIG_PATH"] = str(self.alsa_config)
        for wire in self.wires.values():
            wire.plug()

    def stop(self) -> None:
        for wire in self.wires.values():
            wire.unplug()
