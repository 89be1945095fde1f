"""Updates by the cloud's command: the sync process leaves its wish in its own folder, and is answered in files.

docs/interfaces.md, Wishes to the system. This side has the right to install nothing: it fetches a bundle where one is
named, and wishes for it like everybody else.
"""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

from appliance.usb import newest
from firmware.update_wishes import Action, Phase, Status, Wish, incoming, receive, status, wish

BY = "cloud"
_FETCH_S = 60
_RUNNING = {Phase.CHECKING, Phase.WAITING, Phase.INSTALLING, Phase.RESTARTING, Phase.PROVING}


def answers(data_dir: Path) -> Path:
    return data_dir / "update"


def answer(data_dir: Path, request: str, state: str, *, error: str | None = None, **result: object) -> None:
    """Written in one step; read by the sync process until it says ``done`` or ``failed``. Raises OSError."""
    folder = answers(data_dir)
    folder.mkdir(mode=0o770, parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]", "", request)[:80]
    draft = folder / f".answer-{name}"
    draft.write_text(json.dumps({"id": request, "state": state, "result": result, "error": error}), encoding="utf-8")
    draft.chmod(0o660)
    draft.replace(folder / f"answer-{name}.json")


def state_of(told: Status) -> tuple[str, str | None]:
    """``running``, ``done`` or ``failed``, and the error in words."""
    if told.phase in _RUNNING:
        return "running", None
    if told.phase is Phase.DONE:
        return "done", None
    return "failed", told.text.get("en", told.phase)


def tell(data_dir: Path, told: Status) -> None:
    """Passes on how far an update is that the cloud asked for. Raises OSError."""
    if told.by == BY and told.id:
        state, error = state_of(told)
        answer(data_dir, told.id, state, error=error, current=told.version, available=told.candidate or None)


def serve(data_dir: Path, run_dir: Path, wishes: Path, *, running: str) -> list[str]:
    """Works through the wishes in ``wishes`` (``/run/offhook-sync``); what was done, a line each."""
    told = []
    for name, work in (("update-check", _check), ("update-install", _install)):
        path = wishes / name
        content = _taken(path)
        if content is None:
            continue
        request = str(content.get("id", ""))
        try:
            told.append(f"{name}: {work(content, request, data_dir, run_dir, running)}")
        except (OSError, ValueError) as error:
            answer(data_dir, request, "failed", error=str(error), current=running)
            told.append(f"{name}: {error}")
    return told


def _taken(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    path.unlink(missing_ok=True)
    return content if isinstance(content, dict) else None


def _check(_content: dict[str, Any], request: str, data_dir: Path, _run_dir: Path, running: str) -> str:
    found = newest([path.name for path in incoming(data_dir).glob("*.raucb")], running)
    available = found.removeprefix("offhook-").removesuffix(".raucb") if found else None
    answer(data_dir, request, "done", current=running, available=available)
    return available or "nothing newer"


def _install(content: dict[str, Any], request: str, data_dir: Path, run_dir: Path, running: str) -> str:
    told = status(data_dir)
    if told is not None and told.phase in _RUNNING:
        raise ValueError(f"an update is on its way already: {told.text.get('en', told.phase)}")
    version, url = content.get("version"), content.get("url")
    if url is not None:
        name = _fetched(str(url), data_dir)
    elif version is not None:
        name = f"offhook-{version}.raucb"
        if not (incoming(data_dir) / name).is_file():
            raise ValueError(f"this box has no update of version {version}, and no address to fetch it from was given")
    else:
        found = newest([path.name for path in incoming(data_dir).glob("*.raucb")], running)
        if found is None:
            raise ValueError(f"this box knows no update that is newer than {running}")
        name = found
    answer(data_dir, request, "running", current=running, available=version)
    wish(run_dir, Wish(Action.INSTALL, BY, name, id=request))
    return name


def _fetched(url: str, data_dir: Path) -> str:
    if not url.startswith("https://"):
        raise ValueError("an update is fetched over https only")
    name = re.sub(r"[^A-Za-z0-9._+-]", "", url.rpartition("/")[2].partition("?")[0])
    if not name.endswith(".raucb"):
        name = "offhook-update.raucb"
    with urllib.request.urlopen(url, timeout=_FETCH_S) as stream:
        return receive(data_dir, name, stream)
