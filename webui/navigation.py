"""What stands in the rail, and what stands under Settings: one line per page, shown to those who may open it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app, request
from flask_login import current_user

from webui.field_test_words import said
from webui.permissions import required_by
from webui.translate import _


@dataclass(frozen=True, slots=True)
class Place:
    """One page to go to."""

    endpoint: str
    icon: str
    title: Callable[[], str]
    about: Callable[[], str] = lambda: ""
    """One sentence under the title, on the page of all settings."""

    @property
    def here(self) -> bool:
        """Whether this request is for this page or one of the same blueprint."""
        blueprint, view = self.endpoint.split(".")
        if blueprint == "cloud_link":  # two pages of one blueprint
            return request.blueprint == blueprint and ("webhook" in (request.endpoint or "")) == (view == "webhooks")
        return request.blueprint in (blueprint, {"lines": "calibration"}.get(blueprint))

    @property
    def allowed(self) -> bool:
        return bool(
            current_user.is_authenticated and required_by(current_app, self.endpoint) <= current_user.permissions
        )


RAIL = (
    Place("live.index", "live", lambda: _("Live")),
    Place("calls.index", "calls", lambda: _("Calls")),
    # Contacts, follow-ups and reports will stand here.
)

SETTINGS: tuple[Place, ...] = (
    Place("alarms.index", "alarm", lambda: _("Alarms"), lambda: _("What needs somebody, and what did")),
    Place(
        "lines.index", "hardware", lambda: _("Lines and hardware"), lambda: _("What is plugged in, how it is, its name")
    ),
    Place("field_test.index", "test", lambda: said("title"), lambda: said("about")),
    Place("sims.index", "sim", lambda: _("SIM cards"), lambda: _("PIN, balance, messages, signal and minutes")),
    Place("recording_rules.index", "rules", lambda: _("What is recorded"), lambda: _("All calls, or some, by number")),
    Place("storage.index", "storage", lambda: _("Storage"), lambda: _("How long sound is kept, and what goes next")),
    Place("cloud.index", "cloud", lambda: _("Cloud"), lambda: _("What waits for the cloud, and whether it gets there")),
    Place("cloud_link.index", "sync", lambda: _("Link to the cloud"), lambda: _("Where calls and recordings are sent")),
    Place(
        "cloud_link.webhooks",
        "webhook",
        lambda: _("Webhooks"),
        lambda: _("Other programs that are told of calls at once"),
    ),
    Place(
        "people.index",
        "users",
        lambda: _("Users and roles"),
        lambda: _("Who may log in, and what each may see, hear and change"),
    ),
    Place("tokens.index", "token", lambda: _("API tokens"), lambda: _("Programs that read calls or measure the box")),
    Place("audit.index", "audit", lambda: _("Audit log"), lambda: _("Who listened, exported, changed and deleted")),
    Place("setup.index", "check", lambda: _("Set-up assistant"), lambda: _("Step by step through what matters first")),
    Place(
        "system.index",
        "device",
        lambda: _("System"),
        lambda: _("Name and time, updates, backup, trust, help"),
    ),
)
"""In the order of the page; the groups that a person looks for first come first."""


def install(app: Flask) -> None:
    app.context_processor(
        lambda: {
            "rail": [place for place in RAIL if place.allowed],
            "settings_places": [place for place in SETTINGS if place.allowed],
            "in_settings": request.blueprint == "settings" or any(place.here for place in SETTINGS),
        }
    )
