"""The whole box with a street outside, on one machine: for a person to watch, or for N checked calls (``--once``)."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from firmware.hotplug import line_ids, scan
from simulator import journal, scenario
from simulator.box import BoxUnderTest
from simulator.children import Child, ChildError, write_pids
from simulator.cloud import DemoCloud
from simulator.compare import Heard, compare_ledger, compare_lists, listen, pair
from simulator.journal import StreetCall
from simulator.report import show_calls, show_differences, show_ledger
from simulator.street_client import StreetError, order
from simulator.toml_text import settings_document

_STREET_DEADLINE_S = 90.0
"""The first run has espeak-ng say all prompts."""
_BOX_DEADLINE_S = 60.0
_BOX_IN_GUEST_DEADLINE_S = 180.0
"""The test kernel has one CPU, and shares the machine's with others."""
_AT_REST = 0.6
"""There a process's first seconds cost ten times what they cost elsewhere, and more than sound can wait for."""
_AS_ITS_UNIT_SAYS = ("nice", "-n", "-10")
"""The street shares the guest's one CPU, which a real one does not: the recorder comes first, as on the box."""
_SEAL_DEADLINE_S = 60.0
_LOOK_EVERY_S = 0.5
_PLEASANT_REST_S = 25.0
"""For somebody who watches: a line rests for up to this long between two calls."""
_CONSOLE_BEYOND_PAGE = 10
"""The cloud's console is looked for so many ports above the page: 8090."""
_ANY_PORT = 0
"""Not one that the kernel hands out by itself: between looking and listening it would give it to somebody else."""
_LOG_COLUMNS = 150
"""In a file or a CI log nobody's window is too narrow for the tables."""


@frozen(kw_only=True)
class Wishes:
    """What the person asked for on the command line."""

    once: bool = False
    calls: int = 24
    seed: int = 1
    script: Path | None = None
    """A scenario to play instead of a made-up day."""
    folder: Path | None = None
    keep: bool = False
    port: int = 8080
    page: bool = True
    cloud: bool = False
    """A broker and a receiver on this machine, where the calls of the box end."""
    country: str = "CN"
    modules: tuple[str, ...] = ("sim7600", "sim7600")
    """What the street's SIM modules are (`simulator.manuals.MANUALS`)."""
    boards: bool = True
    """With two analog lines."""
    kernel: bool = False
    """On this kernel's simulated hardware: on the test kernel (docs/kernel-bench.md)."""


class Demo:
    """Starts the street and the box, plays calls, and takes everything down again."""

    def __init__(self, wishes: Wishes, folder: Path, console: Console) -> None:
        self._wishes = wishes
        self._folder = folder
        self._console = console
        self._street_dir = folder / "street"
        self._children: list[Child] = []
        self._box: BoxUnderTest | None = None
        self._cloud: DemoCloud | None = None
        self._begun = datetime.now(UTC)

    # --- up and down ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when every line is in the recorder's sight. Raises `OffhookError` with what went wrong."""
        run_dir = self._folder / "run"
        found = attached_lines()
        street = self._start_street(self._missing_lines(found), recorder=run_dir)
        self._box = BoxUnderTest(self._folder, street["env"])
        lines = [*found, *street["lines"]]
        document = settings_document(lines, name="Demo", country=self._wishes.country, time_zone="Asia/Shanghai")
        if self._wishes.cloud:
            document += self._start_cloud()
        (self._box.data / "first-boot.toml").write_text(document, encoding="utf-8")
        self._box.command("migrate")
        recorder = self._box.child("recorder", "run", before=_AS_ITS_UNIT_SAYS if self._wishes.kernel else ())
        self._begin(recorder)
        expected = {line["id"] for line in lines}
        deadline_s = _BOX_IN_GUEST_DEADLINE_S if self._wishes.kernel else _BOX_DEADLINE_S
        recorder.wait_until(lambda: self.box.lines_present(expected), deadline_s)
        if self._wishes.kernel:
            recorder.wait_until_at_rest(_AT_REST, deadline_s)
        if self._wishes.cloud:
            self._begin(self.box.child("sync", "sync", "run"))
        if self._wishes.page:
            self._start_page()

    def _missing_lines(self, found: list[dict[str, Any]]) -> dict[str, list[str]]:
        """What the street plays, each module with what it is."""
        missing = street_lines(found, modules=len(self._wishes.modules))
        named = zip(missing["at-modem"], self._wishes.modules, strict=False)
        boards = missing["fxo-gpio"] if self._wishes.boards else []
        return {"fxo-gpio": boards, "at-modem": [f"{name}={model}" for name, model in named]}

    def stop(self) -> list[str]:
        """Stops the box first, then the street. Returns what did not end as it should."""
        faults = []
        for child in reversed(self._children):
            killed = child.died() == -signal.SIGKILL  # since `look_after`: from outside, and too late to start it again
            code = child.stop()
            if code not in (0, None) and not killed:
                faults.append(f"the {child.name} ended with code {code} when it was stopped; see {child.log}")
        self._children.clear()
        return faults

    def _begin(self, child: Child) -> None:
        child.start()
        self._children.append(child)
        write_pids(self._folder / "children.json", self._children)

    def _start_street(self, lines: dict[str, list[str]], *, recorder: Path) -> dict[str, Any]:
        command = [sys.executable, "-m", "simulator.street", "--dir", str(self._street_dir)]
        command += ["--analog", ",".join(lines["fxo-gpio"]), "--sim", ",".join(lines["at-modem"])]
        command += ["--country", self._wishes.country]
        command += ["--recorder", str(recorder / "recorder.sock")]
        command += ["--kernel"] if self._wishes.kernel else []
        ready = self._street_dir / "street.json"
        ready.unlink(missing_ok=True)
        child = Child("street", command, log=self._folder / "street.log", env={"PYTHONUNBUFFERED": "1"})
        self._begin(child)
        child.wait_until(ready.exists, _STREET_DEADLINE_S)
        street: dict[str, Any] = json.loads(ready.read_text())
        return street

    def _start_cloud(self) -> str:
        """Returns the settings that lead the box there."""
        console_port = free_port(self._wishes.port + _CONSOLE_BEYOND_PAGE)
        # Nobody looks at the broker. A number of its own, that no other demo takes while it is being started again.
        self._cloud = DemoCloud(self._folder, broker_port=free_port(_ANY_PORT), console_port=console_port)
        self._console.print(self._cloud.start(self._begin, _answers))
        return self._cloud.settings()

    def _start_page(self) -> None:
        port = free_port(self._wishes.port)
        page = self.box.child("page", "web", "--host", "127.0.0.1", "--port", str(port))
        self._begin(page)
        page.wait_until(lambda: _answers(port), _BOX_DEADLINE_S)
        code = self.box.run_dir / "first-run-code"
        self._console.print(f"The page:        [bold]http://127.0.0.1:{port}/[/bold]")
        if code.exists():
            self._console.print(f"First-run code:  [bold]{code.read_text().strip()}[/bold]")

    @property
    def box(self) -> BoxUnderTest:
        """The box, once `start` has made it."""
        assert self._box is not None
        return self._box

    def look_after(self) -> None:
        """Starts again what died: on the box systemd does that."""
        for child in self._children:
            if child.name != "street" and child.revive():
                self._console.print(f"[yellow]the {child.name} died and was started again[/yellow]")
                write_pids(self._folder / "children.json", self._children)
            elif child.name == "street" and child.died() is not None:
                raise ChildError(f"the street ended with code {child.died()}:\n{child.tail()}")

    # --- calls ------------------------------------------------------------------------------------------------------

    def play_for_ever(self) -> None:
        """One day after the other, until Ctrl-C."""
        seed = self._wishes.seed
        self._console.print("Calls come and go on all lines. Ctrl-C ends the demo.")
        while True:
            status = self.street("status")
            if not status["running"]:
                self.street("day", calls=self._wishes.calls, seed=seed, rest_s=_PLEASANT_REST_S)
                seed += 1
            self.look_after()
            time.sleep(_LOOK_EVERY_S)

    def play_once(self) -> bool:
        """Plays the asked number of calls and shows how they compare. True when everything holds."""
        self._begun = datetime.now(UTC)  # a folder of an earlier run has other calls in it
        planned = self._wishes.calls
        if self._wishes.script is None:
            self.street("day", calls=planned, seed=self._wishes.seed)
        else:
            script = scenario.load(self._wishes.script)
            planned = len(script.calls)
            self.street("run", scenario=scenario.to_data(script))
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task("calls", total=planned)
            while True:
                status = self.street("status")
                progress.update(task, completed=status["over"])
                if not status["running"]:
                    break
                self.look_after()
                time.sleep(_LOOK_EVERY_S)
        calls = self.sealed_calls()
        ledger = self.ledger()
        away = self._cloud.differences(self.box, calls, look_after=self.look_after) if self._cloud else []
        faults = [*away, *self.stop()]
        return self._check(calls, ledger, faults)

    def street(self, cmd: str, **arguments: Any) -> dict[str, Any]:
        """What the street answers to an order. Raises `StreetError`."""
        try:
            return order(self._street_dir / "street.sock", cmd, **arguments)
        except StreetError:
            self.look_after()
            raise

    def ledger(self) -> dict[str, Any]:
        """The ledger since the first call of this run."""
        return self.box.ledger(self._begun)

    def journal(self) -> list[StreetCall]:
        """What the street says it did."""
        return journal.read(self._street_dir / "street.jsonl")

    def kill_recorder(self) -> int:
        """SIGKILL, as a crash would. Returns the moment in UTC milliseconds; `look_after` starts it again."""
        recorder = next(child for child in self._children if child.name == "recorder")
        assert recorder.pid is not None
        os.kill(recorder.pid, signal.SIGKILL)
        return time.time_ns() // 1_000_000

    def pids(self, name: str) -> list[int]:
        """The process ids of the children called ``name`` that run."""
        return [child.pid for child in self._children if child.name == name and child.pid is not None]

    def kill(self, name: str) -> None:
        """SIGKILL for the child called ``name``; `look_after` starts it again."""
        for pid in self.pids(name):
            os.kill(pid, signal.SIGKILL)

    def sealed_calls(self) -> list[dict[str, Any]]:
        """The call list, as soon as every call has ended and every recording is sealed (or the deadline is over)."""
        end = time.monotonic() + _SEAL_DEADLINE_S
        while True:
            calls = self.box.calls(self._begun)
            busy = [c for c in calls if c["status"] != "ended" or any(_unfinished(r) for r in c["recordings"])]
            if not busy or time.monotonic() > end:
                return calls
            self.look_after()
            time.sleep(1.0)

    def _check(self, calls: list[dict[str, Any]], ledger: dict[str, Any], faults: list[str]) -> bool:
        begun_ms = self._begun.timestamp() * 1000
        street = journal.read(self._street_dir / "street.jsonl")
        pairing = pair([call for call in street if call.start_utc_ms >= begun_ms], calls)
        differences = [*faults, *compare_lists(pairing), *compare_ledger(ledger, pairing)]
        heard: list[Heard] = []
        for one in pairing.pairs:
            found, wrong = listen(one, self.box.decode)
            heard += found
            differences += wrong
        show_calls(self._console, pairing, heard)
        show_ledger(self._console, ledger)
        if self._cloud is not None:
            self._console.print(self._cloud.summary())
        show_differences(self._console, differences)
        return not differences


def run(wishes: Wishes) -> bool:
    """Does what the person wished. True when everything went well."""
    # A shell that starts it in the background has it ignore SIGINT: ending it must work all the same.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_LOG_COLUMNS)
    with _folder(wishes, console) as folder:
        demo = Demo(wishes, folder, console)
        try:
            demo.start()
            if wishes.once or wishes.script is not None:
                return demo.play_once()
            demo.play_for_ever()
        except KeyboardInterrupt:
            console.print("Stopping ...")
        finally:
            for fault in demo.stop():
                console.print(f"[red]{fault}[/red]")
    return not wishes.once  # a checked run that was broken off proves nothing


@contextmanager
def _folder(wishes: Wishes, console: Console) -> Iterator[Path]:
    if wishes.folder is not None:
        wishes.folder.mkdir(parents=True, exist_ok=True)
        yield wishes.folder.resolve()
        return
    if wishes.keep:
        folder = Path(tempfile.mkdtemp(prefix="offhook-demo-"))
        yield folder
        console.print(f"Everything is kept in {folder}")
        return
    with tempfile.TemporaryDirectory(prefix="offhook-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def attached_lines() -> list[dict[str, Any]]:
    """The settings of the lines that are plugged into a Raspberry Pi; elsewhere the street plays all of them."""
    model = Path("/proc/device-tree/model")
    if not model.exists() or "Raspberry Pi" not in model.read_text(errors="replace"):
        return []
    return [
        {
            "id": name,
            "label": device.description or device.path,
            "driver": device.driver,
            "options": device.options,
        }
        for name, device in line_ids(scan()).items()
    ]


def street_lines(attached: list[dict[str, Any]], modules: int = 2) -> dict[str, list[str]]:
    """What the street must add to have two analog lines and so many modules, by driver.

    A process has one bank of pins: where a line board is plugged in, the street plays no analog line.
    """
    drivers = [line["driver"] for line in attached]
    taken = {line["id"] for line in attached}
    spare = (f"sim-{n}" for n in range(1, 100) if f"sim-{n}" not in taken)
    played = [next(spare) for _ in range(max(0, modules - drivers.count("at-modem")))]
    return {"fxo-gpio": [] if "fxo-gpio" in drivers else ["fxo-1", "fxo-2"], "at-modem": played}


def free_port(wanted: int) -> int:
    """``wanted`` when nobody listens there, else any free port of 127.0.0.1."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ChildError("no port of 127.0.0.1 is free for the page")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _unfinished(recording: dict[str, Any]) -> bool:
    return recording["status"] in ("recording", "closed")
