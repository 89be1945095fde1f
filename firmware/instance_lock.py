"""Keeps a second recorder off the same data folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware.errors import AlreadyRunningError, OffhookError


class InstanceLock:
    """A flock(2) on ``recorder.lock`` in the data folder: the kernel lets go of it when the process ends, however."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "recorder.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises `AlreadyRunningError`, with the other's process id, when another process has it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        except OSError as error:
            raise OffhookError(
                f"cannot use the data folder {self._path.parent}: {error}; make it and give it to the recorder's user"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunningError(
                f"another recorder (process {holder}) works on {self._path.parent} already; stop it first "
                "(systemctl stop offhook-recorder), or use another data folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
