"""The words of the page for what a SIM card and its network say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.errors import RequestError
from webui.translate import _


def state(status: Mapping[str, Any]) -> tuple[str, str]:
    """How the card stands: the kind of `_macros.html`'s ``state``, and the words."""
    said = status.get("sim")
    if said == "READY":
        if status.get("voice") == "none":
            return "bad", _("Registered, but nobody can call it")
        return "good", _("Ready")
    if said is not None and said.startswith("PH-"):
        return "bad", _("Its module is locked to another operator")
    return {
        None: ("quiet", _("Nothing known yet")),
        "SIM PIN": ("warn", _("Wants its PIN")),
        "SIM PUK": ("bad", _("Blocked: wants its PUK")),
        "MISSING": ("bad", _("No card in the module")),
        "BROKEN": ("bad", _("The card does not work")),
    }.get(said, ("warn", str(said)))


def todo(status: Mapping[str, Any]) -> str:
    """What a person is to do about it; empty when all is well."""
    said = status.get("sim")
    if said == "SIM PIN" and status.get("pin_tries") is not None and status["pin_tries"] < 2:
        return _(
            "One try is left, so the box sends no PIN. Put the card into a telephone and enter the right PIN there; "
            "that gives all three tries back."
        )
    if said == "READY" and status.get("voice") == "none":
        return _(
            "The operator gives this module data only. Ask for VoLTE to be switched on, or restrict the module to "
            "2G and 3G."
        )
    return {
        "SIM PIN": _("Enter its PIN below, once. It is kept encrypted and never sent with fewer than 2 tries left."),
        "SIM PUK": _("Ask the operator for the PUK, 8 digits, and enter it below. Ten wrong ones end the card."),
        "MISSING": _("Put a SIM card in, contacts towards the module, until it clicks. The box notices by itself."),
        "BROKEN": _("Take it out, clean its contacts and put it in again; try it in a telephone."),
    }.get(str(said), "")


def voice(told: str | None) -> str:
    return {
        "circuit": _("over 2G or 3G"),
        "volte": _("over LTE (VoLTE)"),
        "csfb": _("on 2G or 3G, called there from LTE"),
        "none": _("none: data only"),
    }.get(told or "", _("not known yet"))


def registration(told: str | None) -> str:
    return {
        "off": _("not registered"),
        "home": _("registered"),
        "searching": _("searching"),
        "denied": _("refused by the network"),
        "roaming": _("registered, roaming"),
        "sms_only": _("messages only"),
        "emergency_only": _("emergency calls only"),
    }.get(told or "", _("not known yet"))


def radio(told: str | None) -> str:
    return {"gsm": "2G", "umts": "3G", "lte": "4G", "nr": "5G"}.get(told or "", "")


def message_state(told: str) -> str:
    return {"received": _("Received"), "sent": _("Sent"), "failed": _("Not sent")}.get(told, told)


def minutes(seconds: int | None) -> str:
    """Whole minutes, as operators count them."""
    return "–" if seconds is None else _("%(n)s min", n=-(-seconds // 60))


def bars(count: int) -> str:
    return _("%(n)s of 4 bars", n=count)


def refusal(error: RequestError) -> str:
    """Why the recorder did not do it, in the reader's language."""
    known = {
        "busy": _("The module is busy or did not answer in time. Try again when no call is up."),
        "device_lost": _("The module is not there. Check its plug and its power."),
        "wrong_phase": _("The card does not want its PUK now."),
        "no_such_line": _("This line does not run, or has no SIM card."),
        "not_supported": _("The network or the module refused it."),
        "invalid": _("The card refused it. Each wrong PUK uses up one of ten tries."),
        "bad_request": _("This is not as the module needs it."),
    }
    sentence = known.get(error.code)
    return f"{sentence} ({error})" if sentence else str(error)
