"""What the pages work with, made once by `create_app` and handed to them by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app

from webui.box_zone import BoxZone
from webui.feed.hub import Hub
from webui.feed.subscription import Subscription
from webui.field_test import FieldTestDesk
from webui.live_sound import Listeners
from webui.media import MediaFiles
from webui.media_sweep import MediaSweep
from webui.search.index import SearchIndex
from webui.search.keeper import SearchKeeper
from webui.users.audit import AuditLog
from webui.users.audit_follow import AuditFollow
from webui.users.passkeys import Passkeys
from webui.users.people import People
from webui.users.second_factor import SecondFactor
from webui.users.store import UserStore
from webui.users.throttle import Throttle
from webui.users.tokens import Tokens
from webui.users.views import Views


@dataclass(frozen=True, slots=True)
class Services:
    data_dir: Path
    run_dir: Path
    users: UserStore
    people: People
    audit: AuditLog
    audit_follow: AuditFollow
    second_factor: SecondFactor
    passkeys: Passkeys
    tokens: Tokens
    hub: Hub
    subscription: Subscription
    """Fills the hub from the recorder's socket."""
    media: MediaFiles
    sweep: MediaSweep
    zone: BoxZone
    field_test: FieldTestDesk
    listeners: Listeners
    views: Views
    search: SearchIndex
    search_keeper: SearchKeeper
    by_address: Throttle
    by_name: Throttle

    def start(self) -> None:
        """Starts the threads behind the page; whoever serves the app does it, in the process that answers."""
        self.subscription.start()
        self.sweep.start()
        self.audit_follow.start()
        self.search_keeper.start()

    def stop(self) -> None:
        self.hub.close()
        self.field_test.stop()
        self.sweep.stop()
        self.audit_follow.stop()
        self.search_keeper.stop()
        self.subscription.stop()


def services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions["offhook"])
