"""What the pages work with, made once by `create_app` and handed to them by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app

from webui.box_zone import BoxZone
from webui.feed.hub import Hub
from webui.feed.subscription import Subscription
from webui.media import MediaFiles
from webui.media_sweep import MediaSweep
from webui.users.store import UserStore
from webui.users.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Services:
    data_dir: Path
    run_dir: Path
    users: UserStore
    hub: Hub
    subscription: Subscription
    """Fills the hub from the recorder's socket."""
    media: MediaFiles
    sweep: MediaSweep
    zone: BoxZone
    by_address: Throttle
    by_name: Throttle

    def start(self) -> None:
        """Starts the threads behind the page; whoever serves the app does it, in the process that answers."""
        self.subscription.start()
        self.sweep.start()

    def stop(self) -> None:
        self.hub.close()
        self.sweep.stop()
        self.subscription.stop()


def services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions["offhook"])
