"""A stand-in for the ``rauc`` command: two slots in a file; it answers as RAUC 1.13 does and keeps what it is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_SCRIPT = """#!{python}
import json, sys
from pathlib import Path
state_file = Path({state!r})
state = json.loads(state_file.read_text())
words = [word for word in sys.argv[1:] if not word.startswith("--")]
def save():
    state_file.write_text(json.dumps(state))
def other():
    return "B" if state["booted"] == "A" else "A"
if words[0] == "status" and len(words) == 1:
    slots = []
    for number, letter in enumerate("AB"):
        version = state["versions"].get(letter)
        slots.append({{f"rootfs.{{number}}": {{
            "class": "rootfs", "bootname": letter, "state": "booted" if letter == state["booted"] else "inactive",
            "boot_status": "good" if letter in state["good"] else "bad",
            **({{"slot_status": {{"bundle": {{"version": version}}}}}} if version else {{}}),
        }}}})
    print(json.dumps({{"compatible": "offhook-arm64", "booted": state["booted"], "slots": slots}}))
elif words[0] == "info":
    content = Path(words[1]).read_text()
    if not content.startswith("signed "):
        print("signature verification failed: Verify error: no signer", file=sys.stderr)
        sys.exit(1)
    print(json.dumps(json.loads(content.removeprefix("signed "))))
elif words[0] == "install":
    bundle = json.loads(Path(words[1]).read_text().removeprefix("signed "))
    for percent in (0, 40, 80):
        print(f"{{percent:3d}}% Copying image to rootfs.1")
    if bundle.get("breaks"):
        print("LastError: Failed to write image: No space left on device")
        sys.exit(1)
    state["versions"][other()] = bundle["version"]
    state["good"] = sorted({{*state["good"], other()}})
    state["next"] = other()
    save()
    print("100% Installing done.")
elif words[:2] == ["status", "mark-good"]:
    state["good"] = sorted({{*state["good"], state["booted"]}}); state["marked"].append("good"); save()
elif words[:2] == ["status", "mark-bad"]:
    state["good"] = [letter for letter in state["good"] if letter != state["booted"]]
    state["next"] = other(); state["marked"].append("bad"); save()
elif words[:2] == ["status", "mark-active"]:
    state["next"] = other(); save()
else:
    sys.exit(2)
"""


class FakeRauc:
    """``program`` is what to call; the properties say what became of the slots."""

    def __init__(
        self, folder: Path, *, booted: str = "A", versions: dict[str, str] | None = None, good: str = "A"
    ) -> None:
        self._state = folder / "rauc-state.json"
        self.program = str(folder / "rauc")
        start = {"booted": booted, "versions": versions or {}, "good": sorted(good), "next": booted, "marked": []}
        self._state.write_text(json.dumps(start))
        Path(self.program).write_text(_SCRIPT.format(python=sys.executable, state=str(self._state)))
        Path(self.program).chmod(0o755)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._state.read_text())
        return found

    def restart(self) -> None:
        """As the boot script does it: into the slot that is next."""
        state = self.state()
        state["booted"] = state["next"]
        self._state.write_text(json.dumps(state))


def bundle(version: str, *, compatible: str = "offhook-arm64", signed: bool = True, breaks: bool = False) -> bytes:
    content = json.dumps({"version": version, "compatible": compatible, "breaks": breaks})
    return f"{'signed ' if signed else ''}{content}".encode()
