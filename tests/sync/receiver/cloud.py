"""A receiver without a broker: messages in, answers out, over either storage, which outlives it."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg

from sync.receiver.core import Limits, Receiver, coalesced
from sync.receiver.engine import Delivery, Engine
from sync.receiver.kept import Kept
from sync.receiver.opening import open_folder, open_storage, opener
from sync.receiver.settings import PostgresSettings, S3Settings, Settings, StorageSettings
from sync.receiver.sqlite_storage import SqliteStorage
from sync.receiver.storage import Storage
from sync.receiver.suspects import Suspects
from sync.receiver.verify import Finding, verify
from tests.sync.receiver.engines import BUCKET, Engines


class AnyCloud(ABC):
    """What a test of either storage may ask."""

    def __init__(self, folder: Path, storage: Storage, limits: Limits | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._closed = False
        self.at_ms = 1_795_321_796_000
        self.any_storage = storage
        self.suspects = Suspects(folder)
        self.engine = Engine(storage, Receiver(limits or Limits()), suspects=self.suspects, now_ms=lambda: self.at_ms)

    def say(self, *messages: tuple[str, bytes]) -> list[dict[str, Any]]:
        """The answers to one group of messages."""
        commits = self.engine.process([Delivery(topic, payload) for topic, payload in messages])
        return [json.loads(reply.payload) for reply in coalesced([one for replies in commits for one in replies])]

    def one(self, *messages: tuple[str, bytes]) -> dict[str, Any]:
        answers = self.say(*messages)
        assert len(answers) == 1, answers
        return answers[0]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.opened() as kept:
            return [tuple(row) for row in kept.rows.run(sql)]

    def findings(self) -> tuple[Finding, ...]:
        with self.opened() as kept:
            return verify(kept).findings

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.suspects.close()
            self.any_storage.close()

    @abstractmethod
    def opened(self) -> AbstractContextManager[Kept]: ...

    @abstractmethod
    def again(self) -> AnyCloud:
        """Closed, and started anew."""

    @abstractmethod
    def objects(self) -> dict[str, bytes]:
        """Stored files, by their place."""

    @abstractmethod
    def put(self, place: str, content: bytes | None) -> None:
        """Behind the receiver's back; None takes the file away."""

    @abstractmethod
    def staged(self) -> int:
        """How many parts or chunks are kept for files on their way."""

    @abstractmethod
    def lose_staged(self) -> None: ...

    def stored(self) -> list[str]:
        """The SHA-256 of each stored file."""
        return hashes(*self.objects().values())


class Cloud(AnyCloud):
    """The embedded storage."""

    def __init__(self, folder: Path, *, limits: Limits | None = None, reserve_bytes: int = 0) -> None:
        self.storage = SqliteStorage(folder, reserve_bytes=reserve_bytes)
        super().__init__(folder, self.storage, limits)

    def opened(self) -> AbstractContextManager[Kept]:
        return open_folder(self.folder)

    def again(self) -> Cloud:
        self.close()
        return Cloud(self.folder)

    def objects(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.storage.files.in_place()}

    def put(self, place: str, content: bytes | None) -> None:
        if content is None:
            Path(place).unlink()
        else:
            Path(place).write_bytes(content)

    def staged(self) -> int:
        return len(self.storage.files.parts())

    def lose_staged(self) -> None:
        for part in self.storage.files.parts():
            part.unlink()


class ScaledCloud(AnyCloud):
    """PostgreSQL and S3."""

    def __init__(
        self, folder: Path, engines: Engines, kept_in: tuple[PostgresSettings, S3Settings] | None = None
    ) -> None:
        self.engines = engines
        self.kept_in = kept_in or engines.settings()
        self.settings = Settings(storage=StorageSettings(data=folder), postgres=self.kept_in[0], s3=self.kept_in[1])
        self._opener = opener(self.settings)
        super().__init__(folder, open_storage(self.settings), None)

    def opened(self) -> AbstractContextManager[Kept]:
        return self._opener()

    def again(self) -> ScaledCloud:
        self.close()
        return ScaledCloud(self.folder, self.engines, self.kept_in)

    def objects(self) -> dict[str, bytes]:
        return self.engines.s3.objects(self.kept_in[1].prefix)

    def put(self, place: str, content: bytes | None) -> None:
        if content is None:
            self.engines.s3.client.delete_object(Bucket=BUCKET, Key=place)
        else:
            self.engines.s3.client.put_object(Bucket=BUCKET, Key=place, Body=content)

    def staged(self) -> int:
        return int(self.rows("SELECT count(*) FROM chunk")[0][0])

    def lose_staged(self) -> None:
        with psycopg.connect(self.kept_in[0].conninfo or "", autocommit=True) as connection:
            connection.execute("DELETE FROM chunk")


def hashes(*contents: bytes) -> list[str]:
    """What `AnyCloud.stored` says of these."""
    return sorted(hashlib.sha256(content).hexdigest() for content in contents)
