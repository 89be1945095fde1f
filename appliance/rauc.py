"""RAUC, which writes a bundle into the slot that does not run: its command line, with the answers made into types."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRESS = re.compile(r"^\s*(\d{1,3})% ")
_ASK_S = 120.0
_INSTALL_S = 3600.0


class RaucError(Exception):
    """RAUC refused or failed; the message is its own last words."""


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    """RAUC's: ``rootfs.0``."""
    letter: str
    """The boot script's: ``A`` or ``B``."""
    booted: bool
    good: bool
    version: str
    """Empty when RAUC never wrote it: the slot that the image was made with."""


@dataclass(frozen=True, slots=True)
class Bundle:
    version: str
    compatible: str


class Rauc:
    """One machine's RAUC. Every method raises `RaucError`."""

    def __init__(self, program: str = "rauc") -> None:
        self._program = program

    def slots(self) -> list[Slot]:
        """Both slots."""
        return slots_of(self._json("status", "--detailed", "--output-format=json"))

    def bundle(self, path: Path) -> Bundle:
        """What a bundle holds, after its signature was checked against the image's key ring."""
        told = self._json("info", "--output-format=json", str(path))
        return Bundle(version=str(told.get("version", "")), compatible=str(told.get("compatible", "")))

    def install(self, path: Path, progress: Callable[[int], None]) -> None:
        """Writes the bundle into the other slot and makes that one the next to boot. Minutes."""
        with subprocess.Popen(
            [self._program, "install", "--progress", str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        ) as process:  # fmt: skip
            last = ""
            assert process.stdout is not None
            for line in process.stdout:
                last = line.strip() or last
                if found := _PROGRESS.match(line):
                    progress(int(found[1]))
            if process.wait(_INSTALL_S) != 0:
                raise RaucError(last or f"rauc install ended with {process.returncode}")

    def mark_good(self) -> None:
        """The running slot has proved itself: its boot counter is full again."""
        self._run("status", "mark-good")

    def mark_bad(self) -> None:
        """The running slot is not to be booted again."""
        self._run("status", "mark-bad")

    def go_to_other(self) -> None:
        """The other slot is the next to boot."""
        self._run("status", "mark-active", "other")

    def _json(self, *arguments: str) -> dict[str, Any]:
        text = self._run(*arguments)
        try:
            told = json.loads(text)
        except ValueError as error:
            raise RaucError(f"rauc {arguments[0]} said what is no JSON: {text[:80]!r}") from error
        return told if isinstance(told, dict) else {}

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [self._program, *arguments],
                capture_output=True, text=True, timeout=_ASK_S, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RaucError(f"rauc {arguments[0]}: {error}") from error
        if done.returncode != 0:
            words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise RaucError(words[-1].strip() if words else f"rauc {arguments[0]} ended with {done.returncode}")
        return done.stdout


def slots_of(status: dict[str, Any]) -> list[Slot]:
    """The slots in the answer of ``rauc status --detailed --output-format=json``."""
    found = []
    for entry in status.get("slots", []):
        for name, about in entry.items():
            written = about.get("slot_status") or {}
            found.append(
                Slot(
                    name=name,
                    letter=str(about.get("bootname") or ""),
                    booted=about.get("state") == "booted",
                    good=about.get("boot_status") == "good",
                    version=str((written.get("bundle") or {}).get("version") or ""),
                )
            )
    return found
