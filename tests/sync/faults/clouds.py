"""The cloud of a chaos run, in its two forms: real processes that can be hurt."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from attrs import evolve

from sync.receiver.kept import Kept
from sync.receiver.opening import open_folder, opener
from sync.receiver.settings import Settings, StorageSettings
from tests.sync.faults.mosquitto import Mosquitto
from tests.sync.faults.world import Process
from tests.sync.receiver.engines import Engines

RECEIVER = ("-m", "sync.receiver", "run")


class Cloud(ABC):
    """Receivers as processes, and what they keep."""

    processes: list[Process]

    @abstractmethod
    def opened(self) -> AbstractContextManager[Kept]: ...

    @abstractmethod
    def left_behind(self) -> list[str]:
        """Parts of files that are not stored."""

    @abstractmethod
    def full(self, yes: bool) -> None:
        """Started anew without any room, or with enough."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether there is something to look at."""

    def start(self) -> None:
        for process in self.processes:
            process.start()

    def stop(self) -> None:
        for process in self.processes:
            process.stop()


class EmbeddedCloud(Cloud):
    """One receiver with files and SQLite."""

    def __init__(self, folder: Path, broker: Mosquitto, *, command: Sequence[str] = RECEIVER) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "cloud"
        env = {
            "OFFHOOK_RECEIVER_STORAGE_DATA": str(self.data),
            "OFFHOOK_RECEIVER_STORAGE_RESERVE_MB": "1",
            **_settings(broker),
        }
        self.process = Process("receiver", [sys.executable, *command], log=folder / "receiver.log", env=env)
        self.processes = [self.process]

    def opened(self) -> AbstractContextManager[Kept]:
        return open_folder(self.data)

    def ready(self) -> bool:
        return (self.data / "receiver.db").exists()

    def left_behind(self) -> list[str]:
        return [path.name for path in (self.data / "parts").rglob("*") if path.is_file()]

    def backup(self, path: Path) -> None:
        """As an operator makes one of a running database."""
        source = sqlite3.connect(self.data / "receiver.db", timeout=20)
        target = sqlite3.connect(path)
        source.backup(target)
        target.close()
        source.close()

    def restore(self, path: Path) -> None:
        """Yesterday's database comes back; the files stay."""
        self.process.stop()
        for name in ("receiver.db-wal", "receiver.db-shm"):
            (self.data / name).unlink(missing_ok=True)
        shutil.copy(path, self.data / "receiver.db")
        self.process.start()

    def full(self, yes: bool) -> None:
        self.process.stop()
        self.process.env["OFFHOOK_RECEIVER_STORAGE_RESERVE_MB"] = str(10**9 if yes else 1)
        self.process.start()


class ScaledCloud(Cloud):
    """Two receivers that share the boxes' messages, PostgreSQL and S3."""

    def __init__(self, folder: Path, broker: Mosquitto, engines: Engines) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.engines = engines
        postgres, s3 = engines.settings()
        self._settings = Settings(
            storage=StorageSettings(data=folder / "cloud"), postgres=evolve(postgres, workers=2), s3=s3
        )
        self._opener = opener(self._settings)
        self.processes = [
            Process(
                f"receiver-{n}",
                [sys.executable, *RECEIVER],
                log=folder / f"receiver-{n}.log",
                env={
                    **_settings(broker),
                    "OFFHOOK_RECEIVER_STORAGE_DATA": str(folder / f"receiver-{n}"),
                    "OFFHOOK_RECEIVER_BROKER_CLIENT_ID": f"receiver-{n}",
                    "OFFHOOK_RECEIVER_BROKER_GROUP": "rx",
                    "OFFHOOK_RECEIVER_POSTGRES_CONNINFO": postgres.conninfo or "",
                    "OFFHOOK_RECEIVER_POSTGRES_WORKERS": "2",
                    "OFFHOOK_RECEIVER_S3_ENDPOINT": s3.endpoint or "",
                    "OFFHOOK_RECEIVER_S3_BUCKET": s3.bucket,
                    "OFFHOOK_RECEIVER_S3_PREFIX": s3.prefix,
                    "OFFHOOK_RECEIVER_S3_ACCESS_KEY": s3.access_key or "",
                    "OFFHOOK_RECEIVER_S3_SECRET_KEY": s3.secret_key or "",
                },
            )
            for n in range(2)
        ]

    def opened(self) -> AbstractContextManager[Kept]:
        return self._opener()

    def ready(self) -> bool:
        return True

    def left_behind(self) -> list[str]:
        with self.opened() as kept:
            return [f"{dev} {fid} {at}" for dev, fid, at in kept.rows.run("SELECT dev, fid, at FROM chunk")]

    def full(self, yes: bool) -> None:
        self.stop()
        for process in self.processes:
            process.env["OFFHOOK_RECEIVER_POSTGRES_STAGED_MB"] = "0" if yes else "50000"
        self.start()


def _settings(broker: Mosquitto) -> dict[str, str]:
    return {
        "OFFHOOK_RECEIVER_BROKER_PORT": str(broker.port),
        "OFFHOOK_RECEIVER_BROKER_KEEPALIVE_S": "3",
        "OFFHOOK_RECEIVER_LIMITS_RETRY_FULL_S": "1",
    }
