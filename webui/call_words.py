"""Sentences of the page of one call: what happened, what was changed, why it was recorded, how long it stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webui.call_list import CallRow
from webui.call_story import Change, Keeping, Moment
from webui.translate import _


def moment_words(moment: Moment) -> tuple[str, str]:
    """Icon and sentence of one thing that happened."""
    icon, sentence = _moments().get(moment.kind, ("info", moment.kind.replace("_", " ")))
    if moment.kind == "ended" and moment.detail:
        return icon, f"{sentence}: {_ends().get(moment.detail, moment.detail)}"
    if moment.kind == "gap":
        missing = "?" if moment.length_ms is None else f"{moment.length_ms / 1000:.1f}"
        return icon, _(
            "%(seconds)s s of sound are missing (%(cause)s)",
            seconds=missing,
            cause=_causes().get(moment.detail, moment.detail),
        )
    return icon, sentence


def _moments() -> Mapping[str, tuple[str, str]]:
    return {
        "began": ("flag", _("The call began")),
        "ring": ("ringing", _("It rang")),
        "ring_paused": ("ringing", _("The ring paused")),
        "caller_id": ("user", _("Caller ID came")),
        "caller_id_rejected": ("warning", _("A caller ID came, but could not be read")),
        "off_hook": ("answer", _("The handset was lifted")),
        "on_hook": ("hangup", _("The handset was put back")),
        "primary_answer": ("user", _("A telephone asked the exchange who calls")),
        "primary_answer_over": ("user", _("It had been told, and the line was free to ring")),
        "polarity_reversed": ("bolt", _("The line changed polarity")),
        "digit_dialled": ("digits", _("A digit was dialled")),
        "digit_received": ("digits", _("A digit was pressed")),
        "dial_started": ("dialing", _("Dialling began")),
        "alerting": ("ringing", _("It rings at the other end")),
        "answered": ("answer", _("Answered")),
        "call_ended": ("hangup", _("The network ended the call")),
        "waiting_call": ("message", _("A second caller knocked")),
        "line_up": ("line", _("The line came into view")),
        "line_down": ("absent", _("The line went out of sight")),
        "dial_requested": ("dial", _("A person asked to dial")),
        "answer_requested": ("answer", _("A person asked to answer")),
        "hang_up_requested": ("hangup", _("A person asked to hang up")),
        "digits_requested": ("digits", _("A person asked to press keys")),
        "flash_requested": ("bolt", _("A person asked for the flash key")),
        "gap": ("gap", _("Sound is missing")),
        "sound_rearmed": ("volume", _("The sound was switched on again")),
        "sound_refused": ("mute", _("The module gave no sound")),
        "ended": ("hangup", _("The call ended")),
    }


def _ends() -> Mapping[str, str]:
    return {
        "on_hook": _("the handset was put back"),
        "ringing_stopped": _("the ringing stopped"),
        "network": _("the other side or the network hung up"),
        "device_lost": _("the line's device was lost"),
        "recorder_restarted": _("the recorder was restarted"),
        "not_seen_to_end": _("it ended while nobody watched"),
    }


def _causes() -> Mapping[str, str]:
    return {
        "overrun": _("the sound card was faster than the box"),
        "queue_full": _("the disk was too slow"),
        "device_lost": _("the line's device was lost"),
        "disk_full": _("the disk was full"),
        "recorder_down": _("the recorder was down"),
    }


def change_words(change: Change) -> str:
    """What somebody did, without who and when."""
    value = change.value if len(change.value) <= 80 else change.value[:80] + "…"
    return {
        "note": _("wrote the note: %(text)s", text=value) if value else _("took the note away"),
        "tag": _("added the tag %(tag)s", tag=value),
        "untag": _("took away the tag %(tag)s", tag=value),
        "marker": _("set a marker: %(text)s", text=value) if value else _("set a marker"),
        "unmarker": _("removed a marker"),
        "review": _("marked the call as reviewed"),
        "unreview": _("put the call back to review"),
        "protect": _("protected the sound: %(reason)s", reason=value),
        "unprotect": _("took the protection away: %(reason)s", reason=value),
    }.get(change.what, change.what)


def kept_words(keeping: Keeping) -> str:
    """How long the sound stays, as a sentence; moments are written by the template."""
    if keeping.kind == "protected":
        return _(
            "Protected by %(by)s: %(reason)s. No rule and no person deletes it.", by=keeping.by, reason=keeping.reason
        )
    if keeping.kind == "gone" and keeping.by == "retention":
        return _("The sound was deleted by the retention rule.")
    if keeping.kind == "gone":
        return _("The sound was deleted by %(by)s: %(reason)s", by=keeping.by, reason=keeping.reason)
    return {
        ("days", True): _("By the rule of days, once the cloud has it"),
        ("days", False): _("By the rule of days"),
        ("space", True): _("When the space is needed and the cloud has it, oldest first"),
    }.get((keeping.kind, keeping.waits_for_cloud), _("When the space is needed, oldest first"))


def rule_words(call: CallRow, rule: Mapping[str, Any]) -> str:
    """Why there is sound of this call, or why not, by the rules that were in force when it began."""
    if "not_to_be_recorded" in call.flags:
        return _("The recording rules leave this call out: no sound of it is kept.")
    number = call.number or ""
    always = rule.get("always", [])
    for pattern in always if isinstance(always, list) else []:
        if (
            isinstance(pattern, str)
            and pattern
            and (number == pattern or (pattern.endswith("*") and number.startswith(pattern[:-1])))
        ):
            return _("Its number is on the list that is always recorded (%(pattern)s).", pattern=pattern)
    return {
        "incoming": _("The rules record incoming calls."),
        "outgoing": _("The rules record outgoing calls."),
        "none": _("The rules record only numbers that are on the list."),
    }.get(str(rule.get("calls", "all")), _("The rules record all calls."))
