"""Which box a command works on: its data folder and its socket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from firmware.ipc.client import RecorderClient

DEFAULT_DATA = "/var/lib/offhook"
DEFAULT_RUN = "/run/offhook"


@dataclass(frozen=True, slots=True)
class Box:
    """The folders of one box (docs/interfaces.md, Data folder)."""

    data: Path
    run_dir: Path

    @property
    def database(self) -> Path:
        return self.data / "offhook.db"

    @property
    def socket(self) -> Path:
        return self.run_dir / "recorder.sock"

    def client(self) -> RecorderClient:
        """A client of this box's recorder; nothing is connected yet."""
        return RecorderClient(self.socket)


pass_box = click.make_pass_decorator(Box)
