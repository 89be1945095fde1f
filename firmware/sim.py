"""What is to be said of a SIM and its module beside calls: status, signal, messages, balance, time (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from firmware.events import LineEvent


class Registration(StrEnum):
    """``<stat>`` of +CREG and +CEREG in words (3GPP TS 27.007 7.2 and 10.1.22)."""

    OFF = "off"
    """Not registered and not searching: no SIM, or the radio is off."""
    HOME = "home"
    SEARCHING = "searching"
    DENIED = "denied"
    UNKNOWN = "unknown"
    ROAMING = "roaming"
    SMS_ONLY = "sms_only"
    EMERGENCY_ONLY = "emergency_only"

    @property
    def can_call(self) -> bool:
        return self in {Registration.HOME, Registration.ROAMING}


class VoicePath(StrEnum):
    """How a call would reach the module where it is now."""

    CIRCUIT = "circuit"
    """2G or 3G."""
    VOLTE = "volte"
    CSFB = "csfb"
    """On LTE, and the network moves the module to 2G or 3G for a call."""
    NONE = "none"
    """Registered, and will not ring: data only."""
    UNKNOWN = "unknown"


def voice_path(
    circuit: Registration | None, packet: Registration | None, *, radio: str | None, ims: bool | None
) -> VoicePath:
    """Whether and how the module can be called. ``circuit`` is +CREG, ``packet`` +CEREG; None: not told.

    A combined attach shows as +CREG 1 on LTE too (3GPP TS 23.272): calls come by CS fallback, or by IMS where that is
    registered. +CEREG 1 with +CREG 0, 2 or 3 and no IMS is a module that looks well and never rings.
    """
    on_lte = radio == "lte" or (radio is None and packet is not None and packet.can_call and circuit is None)
    if ims and packet is not None and packet.can_call:
        return VoicePath.VOLTE
    if circuit is not None and circuit.can_call:
        return VoicePath.CSFB if on_lte else VoicePath.CIRCUIT
    if packet is not None and packet.can_call and circuit is not None:
        return VoicePath.NONE
    if circuit is Registration.SMS_ONLY:
        return VoicePath.NONE
    return VoicePath.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class SimStatus:
    """What the module last said; None: nothing yet. Numbers and ids are the SIM owner's: `redact` them in logs."""

    imei: str | None = None
    model: str | None = None
    iccid: str | None = None
    own_number: str | None = None
    operator: str | None = None
    sim: str | None = None
    """The answer to AT+CPIN? (``READY``, ``SIM PIN``, ...), or ``MISSING``."""
    pin_tries: int | None = None
    puk_tries: int | None = None
    circuit: Registration | None = None
    packet: Registration | None = None
    radio: str | None = None
    """``gsm``, ``umts``, ``lte`` or ``nr``."""
    ims: bool | None = None
    """Whether calls over LTE (VoLTE) are registered."""
    signal_dbm: int | None = None

    @property
    def voice(self) -> VoicePath:
        return voice_path(self.circuit, self.packet, radio=self.radio, ims=self.ims)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimReport(LineEvent):
    """What a module tells beside calls: the runtime hands it to the store, the call machine never sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSeen(SimReport):
    """The status changed in something but its signal."""

    status: SimStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSampled(SimReport):
    """One point of the history of signal and registration."""

    status: SimStatus


class MessageState(StrEnum):
    RECEIVED = "received"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKept(SimReport):
    """A short message that came, or that was sent (or could not be)."""

    number: str
    text: str
    state: MessageState
    network_utc_ms: int | None = None
    """When the message centre took it, by its own clock."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UssdAnswered(SimReport):
    """The network's answer to a code like ``*100#``: mostly the balance."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkTimeTold(SimReport):
    """The network says that it is ``utc_ms`` at this event's moment."""

    utc_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRefused(SimReport):
    """The stored PIN is wrong: it is never sent again."""


class Mark(StrEnum):
    """What is worth saying beside a call. Its words stand in `firmware.store.notes`."""

    SOUND_REARMED = "sound_rearmed"
    """No sound came, or digital silence: the module's sound was switched on again during the call."""
    SOUND_REFUSED = "sound_refused"
    """The module refused its sound for the whole time that it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMarked(SimReport):
    """Something about the call that is up on the line. ``after_s`` counts from its answer."""

    mark: Mark
    after_s: float
