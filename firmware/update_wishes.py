"""Updates of the whole box, seen from those who bring one: the page, the cloud, the USB stick, the command line.

They put a bundle into a folder and drop a wish beside it; offhook-update.service, which alone may install, takes the
wish and tells in a status file how far it is. Files and not a socket: the service is started by the wish (a systemd
path unit), and what it says outlives the restart that an update is.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\.raucb")


class Action(StrEnum):
    INSTALL = "install"
    """Install ``bundle`` into the slot that does not run, then restart into it."""
    CANCEL = "cancel"
    """Forget an update that waits for quiet."""
    BACK = "back"
    """Restart into the other slot, when it is a good one."""


class When(StrEnum):
    QUIET = "quiet"
    """Wait until no line is in a call."""
    NOW = "now"
    """Refuse when a line is in a call."""


class Phase(StrEnum):
    """How far the last update is. `IDLE` to `PROVING` are on their way, the others are how it ended."""

    IDLE = "idle"
    """There was none yet."""
    CHECKING = "checking"
    WAITING = "waiting"
    """For quiet: a line is in a call."""
    INSTALLING = "installing"
    RESTARTING = "restarting"
    PROVING = "proving"
    """The new version runs and has not proved itself yet."""
    DONE = "done"
    REFUSED = "refused"
    """Nothing was changed; ``text`` says why."""
    FAILED = "failed"
    """It could not be installed; the old version goes on running."""
    ROLLED_BACK = "rolled_back"
    """The new version did not prove itself; the old one runs again."""


@dataclass(frozen=True, slots=True)
class Wish:
    action: Action
    by: str
    """Who wants it, for the audit: ``page: anna``, ``cloud``, ``usb``, ``cli``."""
    bundle: str = ""
    """The file's name in `incoming`."""
    when: When = When.QUIET
    allow_downgrade: bool = False
    id: str = ""


def incoming(data_dir: Path) -> Path:
    """The folder for bundles, made when it is not there. Write ``NAME.part`` first, rename it when it is whole."""
    folder = data_dir / "updates" / "incoming"
    for made in (folder.parent, folder):  # group and setgid come from the data folder
        made.mkdir(mode=0o770, exist_ok=True)
    return folder


def receive(data_dir: Path, name: str, stream: IO[bytes], *, at_most_bytes: int = 1 << 30) -> str:
    """Keeps a bundle that comes as a stream; the name to wish with. Nothing of it stays when it cannot be kept.

    Raises ValueError for a name that is none or a stream that is too long, OSError when it cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.60} is no name of an update; it ends in .raucb and has letters, digits and ._+- only"
        )
    folder = incoming(data_dir)
    draft = folder / f"{name}.{secrets.token_hex(4)}.part"
    size = 0
    try:
        with draft.open("wb") as file:
            while block := stream.read(1 << 20):
                size += len(block)
                if size > at_most_bytes:
                    raise ValueError(f"{name} is larger than {at_most_bytes >> 20} MiB: it is no update of this box")
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / name)
    finally:
        draft.unlink(missing_ok=True)
    return name


def wish(run_dir: Path, wanted: Wish) -> str:
    """Asks for it; the id under which `status` will speak of it. Raises OSError, and ValueError for a bad name."""
    if wanted.action is Action.INSTALL and not _NAME.fullmatch(wanted.bundle):
        raise ValueError(f"{wanted.bundle!r:.60} is no name of an update")
    folder = run_dir / "updates"
    folder.mkdir(mode=0o770, parents=True, exist_ok=True)
    name = wanted.id or secrets.token_hex(8)
    safe = re.sub(r"[^A-Za-z0-9._-]", "", name)[:40]
    content = {
        "id": name, "action": wanted.action, "by": wanted.by, "bundle": wanted.bundle, "when": wanted.when,
        "allow_downgrade": wanted.allow_downgrade,
    }  # fmt: skip
    draft = folder / f".wish-{safe}"
    draft.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    draft.chmod(0o660)
    draft.replace(folder / f"wish-{safe}.json")
    return name


def take(run_dir: Path) -> list[Wish]:
    """The service's side: every wish, oldest first, each given once. What is none is dropped."""
    found = []
    files = sorted((run_dir / "updates").glob("wish-*.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in files:
        try:
            found.append(_wish(json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, KeyError, TypeError):
            pass
        finally:
            path.unlink(missing_ok=True)
    return found


def _wish(content: dict[str, Any]) -> Wish:
    made = Wish(
        action=Action(content["action"]),
        by=str(content["by"])[:100],
        bundle=str(content.get("bundle", "")),
        when=When(content.get("when", When.QUIET)),
        allow_downgrade=content.get("allow_downgrade") is True,
        id=str(content["id"])[:100],
    )
    if made.action is Action.INSTALL and not _NAME.fullmatch(made.bundle):
        raise ValueError(made.bundle)
    return made


@dataclass(frozen=True, slots=True)
class Status:
    """What the page shows of updates."""

    phase: Phase
    version: str
    """That runs now; empty on a machine that is no image."""
    slot: str
    """``A`` or ``B``."""
    candidate: str
    """The version this is about; empty when there is none."""
    progress_percent: int
    text: dict[str, str]
    """``{"en", "zh"}``: what happens or happened, and what to do."""
    id: str
    by: str
    at_utc_ms: int
    other_version: str = ""
    """In the other slot, when it is a good one: where `Action.BACK` would go."""


def status(data_dir: Path) -> Status | None:
    """None: this box has no update service (it was installed with `make install`, or has not started one yet)."""
    try:
        content = json.loads((data_dir / "updates" / "status.json").read_text(encoding="utf-8"))
        return Status(**{**content, "phase": Phase(content["phase"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
