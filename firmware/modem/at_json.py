"""AT events as JSON objects, one shape per kind whatever the module; docs/at-events.md lists them (pure)."""

from __future__ import annotations

from typing import Any, Final

from firmware.model import Direction
from firmware.modem.at_events import (
    Access,
    AtEvent,
    Booted,
    CallAlerts,
    CallConnected,
    CallerLine,
    CallOriginated,
    CallReleased,
    CallResult,
    CallState,
    CmeError,
    DigitHeard,
    ExtendedSignal,
    ImsState,
    ListedCall,
    Message,
    MissedCall,
    ModuleSaid,
    NetworkTime,
    Operator,
    PcmPort,
    PushedCall,
    Registration,
    Ringing,
    Signal,
    SimInserted,
    SimState,
    Unknown,
    Ussd,
    VoiceBegin,
    VoiceEnd,
    VoiceSupport,
    WaitingCaller,
)  # fmt: skip
from firmware.modem.cme_errors import meaning

Json = dict[str, Any]

ACCESS: Final[dict[int, str]] = {
    0: "gsm", 1: "gsm_compact", 2: "utran", 3: "egprs", 4: "hsdpa", 5: "hsupa", 6: "hspa", 7: "lte", 8: "ec_gsm_iot",
    9: "nb_iot", 10: "eutra_5gc", 11: "nr", 12: "ng_ran", 13: "en_dc",
}  # fmt: skip
"""<AcT> of 3GPP TS 27.007 7.3."""
STAT: Final = {
    0: "not searching", 1: "home", 2: "searching", 3: "denied", 4: "unknown", 5: "roaming", 6: "home, SMS only",
    7: "roaming, SMS only", 8: "emergency only", 9: "home, CSFB not preferred", 10: "roaming, CSFB not preferred",
    11: "restricted local services",
}  # fmt: skip
"""<stat> of 3GPP TS 27.007 7.2."""
_STATES: Final = {
    CallState.ACTIVE: "active", CallState.HELD: "held", CallState.DIALING: "dialing", CallState.ALERTING: "alerting",
    CallState.INCOMING: "incoming", CallState.WAITING: "waiting", CallState.GONE: "disconnected",
}  # fmt: skip


def as_json(event: AtEvent) -> Json:  # noqa: PLR0911, PLR0912 - one branch per kind
    """One JSON object: ``kind``, then its values. What a line did not say is None."""
    match event:
        case PushedCall(state=CallState.GONE):
            return {"kind": "call_ended", "duration_s": None, "index": event.index, **_party(event)}
        case PushedCall():
            return {"kind": "call_state", "index": event.index, **_party(event), "state": _STATES[event.state]}
        case ListedCall():
            return {"kind": "clcc", "calls": [_listed(event)]}
        case CallOriginated(index):
            return {"kind": "call_state", "index": index, "direction": "MO", "state": "dialing", "voice": event.voice}
        case CallAlerts(index):
            return {"kind": "call_state", "index": index, "direction": "MO", "state": "alerting", "voice": True}
        case CallConnected(index):
            return {"kind": "call_state", "index": index, "direction": None, "state": "active", "voice": event.voice}
        case CallReleased():
            ended = {"kind": "call_ended", "duration_s": event.duration_s, "index": event.index}
            return {**ended, "status": event.status, "cause": event.cause}
        case VoiceBegin():
            return {"kind": "call_state", "index": None, "direction": None, "state": "active", "voice": True}
        case VoiceEnd(duration_s):
            return {"kind": "call_ended", "duration_s": duration_s}
        case Ringing():
            return {"kind": "ring", "type": event.bearer or None, "voice": event.voice}
        case CallerLine():
            return {"kind": "clip", **_caller(event), "name": event.name}
        case WaitingCaller():
            return {"kind": "ccwa", **_caller(event)}
        case MissedCall(clock, number):
            return {"kind": "missed_call", "number": number, "clock": clock}
        case CallResult(text):
            return {"kind": "call_result", "result": text}
        case CmeError(code, text, domain):
            known, words = meaning(domain, code, text)
            return {"kind": f"{domain.lower()}_error", "code": known, "meaning": words}
        case DigitHeard(digit, duration_ms):
            return {"kind": "dtmf", "digit": digit, **({"duration_ms": duration_ms} if duration_ms is not None else {})}
    return _state_as_json(event)


def _state_as_json(event: AtEvent) -> Json:  # noqa: PLR0911, PLR0912 - one branch per kind
    match event:
        case Registration():
            return _registration(event)
        case Signal(dbm):
            return {"kind": "csq", "dbm": dbm}
        case ExtendedSignal():
            return {
                "kind": "cesq", "rxlev_dbm": event.rxlev_dbm, "rscp_dbm": event.rscp_dbm, "ecno_db": event.ecno_db,
                "rsrq_db": event.rsrq_db, "rsrp_dbm": event.rsrp_dbm,
            }  # fmt: skip
        case SimState(state):
            return {"kind": "cpin", "state": state}
        case SimInserted(inserted):
            return {"kind": "sim_inserted", "inserted": inserted}
        case Booted():
            return {"kind": "boot"}
        case ModuleSaid(text):
            return {"kind": "module", "text": text}
        case PcmPort(on):
            return {"kind": "pcm", "on": on}
        case VoiceSupport(supported, rate_hz):
            return {"kind": "voice_support", "supported": supported, "rate_hz": rate_hz}
        case Access(name):
            return {"kind": "access", "act": name}
        case ImsState(enabled, ready):
            return {"kind": "ims", "enabled": enabled, "ready": ready}
        case Message(memory, index):
            return {"kind": "sms", "memory": memory, "index": index}
        case Ussd(status, text, coding):
            return {"kind": "ussd", "status": status, "text": text, "coding": coding}
        case NetworkTime(clock, zone):
            return {"kind": "clock", "clock": clock, "zone_quarter_hours": zone}
        case Operator(mode, name, access):
            return {
                "kind": "cops",
                "mode": mode,
                "name": name,
                "act": ACCESS.get(access) if access is not None else None,
            }
        case Unknown(text):
            return {"kind": "unknown", "text": text}
    return {"kind": "unknown", "text": repr(event)}


def _registration(event: Registration) -> Json:
    return {
        "kind": event.domain.lower(),
        "stat": event.stat,
        "meaning": STAT[event.stat],
        "registered": event.registered,
        "roaming": event.roaming,
        "act": ACCESS.get(event.access) if event.access is not None else None,
        "lac": event.area,
        "ci": event.cell,
        "n": event.report,
    }


def _listed(call: ListedCall) -> Json:
    row = {"index": call.index, "direction": _direction(call), "state": _STATES[call.state], "mode": call.mode}
    named = {"number": call.number, "validity": call.validity, "name": call.name}
    return {**row, **named, "multiparty": call.multiparty, "voice": call.voice}


def _party(call: ListedCall) -> Json:
    return {"direction": _direction(call), "number": call.number, "voice": call.voice}


def _direction(call: ListedCall) -> str:
    return "MO" if call.direction is Direction.OUTGOING else "MT"


def _caller(event: CallerLine | WaitingCaller) -> Json:
    return {"number": event.number, "validity": event.validity, "presentation": event.presentation.value}
