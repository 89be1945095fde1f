"""Every line driver the settings may name. A new driver is one file and one line here.

The module is imported when a line uses it: a box without a SIM module does not load pyserial's world.
"""

from __future__ import annotations

from importlib import import_module

from firmware.errors import ConfigError
from firmware.ports import LineDriver

DRIVERS: dict[str, str] = {
    "fxo-gpio": "firmware.analog.fxo:FxoLine",
    "at-modem": "firmware.modem.driver:AtModemLine",
    "voice-modem": "firmware.modem.voice_modem:VoiceModemLine",
    "audio-tap": "firmware.analog.audio_tap:AudioTapLine",
    "line-monitor": "firmware.analog.line_monitor:LineMonitorLine",
}


def driver_type(name: str) -> type[LineDriver]:
    """The driver class called ``name`` in the settings. Raises `ConfigError` when there is none."""
    try:
        module, _, attribute = DRIVERS[name].partition(":")
    except KeyError:
        raise ConfigError([f"no line driver is called {name!r}; there are: {', '.join(sorted(DRIVERS))}"]) from None
    driver: type[LineDriver] = getattr(import_module(module), attribute)
    return driver
