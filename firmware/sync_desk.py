"""What people see of the sync process and ask of it: a status file, and wishes that they drop beside it.

Files and not a socket: nothing can be lost here, everybody in the group may look, and a reboot empties the folder. This
is the side of people (page, command line); `sync.desk` is the process's.
"""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

from firmware.ipc.client import RecorderUnreachableError

WISHES = ("now", "pause", "resume", "test", "webhook.test", "webhook.resend", "webhook.rotate")
"""What can be asked for; docs/interfaces.md, "Wishes to the sync process"."""
STALE_S = 15.0
"""The status is written every few seconds; an older one is of a process that is gone."""


class NotRunningError(RecorderUnreachableError):
    """No sync process answers; for a shell the same as a recorder that does not run."""


def folder_of(run_dir: Path) -> Path:
    return run_dir / "sync"


def status(run_dir: Path) -> dict[str, Any]:
    """What the process last said. Raises `NotRunningError`."""
    shown = read(folder_of(run_dir) / "status.json")
    if not shown or abs(time.time() - shown.get("at_ms", 0) / 1000) > STALE_S:
        raise NotRunningError(
            "the sync process does not run (offhook-sync.service; journalctl -u offhook-sync says why)"
        )
    return shown


def leave(run_dir: Path, what: str, **args: Any) -> str:
    """Asks the process and does not wait; returns the wish's name. Raises `NotRunningError`."""
    status(run_dir)
    name = secrets.token_hex(8)
    put(folder_of(run_dir) / f"wish-{name}.json", {"what": what, "args": args})
    return name


def wish(run_dir: Path, what: str, *, deadline_s: float = 10.0, **args: Any) -> dict[str, Any]:
    """Asks the process and waits for its answer. Raises `NotRunningError`."""
    answer = folder_of(run_dir) / f"answer-{leave(run_dir, what, **args)}.json"
    end_s = time.monotonic() + deadline_s
    while time.monotonic() < end_s:
        if (content := read(answer)) is not None:
            answer.unlink(missing_ok=True)
            return content
        time.sleep(0.1)
    raise NotRunningError(f"the sync process did not answer within {deadline_s:g} s (journalctl -u offhook-sync)")


def put(path: Path, content: dict[str, Any]) -> None:
    """Writes ``content`` in one step, for the group to read."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    draft.chmod(0o660)
    draft.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """The object in ``path``; None when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
