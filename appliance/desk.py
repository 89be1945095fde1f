"""What the update service tells (status.json) and what it must know again after the restart (pending.json)."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from appliance import cloud
from appliance.texts import text
from firmware.update_wishes import Phase, Status, Wish, status


@dataclass(frozen=True, slots=True)
class Pending:
    """An update on its way over a restart."""

    id: str
    by: str
    candidate: str
    from_version: str
    from_slot: str
    complete: bool
    """Installed and restarting; False while it is being installed."""
    back: bool = False
    """A person asked to go back to the other slot, so there is nothing to fall back from."""
    why: str = ""
    """Why the candidate was given up."""


class Desk:
    """Both files, each replaced as a whole and safe on the disk when a method returns. Raises OSError."""

    def __init__(self, data_dir: Path, *, version: str, slot: str) -> None:
        self._folder = data_dir / "updates"
        self._data = data_dir
        self._version = version
        self._slot = slot

    def tell(
        self, phase: Phase, key: str, wanted: Wish | None = None, *, candidate: str = "", progress: int = 0,
        other: str | None = None, **params: object,
    ) -> None:  # fmt: skip
        """Says how far it is. What is not given stays as it was told before."""
        before = status(self._data)
        told = Status(
            phase=phase,
            version=self._version,
            slot=self._slot,
            candidate=candidate or (before.candidate if before and not wanted else ""),
            progress_percent=progress,
            text=text(key, version=self._version, candidate=candidate, **params),
            id=wanted.id if wanted else (before.id if before else ""),
            by=wanted.by if wanted else (before.by if before else ""),
            at_utc_ms=time.time_ns() // 1_000_000,
            other_version=other if other is not None else (before.other_version if before else ""),
        )
        self._put("status.json", asdict(told), mode=0o640)
        cloud.tell(self._data, told)

    def told(self) -> Status | None:
        return status(self._data)

    def remember(self, pending: Pending) -> None:
        self._put("pending.json", asdict(pending), mode=0o600)

    def pending(self) -> Pending | None:
        try:
            return Pending(**json.loads((self._folder / "pending.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            self.forget()
            return None

    def forget(self) -> None:
        (self._folder / "pending.json").unlink(missing_ok=True)

    def _put(self, name: str, content: dict[str, Any], *, mode: int) -> None:
        self._folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        draft = self._folder / f".{name}"
        with draft.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)
        draft.replace(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
