"""A telephone line made of the kernel's own stand-ins: gpio-sim for ring and loop, snd-aloop for the sound.

With it a box proves that it records, on its own kernel, sound system and card, without touching anybody's line.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware.errors import DeviceError

_CONFIGFS = Path("/sys/kernel/config/gpio-sim")
_RING, _LOOP = 0, 1
_LINES = 4
CARD = "OffhookTest"
_RATE_HZ = 8000
_DEADLINE_S = 60.0


class BenchLine:
    """The chip and the card while it is open. Needs root, and a kernel with both modules (Debian's from backports)."""

    def __init__(self, name: str = "offhook-selftest") -> None:
        self.name = name
        self._chip = _CONFIGFS / name
        self._pulls: list[Path] = []
        self._player: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            _run("modprobe", "gpio-sim")
            _run("modprobe", "snd-aloop", f"id={CARD}", "pcm_substreams=1")
            self._remove_chip()
            bank = self._chip / "bank0"
            bank.mkdir(parents=True)
            (bank / "num_lines").write_text(str(_LINES))
            (bank / "label").write_text(self.name)
            (self._chip / "live").write_text("1")
            device = (self._chip / "dev_name").read_text().strip()
            chip = (bank / "chip_name").read_text().strip()
            folder = Path(f"/sys/devices/platform/{device}/{chip}")
            self._pulls = [folder / f"sim_gpio{number}" / "pull" for number in range(_LINES)]
            self.hang_up()
            _run("udevadm", "settle", "--timeout=30")
            # What udev's rule does, for a box whose udev is busy with something else.
            _run("chgrp", "gpio", f"/dev/{chip}")
            _run("chmod", "0660", f"/dev/{chip}")
        except OSError as error:
            self.close()
            raise DeviceError(f"no simulated line can be made on this kernel: {error}") from error
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.silence()
        self._remove_chip()
        subprocess.run(["modprobe", "-r", "snd-aloop"], capture_output=True, timeout=_DEADLINE_S, check=False)

    def profile(self) -> str:
        """The hat profile (TOML) that describes it to the recorder."""
        return (
            f'title = "Simulated line"\n[[ports]]\n'
            f'ring = {{ pin = "{self.name}:{_RING}", active_high = true, pull = "none" }}\n'
            f'off_hook = {{ pin = "{self.name}:{_LOOP}", active_high = true, pull = "none" }}\n'
            f'audio = {{ device = "plughw:CARD={CARD},DEV=1", channels = 1, channel = 0 }}\n'
        )

    def ring(self, seconds: float = 1.0) -> None:
        """One burst of ringing."""
        self._set(_RING, True)
        time.sleep(seconds)
        self._set(_RING, False)

    def lift(self) -> None:
        self._set(_LOOP, True)

    def hang_up(self) -> None:
        self._set(_LOOP, False)
        self._set(_RING, False)

    def play(self, wav: Path) -> None:
        """Puts the sound on the line, 80 ms a period, until it ends or `silence`."""
        self._player = subprocess.Popen(
            ["aplay", "-q", "-D", f"plughw:CARD={CARD},DEV=0", "--period-time=80000", "--buffer-time=640000", str(wav)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def silence(self) -> None:
        if self._player is not None:
            self._player.kill()
            self._player.wait(_DEADLINE_S)
            self._player = None

    def _set(self, line: int, active: bool) -> None:
        self._pulls[line].write_text("pull-up" if active else "pull-down")

    def _remove_chip(self) -> None:
        if self._chip.exists():
            (self._chip / "live").write_text("0")
            for bank in self._chip.glob("bank*"):
                bank.rmdir()
            self._chip.rmdir()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
