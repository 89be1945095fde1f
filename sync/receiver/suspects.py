"""Remembers which messages were in hand when the process died, so that one that kills it is not tried for ever."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

TRIES = 3
"""Deaths with this one message alone in hand, after which it is put aside."""


class Suspects:
    """Two small files, written without fsync: they must outlive the process, not the machine.

    A message that was in hand with others is tried alone next time. Only what died alone is counted, so that a kill
    from outside condemns nobody.
    """

    def __init__(self, folder: Path) -> None:
        self._counts_file = folder / "suspects.json"
        self._counts = _read_counts(self._counts_file)
        self._descriptor = os.open(folder / "in-hand", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        died = os.pread(self._descriptor, 1 << 20, 0).decode("ascii", "replace").split()
        self._alone = set(died)
        if len(died) == 1:
            self._counts[died[0]] = self._counts.get(died[0], 0) + 1
            self._write_counts()
        self._cleared = False
        self.clear()

    def close(self) -> None:
        os.close(self._descriptor)

    def must_be_alone(self, key: str) -> bool:
        return key in self._alone or key in self._counts

    def condemned(self, key: str) -> bool:
        return self._counts.get(key, 0) >= TRIES

    def take(self, keys: Sequence[str]) -> None:
        """These are in hand from now on."""
        # On a full disk nobody is suspected: to go on answering matters more.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, " ".join(keys).encode("ascii"), 0)
        self._cleared = False

    def clear(self) -> None:
        """Nothing is in hand."""
        if not self._cleared:
            os.ftruncate(self._descriptor, 0)
            self._cleared = True

    def acquit(self, key: str) -> None:
        """It was handled: it kills nobody."""
        self._alone.discard(key)
        if self._counts.pop(key, None) is not None:
            self._write_counts()

    def _write_counts(self) -> None:
        draft = self._counts_file.with_suffix(".new")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(self._counts))
            draft.replace(self._counts_file)


def message_key(topic: str, payload: bytes) -> str:
    """Equal for a message and its repetition. A chunk's topic carries its sha256, so the beginning is enough."""
    return hashlib.sha256(b"%s\0%d\0%s" % (topic.encode("utf-8", "replace"), len(payload), payload[:4096])).hexdigest()


def _read_counts(path: Path) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError):
        counts = json.loads(path.read_text())
        if isinstance(counts, dict):
            return {str(key): int(value) for key, value in counts.items()}
    return {}
