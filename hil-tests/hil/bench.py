"""What a bench can do for a test: play calls, pull and put back devices, and show what the box says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from simulator.compare import Pairing
from simulator.scenario import CallPlan

FEATURES = ("second_line", "power_switch", "sim", "analog", "street", "kernel", "browser")
"""What a test may need: the markers ``needs_<feature>`` of pytest.ini."""


@frozen
class Played:
    """What happened outside, held against what the box lists."""

    pairing: Pairing
    ledger: dict[str, Any]
    """Entries since the box was started by the bench."""


class Bench(Protocol):
    """Everything a test may use. The box is reached through its public interfaces only."""

    name: str
    has: frozenset[str]
    lines: tuple[str, ...]
    """Those that are tested."""

    def play(self, *plans: CallPlan) -> Played:
        """Plays the calls, each on its line, and returns when the box has sealed them."""
        ...

    def line(self, line: str) -> dict[str, Any]:
        """A line as the box's socket shows it (docs/interfaces.md, LINE)."""
        ...

    def listen(self, played: Played, line: str) -> list[str]:
        """What is wrong with the sound of the call on ``line``; empty when each side is heard where it belongs."""
        ...

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """What the box's socket answers."""
        ...

    def seed(self, fault: str, line: str, *, on: bool) -> None:
        """Puts a fault (`simulator.seeded_faults.Fault`) into the world outside, or takes it out again."""
        ...

    def field_test(self, *words: str, slow_card: bool = False) -> dict[str, Any]:
        """RUN of docs/interfaces.md, of ``offhook fieldtest``; the bench does the technician's part."""
        ...

    def certificates(self) -> list[Path]:
        """The files of the last run's certificate."""
        ...

    def verify(self, path: Path) -> int:
        """The exit code of ``offhook verify``."""
        ...

    @property
    def folder(self) -> Path:
        """Logs, to look at when a test failed."""
        ...
