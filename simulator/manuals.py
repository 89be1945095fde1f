"""Every kind of SIM module the street can play, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulator.manual_huawei import HUAWEI
from simulator.manual_quectel import EC25, M95
from simulator.manual_simcom import A7670, SIM800, SIM7600
from simulator.module_firmware import Manual

MANUALS: Final[Mapping[str, Manual]] = {manual.name: manual for manual in (SIM7600, A7670, SIM800, EC25, M95, HUAWEI)}
