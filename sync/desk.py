"""The sync process's side of the desk: shows its status, takes wishes, answers them (`firmware.sync_desk`)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.sync_desk import WISHES, folder_of, put, read

_OLD_S = 3600.0


@dataclass(frozen=True, slots=True)
class Wish:
    id: str
    what: str
    args: dict[str, Any]


class Desk:
    """The process's side."""

    def __init__(self, run_dir: Path, *, elsewhere: Callable[[Wish], dict[str, Any] | None] | None = None) -> None:
        """``elsewhere`` answers wishes that are not about the way to the cloud, or returns None."""
        self._folder = folder_of(run_dir)
        self._elsewhere = elsewhere
        self._folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        for old in self._folder.glob("*.json"):  # of an earlier process: nobody waits any more
            old.unlink(missing_ok=True)

    def show(self, status: dict[str, Any]) -> None:
        put(self._folder / "status.json", {**status, "at_ms": time.time_ns() // 1_000_000})

    def wishes(self) -> list[Wish]:
        """Each is given once."""
        found = []
        for path in sorted(self._folder.glob("wish-*.json")):
            content = read(path)
            path.unlink(missing_ok=True)
            if content and content.get("what") in WISHES and isinstance(content.get("args"), dict):
                found.append(Wish(path.stem.removeprefix("wish-"), content["what"], content["args"]))
        return [wish for wish in found if not self._answered_elsewhere(wish)]

    def _answered_elsewhere(self, wish: Wish) -> bool:
        answer = self._elsewhere(wish) if self._elsewhere else None
        if answer is not None:
            self.answer(wish, answer)
        return answer is not None

    def answer(self, wish: Wish, answer: dict[str, Any]) -> None:
        put(self._folder / f"answer-{wish.id}.json", answer)
        for path in self._folder.glob("answer-*.json"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _OLD_S:
                    path.unlink()

    def close(self) -> None:
        (self._folder / "status.json").unlink(missing_ok=True)
