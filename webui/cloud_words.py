"""The words for what the sync process says of itself."""

from __future__ import annotations

from typing import Any

from webui.translate import _, ngettext


def phase(status: dict[str, Any]) -> tuple[str, str]:
    """The kind of a state mark, and its words."""
    known = {
        "off": ("quiet", _("No cloud is connected")),
        "offline": ("bad", _("Not connected")),
        "connecting": ("busy", _("Connecting")),
        "greeting": ("busy", _("Connected, waiting for the receiver")),
        "away": ("bad", _("Connected, but the receiver does not answer")),
        "ready": ("good", _("Connected")),
    }
    kind, words = known.get(status["phase"], ("warn", status["phase"]))
    if status["phase"] == "off" and status.get("enabled"):
        return "warn", _("Getting ready")
    return kind, words


def error(status: dict[str, Any]) -> str | None:
    """The last trouble as a sentence; None when there is none."""
    if not status.get("last_error") or status["phase"] == "off":
        return None
    known = {
        "link": _("The server cannot be reached. Is the internet connection up, and the address right?"),
        "not_allowed": _("The server does not accept this box. Check user, password or certificate."),
        "hung_up": _("The server hangs up before it answers. Check the port and the kind of connection."),
        "same_identity": _("Another device uses this box's identity."),
        "silent": _("The connection had died without a word; a new one is made."),
        "receiver_away": _("The server is there, but nothing behind it receives."),
        "unreachable": _("The store for recordings cannot be reached."),
        "cloud_full": _("The cloud has no room for recordings now."),
        "database": _("The box's own database cannot be written. Is its disk full?"),
        "file": _("A recording could not be sent; it is tried again."),
    }
    return known.get(str(status.get("last_error_key")), _("Something went wrong; it is tried again."))


def waits_for(reason: str | None) -> str | None:
    """Why recordings do not go now."""
    known = {
        "full": _("until the cloud has room"),
        "paused": _("paused"),
        "schedule": _("until the hours that the settings name"),
        "metered": _("until there is a network that costs nothing by volume"),
        "volume": _("until the next day or month: its volume is spent"),
    }
    return known.get(reason) if reason else None


def age(seconds: float | None) -> str:
    """How long the oldest record has been waiting."""
    if seconds is None:
        return _("nothing waits")
    if seconds < 90:
        return ngettext("%(num)d second", "%(num)d seconds", round(seconds))
    if seconds < 5400:
        return ngettext("%(num)d minute", "%(num)d minutes", round(seconds / 60))
    if seconds < 172_800:
        return ngettext("%(num)d hour", "%(num)d hours", round(seconds / 3600))
    return ngettext("%(num)d day", "%(num)d days", round(seconds / 86400))


def confirmed(status: dict[str, Any]) -> str:
    if status.get("confirmed_by") == "broker":
        return _("by the broker only: what it loses is lost in the cloud")
    return _("by the receiver, once it is safe there")


def way(status: dict[str, Any]) -> str:
    known = {
        "mqtt": _("in pieces over MQTT"),
        "emqx": _("by EMQX's file transfer"),
        "s3": _("into a bucket (S3)"),
    }
    return known.get(str(status.get("files_by")), "")


def done(what: str) -> str:
    known = {
        "now": _("Everything that waits is being sent."),
        "pause": _("Recordings wait until you resume; records of calls go on."),
        "resume": _("Recordings go on."),
    }
    return known[what]


def off() -> str:
    return _("No cloud is connected: name one in the settings first.")
