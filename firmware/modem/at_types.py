"""The events that AT lines become: frozen values, the same for every family of modules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from firmware.model import Direction, Presentation


class CallState(IntEnum):
    """``<stat>`` of +CLCC (3GPP TS 27.007 7.18); 6 is pushed only: SIMCom's +CLCC, Quectel's -1, Huawei's ^CEND."""

    ACTIVE = 0
    HELD = 1
    DIALING = 2
    ALERTING = 3
    INCOMING = 4
    WAITING = 5
    GONE = 6


@dataclass(frozen=True, slots=True)
class AtEvent:
    """What one line says."""


@dataclass(frozen=True, slots=True)
class Unknown(AtEvent):
    text: str


@dataclass(frozen=True, slots=True)
class Ringing(AtEvent):
    """RING or +CRING; ``bearer`` is the type after +CRING, upper case (``VOICE``)."""

    bearer: str = ""

    @property
    def voice(self) -> bool:
        """False for data and fax calls. ``VOICE/XXX`` and ``ALT VOICE/XXX`` begin as voice."""
        return not self.bearer or "VOICE" in self.bearer


@dataclass(frozen=True, slots=True)
class CallerLine(AtEvent):
    """+CLIP. ``validity`` is the CLI validity as said (0 to 4), None when it was left out."""

    number: str | None
    presentation: Presentation
    name: str | None = None
    validity: int | None = None


@dataclass(frozen=True, slots=True)
class ListedCall(AtEvent):
    """One +CLCC line, of an answer or pushed."""

    index: int
    direction: Direction
    state: CallState
    mode: int
    number: str | None = None
    name: str | None = None
    validity: int | None = None
    multiparty: bool = False

    @property
    def voice(self) -> bool:
        """Modes 1, 2 and 6 to 9 are data, fax, or unknown: EC25 lists its data session as a call."""
        return self.mode in (0, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class PushedCall(ListedCall):
    """A call changed, told in a vendor's own words: +QIND "ccinfo", ^DSCI."""


@dataclass(frozen=True, slots=True)
class CallOriginated(AtEvent):
    """^ORIG (Huawei): a call goes out. Types 0 and 9 are voice and emergency, others data or short messages."""

    index: int
    type: int

    @property
    def voice(self) -> bool:
        return self.type in (0, 9)


@dataclass(frozen=True, slots=True)
class CallAlerts(AtEvent):
    """^CONF (Huawei): the far side rings."""

    index: int


@dataclass(frozen=True, slots=True)
class CallConnected(AtEvent):
    """^CONN (Huawei): the call is up, either way."""

    index: int
    type: int

    @property
    def voice(self) -> bool:
        return self.type in (0, 9)


@dataclass(frozen=True, slots=True)
class CallReleased(AtEvent):
    """^CEND (Huawei): the call is gone. ``cause`` is that of 3GPP TS 24.008 10.5.4.11 where the stick tells it."""

    index: int
    duration_s: int | None
    status: int
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class VoiceBegin(AtEvent):
    """VOICE CALL: BEGIN (SIMCom): the call is up."""


@dataclass(frozen=True, slots=True)
class VoiceEnd(AtEvent):
    """VOICE CALL: END (SIMCom), with the length of the call where the module tells it."""

    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class MissedCall(AtEvent):
    """MISSED_CALL (SIMCom): the ringing stopped unanswered. ``clock`` is the module's own time of day, as text."""

    clock: str
    number: str | None


@dataclass(frozen=True, slots=True)
class CallResult(AtEvent):
    """NO CARRIER, BUSY, NO ANSWER, NO DIALTONE."""

    text: str


@dataclass(frozen=True, slots=True)
class CmeError(AtEvent):
    """+CME ERROR / +CMS ERROR: a code, or a text when the module was set to texts (AT+CMEE=2)."""

    code: int | None
    text: str
    domain: str = "CME"


@dataclass(frozen=True, slots=True)
class Registration(AtEvent):
    """+CREG, +CGREG, +CEREG or +C5GREG. ``domain`` is the command's name without the plus.

    ``report`` is the ``<n>`` of an answer; None in what comes by itself. ``area`` and ``cell`` are hexadecimal as said.
    """

    domain: str
    stat: int
    report: int | None = None
    area: str | None = None
    cell: str | None = None
    access: int | None = None

    @property
    def registered(self) -> bool:
        """At home, roaming, or one of both without CSFB (stat 1, 5, 9, 10)."""
        return self.stat in (1, 5, 9, 10)

    @property
    def roaming(self) -> bool:
        return self.stat in (5, 7, 10)


@dataclass(frozen=True, slots=True)
class Signal(AtEvent):
    """+CSQ, +QIND "csq" or ^RSSI. ``dbm`` is -113 to -51, None when not known."""

    dbm: int | None


@dataclass(frozen=True, slots=True)
class ExtendedSignal(AtEvent):
    """+CESQ (3GPP TS 27.007 8.69), in dBm and dB; None: not told."""

    rxlev_dbm: int | None
    rscp_dbm: int | None
    ecno_db: float | None
    rsrq_db: float | None
    rsrp_dbm: int | None


@dataclass(frozen=True, slots=True)
class SimState(AtEvent):
    """+CPIN: ``READY``, ``SIM PIN``, ``SIM PUK``, ..."""

    state: str


@dataclass(frozen=True, slots=True)
class SimInserted(AtEvent):
    """+QSIMSTAT or +QUSIM (Quectel): a SIM was put in or taken out."""

    inserted: bool


@dataclass(frozen=True, slots=True)
class WaitingCaller(AtEvent):
    """+CCWA, unsolicited: a second caller knocks."""

    number: str | None
    presentation: Presentation
    validity: int | None = None


@dataclass(frozen=True, slots=True)
class Booted(AtEvent):
    """RDY: the module (re)started."""


@dataclass(frozen=True, slots=True)
class ModuleSaid(AtEvent):
    """A known word that changes nothing: SMS DONE, PB DONE, ^BOOT, ..."""

    text: str


@dataclass(frozen=True, slots=True)
class DigitHeard(AtEvent):
    """The other side pressed ``digit`` (+RXDTMF, +DTMF, +QTONEDET, ^DDTMF)."""

    digit: str
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PcmPort(AtEvent):
    """+CPCMREG, +QPCMV: 1 while sound flows over the audio port."""

    on: bool


@dataclass(frozen=True, slots=True)
class VoiceSupport(AtEvent):
    """^CVOICE (Huawei): 0 means that the stick has voice."""

    supported: bool
    rate_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Access(AtEvent):
    """Which radio the module is on: +CNSMOD, +QIND "act", ^MODE. ``name`` is ``gsm``, ``utran``, ``lte``, ... ."""

    name: str | None


@dataclass(frozen=True, slots=True)
class ImsState(AtEvent):
    """+QCFG: "ims": whether calls over LTE are switched on, and whether they work now."""

    enabled: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class Message(AtEvent):
    """+CMTI: a short message came into ``memory`` at ``index``."""

    memory: str
    index: int


@dataclass(frozen=True, slots=True)
class Ussd(AtEvent):
    """+CUSD: the network's answer to a code like \\*100#."""

    status: int
    text: str | None = None
    coding: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkTime(AtEvent):
    """+CCLK, +QLTS, *PSUTTZ...: date and time as said, quarter hours from UTC in ``zone``."""

    clock: str
    zone: int | None = None


@dataclass(frozen=True, slots=True)
class Operator(AtEvent):
    """+COPS: the network's name as said."""

    mode: int
    name: str | None = None
    access: int | None = None
