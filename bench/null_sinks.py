"""ALSA capture devices without a sound card: PulseAudio null sinks behind ALSA's pulse plugin, paced in real time."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path


class NullSinks:
    """One daemon with ``lines`` devices: capture ``line:0`` ..., play into ``play:0`` ... .

    A process that uses them must have ``ALSA_CONFIG_PATH`` from `environment` before it first touches ALSA.
    """

    def __init__(self, folder: Path, *, lines: int, rate_hz: int = 8000, tone: bool = False, script: str = "") -> None:
        """``tone``: the daemon itself plays a sine on each line, each at its own frequency (300 Hz, 350 Hz, ...);
        ``script``: more lines for the daemon."""
        self._folder = folder
        self._script: list[str] = []
        for n in range(lines):
            self._script.append(
                f"load-module module-null-sink sink_name=line{n} rate={rate_hz} channels=1 format=s16le"
            )
            if tone:
                self._script.append(f"load-module module-sine sink=line{n} frequency={300 + 50 * n}")
        self._script.append(script)
        # Last: where its socket is, every line is too.
        self._script.append(f"load-module module-native-protocol-unix auth-anonymous=1 socket={folder}/pulse.sock")
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("pulseaudio")
        if program is None:
            raise FileNotFoundError(
                "pulseaudio is not installed; install the packages pulseaudio and libasound2-plugins"
            )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / "pulse.sock").unlink(missing_ok=True)
        script = self._folder / "lines.pa"
        script.write_text("\n".join(self._script) + "\n")
        server = f'server "unix:{self._folder}/pulse.sock"'
        argument = '@args [ N ] @args.N { type string default "0" }'
        lines = ["</usr/share/alsa/alsa.conf>"]
        for name, suffix in (("line", '".monitor"'), ("play", "")):
            device = f'device {{ @func concat strings [ "line" $N {suffix} ] }}'
            lines.append(f"pcm.{name} {{ {argument} type pulse {server} {device} }}")
        self.alsa_config.write_text("\n".join(lines) + "\n")
        home = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"), str(self._folder))
        options = ["-n", "-F", str(script), "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit"]
        options += ["--use-pid-file=no", "--realtime=no", "--high-priority=no", f"--log-target=file:{self._folder}/log"]
        self._daemon = subprocess.Popen(
            [program, *options],
            env={**os.environ, **home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 15
        while not (self._folder / "pulse.sock").exists():
            if self._daemon.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"pulseaudio did not come up; its log is {self._folder}/log")
            time.sleep(0.02)

    def stop(self) -> None:
        """Also what pulling the plug looks like: the daemon is killed."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.kill()
            daemon.wait(5.0)

    @property
    def pid(self) -> int:
        """The daemon's. Raises `RuntimeError` when it does not run."""
        if self._daemon is None:
            raise RuntimeError("the sound daemon does not run")
        return self._daemon.pid

    @property
    def alsa_config(self) -> Path:
        return self._folder / "asound.conf"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "ALSA_CONFIG_PATH": str(self.alsa_config)}
