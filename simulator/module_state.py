"""What a simulated SIM module is made of: its calls, and what goes wrong or differs from unit to unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a call is; of a module, where its foremost call is."""

    OFF = "off"
    IDLE = "idle"
    INCOMING = "incoming"
    WAITING = "waiting"
    DIALING = "dialing"
    ALERTING = "alerting"
    ACTIVE = "active"
    HELD = "held"


CLCC_STAT: Final = {
    State.ACTIVE: 0, State.HELD: 1, State.DIALING: 2, State.ALERTING: 3, State.INCOMING: 4, State.WAITING: 5,
}  # fmt: skip
"""3GPP TS 27.007 7.18."""


@dataclass
class Quirks:
    """What goes wrong, or differs from unit to unit. All of it was seen in the field (telephony facts 1, 2, 8)."""

    double_cr: bool = True
    """`\\r\\r\\n+CRING: VOICE\\r\\r\\n` (ModemManager tests; SIMCom only)."""
    clip_first: bool = False
    """+CLIP before RING."""
    ring_twice: bool = False
    """RING on two channels."""
    pushes_calls: bool = True
    """The command that makes the module push each change of a call works (newer firmware)."""
    silent_end: bool = False
    """The end of a call is never said: only +CLCC shows it (callpilot)."""
    cpcmreg_errors: int = 0
    """So many orders to switch the sound on are refused in each call (callpilot: degraded PCM end point)."""
    wears_out_after: int = 0
    """After each so many calls with sound since power-up, one order more is refused in each call, until the module is
    restarted (callpilot issues 112, 119, 121). 0: never."""
    pcm_stuck: int = 0
    """So many orders to switch the sound on are taken, and no sound comes (callpilot)."""
    answer_after_s: float = 0.0
    """How late the module answers commands."""
    urc_inside_answer: str = ""
    """Put into the middle of each answer to AT+CLCC."""
    missing_ok: int = 0
    """So many answers lose their OK."""
    list_errors: int = 0
    """So many AT+CLCC are answered with +CME ERROR: 100 (oFono: Option GTM)."""
    echo_stuck: bool = False
    """ATE0 does nothing."""
    data_call: bool = False
    """+CLCC also lists a data session (EC20, EC25)."""
    wide: bool = False
    """Left at 16 kHz: 640 bytes each 20 ms (AT+CPCMFRM=1)."""
    takes_no_uplink: bool = False
    """What is written to its PCM port is not taken: the port fills up (callpilot: a starved port)."""
    urcs_elsewhere: bool = False
    """What it says by itself goes to another port until it is told otherwise (Quectel urcport)."""
    setport: str = "A1,A2;1,3,2,A2"
    """What a Huawei stick answers to AT^SETPORT? (asterisk-chan-dongle issue 185 shows two); empty: ERROR."""
    sim: str = "READY"
    """What +CPIN says; `10` and other digits: a +CME ERROR of this code."""
    data_only: bool = False
    """Registered for packets only: +CREG 0, +CEREG 1 (a SIM without VoLTE)."""
    nul_prefix: bool = False
    """NUL bytes before what it says at its start."""
    csq: int = 20
    """Signal quality, 0 to 31 (3GPP TS 27.007 8.5); 20 is -73 dBm."""
    ring_every_s: float = 3.0
    crystal_ppm: float = 0.0
    """How much faster than the box's clock its sound runs."""
    boot_s: float = 0.3


@dataclass
class Party:
    """One call on the module."""

    index: int
    outgoing: bool
    number: str | None
    validity: int = 0
    state: State = State.IDLE
    began_s: float | None = None
    begun: bool = False
    """The module has said that it is up."""

    @property
    def type_of_address(self) -> int:
        """3GPP TS 24.008 10.5.4.7: 145 international, 129 unknown, 128 none."""
        return 128 if self.number is None else 145 if self.number.startswith("+") else 129

    def seconds(self, now_s: float) -> int:
        """How long it has been up."""
        return int(now_s - self.began_s) if self.began_s is not None else 0
