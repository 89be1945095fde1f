"""How the field test reaches the box: its socket, its database (reading), its files. Nothing else."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from attrs import frozen

from firmware.config_sync import SyncSettings, sync_part
from firmware.errors import StoreError
from firmware.ipc.client import RecorderClient, Subscription
from firmware.store import queries
from firmware.store.database import open_reader
from firmware.store.transaction import fetch

_SYNC_STATUS_FRESH_MS = 15_000


@frozen
class Access:
    """One box."""

    data: Path
    run_dir: Path

    def request(self, cmd: str, **arguments: Any) -> dict[str, Any]:
        """What the recorder answers. Raises `RequestError` and `RecorderUnreachableError`."""
        with RecorderClient(self.run_dir / "recorder.sock") as client:
            return client.request(cmd, **arguments)

    def events(self) -> Subscription:
        """Everything the recorder tells, levels too."""
        return RecorderClient(self.run_dir / "recorder.sock").subscribe(levels=True)

    def lines(self) -> list[dict[str, Any]]:
        """The LINEs of docs/interfaces.md."""
        found: list[dict[str, Any]] = self.request("state")["lines"]
        return found

    def line(self, line: str) -> dict[str, Any] | None:
        return next((one for one in self.lines() if one["id"] == line), None)

    def call(self, call: str) -> dict[str, Any] | None:
        """CALL with its recordings, as the database has it."""
        db = open_reader(self.data / "offhook.db")
        try:
            return queries.one_call(db, call)
        finally:
            db.close()

    def stored_in_the_cloud(self, recordings: list[str]) -> bool:
        """The cloud has confirmed a file of each of them, by its SHA-256."""
        db = open_reader(self.data / "offhook.db")
        try:
            marks = ", ".join("?" * len(recordings))
            rows = fetch(
                db,
                "SELECT count(DISTINCT recording_id) AS n FROM outbox_file "  # noqa: S608
                f"WHERE state = 'stored' AND recording_id IN ({marks})",
                recordings,
            )
        finally:
            db.close()
        return int(rows[0]["n"]) == len(recordings)

    def settings_document(self) -> str:
        """The TOML in force."""
        document: str = self.request("config.get")["document"]
        return document

    def sync(self) -> SyncSettings:
        return sync_part(self.settings_document()).sync

    def sync_phase(self) -> str:
        """Of `offhook sync status`; ``offline`` when no sync process speaks."""
        try:
            status = json.loads((self.run_dir / "sync" / "status.json").read_text())
        except (OSError, ValueError):
            return "offline"
        fresh = time.time_ns() // 1_000_000 - int(status.get("at_ms", 0)) < _SYNC_STATUS_FRESH_MS
        return str(status.get("phase", "offline")) if fresh else "offline"

    def database_is_intact(self) -> bool:
        """SQLite's own quick check."""
        with contextlib.suppress(StoreError):
            db = open_reader(self.data / "offhook.db")
            try:
                return bool(fetch(db, "PRAGMA quick_check(1)")[0]["quick_check"] == "ok")
            finally:
                db.close()
        return False
