"""Commands of the cloud that take longer than a moment: a restart, an update, another certificate.

Each is written down before it begins, with all that is needed to know, after a restart too, what became of it. What has
to be done by others is a wish: a file in this service's own runtime directory (docs/interfaces.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any, Protocol

from firmware.sync_desk import put, read
from sync import wire

UNHEARD_MS = 60_000
"""A wish that nobody has taken by then: nobody on this box can do it."""
UPDATES = Path("update")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}")


class Renewing(Protocol):
    """Another certificate for this box."""

    def begin(self) -> str | None:
        """Asks for one; why it cannot, or None."""

    def name(self) -> str:
        """Of the certificate in force."""

    def became(self, before: str) -> str | None:
        """``done``, or why it failed; None while it is on its way."""


def wishes_dir(run_dir: Path) -> Path:
    """Only this service may write there: whoever can leave a file in it can restart the box."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", run_dir / "sync-wishes"))


class Longer:
    """``begin`` gives what to remember; ``became`` what has become of it."""

    ops = ("box.reboot", "update.check", "update.install", "cert.renew")

    def __init__(self, data_dir: Path, wishes: Path, boot_no: int, renewing: Renewing) -> None:
        self._updates = data_dir / UPDATES
        self._wishes = wishes
        self._boot_no = boot_no
        self._renewing = renewing

    def begin(self, command: wire.Command, utc_ms: int) -> dict[str, Any]:
        """What is kept until it is over; the deed itself follows once this is stored (`drive`).

        Raises `ValueError` for arguments that will not do.
        """
        kept: dict[str, Any] = {"boot_no": self._boot_no, "began_ms": utc_ms, "not_after_ms": command.not_after_ms}
        if command.op == "update.install":
            kept |= {name: _text(command.args.get(name), name) for name in ("version", "url")}
        if command.op.startswith("update.") and not _NAME.fullmatch(command.id):
            raise ValueError("the id of an update is 1 to 80 of A-Z, a-z, 0-9, dot, underscore and hyphen")
        if command.op == "cert.renew":
            kept["cert"] = self._renewing.name()
            if why := self._renewing.begin():
                raise ValueError(why)
        return kept

    def drive(self, name: str, op: str, kept: dict[str, Any], utc_ms: int) -> wire.Result | None:
        """The result when it is over; otherwise sees to it that it happens. Repeatable at any moment."""
        match op:
            case "box.reboot":
                return self._reboot(name, kept, utc_ms)
            case "cert.renew":
                return self._renew(name, kept)
        return self._update(name, op, kept, utc_ms)

    def _reboot(self, name: str, kept: dict[str, Any], utc_ms: int) -> wire.Result | None:
        if self._boot_no > kept["boot_no"]:
            return wire.Result(id=name, state="done", result={"boot_no": self._boot_no})
        return self._wish("reboot", {"id": name}, kept, utc_ms, nobody="nobody on this box takes a wish to restart it")

    def _update(self, name: str, op: str, kept: dict[str, Any], utc_ms: int) -> wire.Result | None:
        path = self._updates / f"answer-{name}.json"
        answer = read(path) or {}
        state = answer.get("state")
        if state in ("done", "failed"):
            with contextlib.suppress(OSError):
                path.unlink()
            found = answer.get("result")
            result = found if isinstance(found, dict) else {}
            error = None if state == "done" else str(answer.get("error") or "the updater gives no reason")[:4000]
            return wire.Result(id=name, state=state, result=result, error=error)
        if state == "running":
            return None
        wish = {"id": name, "version": kept.get("version"), "url": kept.get("url")}
        return self._wish(op.replace(".", "-"), wish, kept, utc_ms, nobody="this box has no updater")

    def _renew(self, name: str, kept: dict[str, Any]) -> wire.Result | None:
        became = self._renewing.became(str(kept.get("cert", "")))
        if became is None:
            return None
        if became == "done":
            return wire.Result(id=name, state="done")
        return wire.Result(id=name, state="failed", error=became)

    def _wish(
        self, file: str, wish: dict[str, Any], kept: dict[str, Any], utc_ms: int, *, nobody: str
    ) -> wire.Result | None:
        path = self._wishes / file
        taken = kept.get("wished") and not path.exists()
        if utc_ms - kept["began_ms"] > UNHEARD_MS and not taken:
            with contextlib.suppress(OSError):
                path.unlink()
            return wire.Result(id=wish["id"], state="failed", error=nobody)
        if not kept.get("wished"):
            self._wishes.mkdir(parents=True, exist_ok=True)
            put(path, wish)
            kept["wished"] = True
        return None


def _text(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 500 or not value.isprintable():
        raise ValueError(f"{name} must be text of at most 500 characters")
    return value


def kept_of(result: wire.Result) -> dict[str, Any]:
    return dict(json.loads(json.dumps(result.result)))
