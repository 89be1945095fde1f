"""What people see of the sync process and ask of it: a status file, and wishes that they drop beside it.

Files and not a socket: nothing can be lost here, everybody in the group may look, and a reboot empties the folder.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.ipc.client import RecorderUnreachableError

WISHES = ("now", "pause", "resume", "test")
STALE_S = 15.0
"""The status is written every few seconds; an older one is of a process that is gone."""
_OLD_S = 3600.0


class NotRunningError(RecorderUnreachableError):
    """No sync process answers; for a shell the same as a recorder that does not run."""


@dataclass(frozen=True, slots=True)
class Wish:
    id: str
    what: str
    args: dict[str, Any]


class Desk:
    """The process's side."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = run_dir / "sync"
        self._folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        for old in self._folder.glob("*.json"):  # of an earlier process: nobody waits any more
            old.unlink(missing_ok=True)

    def show(self, status: dict[str, Any]) -> None:
        _put(self._folder / "status.json", {**status, "at_ms": time.time_ns() // 1_000_000})

    def wishes(self) -> list[Wish]:
        """Each is given once."""
        found = []
        for path in sorted(self._folder.glob("wish-*.json")):
            content = _read(path)
            path.unlink(missing_ok=True)
            if content and content.get("what") in WISHES and isinstance(content.get("args"), dict):
                found.append(Wish(path.stem.removeprefix("wish-"), content["what"], content["args"]))
        return found

    def answer(self, wish: Wish, answer: dict[str, Any]) -> None:
        _put(self._folder / f"answer-{wish.id}.json", answer)
        for path in self._folder.glob("answer-*.json"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _OLD_S:
                    path.unlink()

    def close(self) -> None:
        (self._folder / "status.json").unlink(missing_ok=True)


def status(run_dir: Path) -> dict[str, Any]:
    """What the process last said. Raises `NotRunningError`."""
    shown = _read(run_dir / "sync" / "status.json")
    if not shown or abs(time.time() - shown.get("at_ms", 0) / 1000) > STALE_S:
        raise NotRunningError(
            "the sync process does not run (offhook-sync.service; journalctl -u offhook-sync says why)"
        )
    return shown


def wish(run_dir: Path, what: str, *, deadline_s: float = 10.0, **args: Any) -> dict[str, Any]:
    """Asks the process and waits for its answer. Raises `NotRunningError`."""
    status(run_dir)
    folder = run_dir / "sync"
    name = secrets.token_hex(8)
    _put(folder / f"wish-{name}.json", {"what": what, "args": args})
    answer = folder / f"answer-{name}.json"
    end_s = time.monotonic() + deadline_s
    while time.monotonic() < end_s:
        if (content := _read(answer)) is not None:
            answer.unlink(missing_ok=True)
            return content
        time.sleep(0.1)
    raise NotRunningError(f"the sync process did not answer within {deadline_s:g} s (journalctl -u offhook-sync)")


def _put(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    draft.chmod(0o660)
    draft.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
