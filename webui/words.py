"""The words of the page for what the box knows by name: phases, outcomes, states of a recording."""

from __future__ import annotations

from collections.abc import Mapping

from flask import current_app

from webui.call_list import CallRow, RecordingRow
from webui.permissions import Permission
from webui.translate import _, ngettext


def duration(ms: int | None) -> str:
    """``00:03:12``; an hour more gives ``01:03:12``, a hundred hours still read."""
    if ms is None:
        return ""
    seconds = round(ms / 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def offset(ms: int) -> str:
    """``+00:11`` after, ``−00:02`` before the call began."""
    seconds = round(abs(ms) / 1000)
    shown = f"{seconds // 60:02d}:{seconds % 60:02d}" if seconds < 3600 else duration(abs(ms))
    return f"{'−' if ms < 0 and seconds else '+'}{shown}"


def place(ms: int) -> str:
    """A place in a recording: ``01:23``, and with hours from an hour on."""
    return offset(ms)[1:]


def party(call: CallRow) -> str:
    """Who is at the other end, as well as the box knows."""
    return call.name or call.number or no_number(call.presentation)


def no_number(presentation: str) -> str:
    return {"withheld": _("Number withheld"), "unavailable": _("Number not available")}.get(
        presentation, _("Unknown number")
    )


def directions() -> Mapping[str, str]:
    return {"incoming": _("Incoming"), "outgoing": _("Outgoing"), "unknown": _("Direction unknown")}


def statuses() -> Mapping[str, str]:
    """A call that still lasts."""
    return {
        "ringing": _("Ringing now"),
        "dialing": _("Dialling now"),
        "talking": _("In progress"),
        "suspended": _("Line out of sight"),
    }


def outcomes() -> Mapping[str, str]:
    return {
        "answered": _("Answered"),
        "missed": _("Missed"),
        "rejected": _("Rejected"),
        "no_answer": _("No answer"),
        "busy": _("Busy"),
        "failed": _("Failed"),
        "abandoned": _("Handset lifted, nothing dialled"),
        "unsupervised": _("Dialled"),
    }


def phases() -> Mapping[str, str]:
    """A line's card."""
    return {
        "idle": _("Free"),
        "ringing": _("Ringing"),
        "dialing": _("Dialling"),
        "talking": _("In a call"),
        "suspended": _("Line out of sight"),
        "absent": _("Not connected"),
    }


def call_result(call: CallRow) -> str:
    """The one phrase for how a call stands or how it ended."""
    if call.status != "ended":
        return statuses().get(call.status, call.status)
    return outcomes().get(call.outcome or "", call.outcome or "")


def call_remarks(call: CallRow) -> list[str]:
    """What else a listener should know of the call."""
    remarks = []
    if "joined_late" in call.flags:
        remarks.append(_("The call was up before the line came into view: its beginning is missing"))
    if "interrupted" in call.flags:
        remarks.append(_("The line went out of sight during the call"))
    return remarks


def recording_state(recording: RecordingRow) -> str:
    """Why there is no player for this part; empty when there is one."""
    if recording.playable:
        return ""
    return {
        "recording": _("Recording now"),
        "closed": _("Being prepared for listening"),
        "sealed": _("The sound file is missing"),
        "failed": _("The recording failed"),
        "deleted": _("The sound was deleted"),
    }.get(recording.status, recording.status)


def recording_remarks(recording: RecordingRow) -> list[str]:
    """What is wrong with the sound of this part."""
    remarks = []
    if recording.cut_short:
        remarks.append(_("Cut short at %(time)s", time=duration(recording.duration_ms or 0)))
    if recording.silent:
        remarks.append(_("Nothing but silence was recorded"))
    if recording.one_way:
        remarks.append(_("Only one side is heard"))
    if recording.gap_count:
        remarks.append(
            ngettext(
                "%(num)d gap, %(seconds)s s of sound missing",
                "%(num)d gaps, %(seconds)s s of sound missing",
                recording.gap_count,
                seconds=f"{recording.gap_ms / 1000:.1f}",
            )
        )
    if recording.status == "failed" and recording.error:
        remarks.append(recording.error)
    return remarks


def permissions() -> Mapping[str, str]:
    """What a role may give, as a person would say it."""
    return {
        Permission.LIST: _("see lines and calls"),
        Permission.ANNOTATE: _("write notes and tags"),
        Permission.LISTEN: _("listen to recordings"),
        Permission.EXPORT: _("export and download"),
        Permission.DELETE: _("delete and protect recordings"),
        Permission.DIAL: _("dial and hang up"),
        Permission.CONFIGURE: _("change settings"),
        Permission.HARDWARE: _("set up lines and hardware"),
        Permission.USERS: _("manage users"),
        Permission.AUDIT: _("read the audit log"),
        Permission.SYSTEM: _("look after the system"),
    }


def roles() -> Mapping[str, str]:
    return {
        "admin": _("Admin"),
        "supervisor": _("Supervisor"),
        "agent": _("Agent"),
        "technician": _("Technician"),
        "auditor": _("Auditor"),
    }


def role_name(role: str) -> str:
    """A preset in the reader's language; a role of one's own as its maker called it."""
    return roles().get(role, role)


def scopes() -> Mapping[str, str]:
    """What a token may do."""
    return {
        "metrics": _("read measurements (Prometheus)"),
        "status": _("see lines, alarms and sync"),
        "calls": _("list calls"),
        "audio": _("fetch recordings"),
        "notes": _("write notes and tags"),
        "dial": _("dial and hang up"),
        "settings": _("read and change settings"),
    }


def audit_actions() -> Mapping[str, str]:
    return {
        "signed_in": _("logged in"),
        "sign_in_refused": _("was refused at the login"),
        "signed_out": _("logged out"),
        "listened": _("listened to a recording"),
        "listened_in": _("listened in on a line"),
        "exported": _("exported"),
        "annotated": _("wrote a note or tag"),
        "protected": _("protected a call"),
        "unprotected": _("took protection from a call"),
        "deleted": _("deleted sound"),
        "dialled": _("dialled or hung up"),
        "settings_changed": _("changed settings"),
        "retention_decided": _("decided about a deletion"),
        "alarm_acknowledged": _("saw an alarm"),
        "user_added": _("added a user"),
        "user_changed": _("changed a user"),
        "user_removed": _("removed a user"),
        "role_changed": _("changed a role"),
        "department_changed": _("changed a department"),
        "password_changed": _("changed a password"),
        "second_factor_changed": _("changed a second factor"),
        "session_ended": _("ended a session"),
        "token_made": _("made an API token"),
        "token_revoked": _("revoked an API token"),
        "system": _("looked after the system"),
    }


def audit_detail(detail: Mapping[str, object]) -> str:
    """An entry's details on one line; names stay as the log has them, so that they can be searched."""
    return " · ".join(f"{name}: {value}" for name, value in detail.items())


def script_words(logged_in: bool) -> dict[str, object]:
    """Everything that the scripts of all pages say."""
    words: dict[str, object] = {
        "icons": current_app.jinja_env.globals["asset"]("app/icons.svg"),  # type: ignore[operator]
        "close": _("Close"),
        "failed": _("This did not work. Try again in a moment."),
        "streamLost": _("The connection to the box is lost; trying again."),
    }
    return words | _live_words() if logged_in else words


def _live_words() -> dict[str, object]:
    return {
        "phases": dict(phases()),
        "directions": dict(directions()),
        "noNumber": {p: no_number(p) for p in ("valid", "withheld", "unavailable", "unknown")},
        "recording": _("Recording"),
        "notRecording": _("Not recording"),
        "notRecordingOn": _("NOT RECORDING on %(line)s", line="{line}"),
        "notRecordingTodo": _("The call goes on, but its sound is not being kept. Check the line's sound device."),
        "silent": _("No sound is heard on this line"),
        "lost": _("The line's sound device is gone"),
        "channels": {"mixed": _("Both sides"), "remote": _("Caller"), "local": _("Us")},
        "recorderDown": _("The recorder is not running or does not answer."),
        "recorderStalled": _("The recorder runs, but does not watch the lines."),
        "dataAge": _("What you see is %(age)s old.", age="{age}"),
        "noData": _("There is no live data yet."),
        "seconds": _("%(n)s s", n="{n}"),
        "minutes": _("%(n)s min", n="{n}"),
        "hours": _("%(n)s h", n="{n}"),
        "healthy": _("Live"),
        "unhealthy": _("No live data"),
        "acknowledge": _("Seen"),
        "acknowledged": _("seen"),
        "since": _("since %(time)s", time="{time}"),
        "times": _("%(n)s times", n="{n}"),
        "newCalls": _("Show new calls"),
    }
