"""A receiver without a broker: messages in, answers out, on a real folder that outlives it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sync.receiver.core import Limits, Receiver
from sync.receiver.engine import Delivery, Engine
from sync.receiver.sqlite_storage import SqliteStorage
from sync.receiver.suspects import Suspects


class Cloud:
    def __init__(self, folder: Path, *, limits: Limits | None = None, reserve_bytes: int = 0) -> None:
        self.folder = folder
        self._closed = False
        self.at_ms = 1_795_321_796_000
        self.storage = SqliteStorage(folder, reserve_bytes=reserve_bytes)
        self.suspects = Suspects(folder)
        self.engine = Engine(
            self.storage, Receiver(limits or Limits()), suspects=self.suspects, now_ms=lambda: self.at_ms
        )

    def say(self, *messages: tuple[str, bytes]) -> list[dict[str, Any]]:
        """The answers to one group of messages."""
        replies = self.engine.process([Delivery(topic, payload) for topic, payload in messages])
        return [json.loads(reply.payload) for reply in replies]

    def one(self, *messages: tuple[str, bytes]) -> dict[str, Any]:
        answers = self.say(*messages)
        assert len(answers) == 1, answers
        return answers[0]

    def rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"{(self.folder / 'receiver.db').as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(sql, tuple(parameters)).fetchall()
        finally:
            connection.close()

    def stored(self) -> dict[str, bytes]:
        """What lies in the folder of stored files, by file id."""
        return {path.stem: path.read_bytes() for path in self.storage.files.in_place()}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.suspects.close()
            self.storage.close()
