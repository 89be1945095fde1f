"""The line voltage as an A/D converter gives it, through the kernel's IIO folder: one file per reading."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from firmware.analog.profile import VoltageInput
from firmware.errors import DeviceError

_IIO: Final = Path("/sys/bus/iio/devices")


class Converter:
    """One channel of a converter. Raises `DeviceError` when it is not there, or its readings are none."""

    def __init__(self, spec: VoltageInput) -> None:
        self._spec = spec
        folder = _folder(spec.device)
        self._raw = folder / f"in_{spec.channel}_raw"
        self._millivolts = _number(_scale(folder, spec.channel))
        self.read()

    def read(self) -> float:
        """Volts between the wires of the line. Raises `DeviceError` when the converter is gone."""
        at_input_v = _number(self._raw) * self._millivolts / 1000
        return (at_input_v - self._spec.offset_v) * self._spec.volts_per_volt


def _folder(device: str) -> Path:
    if "/" in device:
        return Path(device)
    for folder in sorted(_IIO.glob("iio:device*")):
        try:
            if (folder / "name").read_text().strip() == device:
                return folder
        except OSError:  # pulled in this moment
            continue
    raise DeviceError(f"no A/D converter is called {device!r}: is its overlay loaded? See {_IIO}/*/name")


def _scale(folder: Path, channel: str) -> Path:
    """A converter has one scale for all channels, or one for each."""
    kind = channel.rstrip("0123456789-")
    own = folder / f"in_{channel}_scale"
    return own if own.exists() else folder / f"in_{kind}_scale"


def _number(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError) as error:
        raise DeviceError(f"the A/D converter cannot be read at {path}: {error}") from error
