"""What follows a commit: subscribers are told, and the raw file of a sealed recording may go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from firmware.ipc_events import alarm_event, call_event, recording_event
from firmware.live import Json, LiveView
from firmware.model import RecordingId
from firmware.ports import Clock, GapCause
from firmware.store import queries
from firmware.store.database import open_reader
from firmware.store.transaction import Committed


class AfterCommit:
    """Called on the store's write thread with what each transaction held."""

    def __init__(
        self,
        database: Path,
        live: LiveView,
        *,
        publish: Callable[[Json], None],
        confirm: Callable[[RecordingId], None],
        time_zone: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._database = database
        self._live = live
        self._publish = publish
        self._confirm = confirm
        self._time_zone = time_zone
        self._clock = clock
        self._reader: Any = None

    def __call__(self, committed: Sequence[Committed]) -> None:
        for told in committed:
            # An empty raw file of a crash is told as failed; there is nothing in it to wait for.
            emptied = told.type == "recording.failed" and told.body.get("cause") == GapCause.RECORDER_DOWN
            if told.type == "recording.sealed" or emptied:
                self._confirm(RecordingId(told.body["id"]))
        kinds = {told.type.partition(".")[0] for told in committed}
        if kinds & {"alarm", "call"}:
            self.refresh()
        for told in committed:
            event = self._event(told)
            if event is not None:
                self._publish(event)

    def refresh(self) -> None:
        """Reads standing alarms and today's counts anew."""
        if self._reader is None:
            self._reader = open_reader(self._database)
        today = queries.today(self._reader, self._midnight_utc_ms())
        self._live.set_standing(queries.standing_alarms(self._reader), today)

    def _midnight_utc_ms(self) -> int:
        """The last midnight where the box stands."""
        now = datetime.fromtimestamp(self._clock.now().utc_ms / 1000, ZoneInfo(self._time_zone()))
        return int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)

    def _event(self, told: Committed) -> Json | None:
        match told.type.partition(".")[0]:
            case "call":
                return call_event(self._live.next_seq(), told.body)
            case "alarm":
                return alarm_event(self._live.next_seq(), told.body)
            case "recording":
                return recording_event(self._live.next_seq(), told.body)
        return None
