"""The street's process: central office, telephones, SIM network and the people, until it is told to stop.

``python -m simulator.street --dir DIR`` writes DIR/street.json when everything is there (what lines there are, how the
box is to be configured for them, and its environment), listens on DIR/street.sock and logs to DIR/street.jsonl.

The control socket takes JSON objects, one per line: ``{"cmd": "run", "scenario": {...}}``, ``{"cmd": "day", "calls":
24, "seed": 1, "rest_s": 0}``, ``{"cmd": "status"}``, ``{"cmd": "pull" | "put_back", "what": "sound" | "voice" |
"module" | "hat", "line": "fxo-1"}``, ``{"cmd": "act", "line": "fxo-1", "act": "call", "seconds": 0}``
(`simulator.acts`), ``{"cmd": "seed", "fault": "hum", "line": "fxo-1", "on": true}`` (`simulator.seeded_faults`),
``{"cmd": "quit"}``; each is answered by ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import socketserver
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware.errors import OffhookError
from simulator import scenario as scenarios
from simulator.acts import Actor, AnalogActor, SimActor
from simulator.analog_calls import AnalogPlayer
from simulator.day import day
from simulator.exchange import AnalogLine, hat_port
from simulator.journal import Journal
from simulator.kernel.wires import KernelWires
from simulator.manuals import MANUALS
from simulator.office import Office
from simulator.runner import Player, Runner
from simulator.seeded_faults import Fault, SeededFaults
from simulator.sim_calls import SimPlayer
from simulator.sim_line import SimLine
from simulator.speech import say_all
from simulator.wires import LaptopWires, Wires

log = logging.getLogger("offhook.street")

_PROFILE = "two-line-hat"
_EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h."""


class Street:
    """Everything outside the box. ``recorder`` is the box's socket, for the people who answer at SIM lines."""

    def __init__(
        self,
        folder: Path,
        *,
        analog: tuple[str, ...],
        sim: tuple[str, ...],
        recorder: Path,
        country: str = "CN",
        kernel: bool = False,
        models: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(folder / "street.jsonl")
        self.wires: Wires = (
            KernelWires(folder, analog=analog, sim=sim)
            if kernel
            else LaptopWires(folder, analog=analog, sim=sim, models=models)
        )
        self.bank = self.wires.bank
        self.modules = self.wires.modules
        self.networks = {name: SimLine(module, seed=100 + n) for n, (name, module) in enumerate(self.modules.items())}
        self._analog = analog
        self._sim = sim
        self._country = country
        offices = {name: Office(recorder, name) for name in (*analog, *sim)}
        players: dict[str, Player] = {}
        self.lines: dict[str, AnalogLine] = {}
        for n, name in enumerate(analog):
            wire = self.wires.sound[name]
            self.lines[name] = AnalogLine(name, hat_port(_PROFILE, n + 1), self.bank, wire.mixer, country)
            players[name] = AnalogPlayer(self.lines[name], wire, self.bank)
        for name in sim:
            players[name] = SimPlayer(self.networks[name], offices[name], self.wires.sound[f"{name}-mic"])
        self.runner = Runner(players, offices, self.journal)
        self.mixers = {name: wire.mixer for name, wire in self.wires.sound.items()}
        self.sim_actors = {name: SimActor(self.networks[name], self.mixers[f"{name}-mic"]) for name in sim}
        self._actors: dict[str, Actor] = {name: AnalogActor(line) for name, line in self.lines.items()}
        self._actors |= self.sim_actors
        self._faults = SeededFaults(self)

    def start(self) -> None:
        """Everything is there when this returns, and street.json says so. Raises `OffhookError`, OSError."""
        say_all()
        self.bank.start()
        self.wires.start_sound()
        for network in self.networks.values():
            network.start()
        ready = self._folder / "street.json"
        draft = ready.with_suffix(".tmp")
        draft.write_text(
            json.dumps({"pid": os.getpid(), "env": self.environment(), "lines": self.settings()}, indent=1)
        )
        draft.replace(ready)

    def stop(self) -> None:
        self.runner.stop()
        for network in self.networks.values():
            network.stop()
        self.wires.stop_sound()
        self.bank.stop()
        (self._folder / "street.json").unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        """What the box's processes need in their environment to find this street."""
        return self.wires.environment()

    def settings(self) -> list[dict[str, Any]]:
        """The ``[[lines]]`` of the box's settings."""
        analog = [
            {
                "id": name,
                "label": f"Line {n + 1}",
                "driver": "fxo-gpio",
                "answer_supervision": True,
                "options": {"profile": _PROFILE, "port": n + 1, "audio_device": self.wires.sound_device(name)},
            }
            for n, name in enumerate(self._analog)
        ]
        sim = [
            {
                "id": name,
                "label": f"SIM {n + 1}",
                "driver": "at-modem",
                "options": {
                    **self.wires.module_options(name),
                    "handset_capture": self.wires.sound_device(f"{name}-mic"),
                },
            }
            for n, name in enumerate(self.modules)
        ]
        return analog + sim

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Does what came over the control socket. Raises `OffhookError`."""
        command = order.get("cmd")
        if command == "run":
            self.runner.run(scenarios.parse(order["scenario"]))
        elif command == "day":
            rest_s = float(order.get("rest_s", 0))
            made = day(
                int(order["calls"]), int(order.get("seed", 1)), analog=self._analog, sim=self._sim, rest_s=rest_s
            )
            self.runner.run(made)
        elif command == "act":
            return dict(self._actor(str(order.get("line"))).act(str(order.get("act")), float(order.get("seconds", 0))))
        elif command == "seed":
            self._faults.seed(Fault(order["fault"]), str(order["line"]), on=bool(order.get("on", True)))
        elif command in ("pull", "put_back"):
            self._pull(str(order.get("what")), str(order.get("line")), away=command == "pull")
        elif command != "status":
            raise OffhookError(f"the street does not know the order {command!r}")
        return {"running": self.runner.running, "planned": self.runner.planned, "over": self.journal.count}

    def _actor(self, line: str) -> Actor:
        if line not in self._actors:
            raise OffhookError(f"no line is called {line!r}; there are {', '.join(self._actors)}")
        return self._actors[line]

    def _pull(self, what: str, line: str, *, away: bool) -> None:
        if what == "hat":
            self.bank.take_away() if away else self.bank.start()
        elif what == "module" and line in self.networks:
            network = self.networks[line]
            network.pull_plug() if away else network.put_plug_in()
        elif what == "voice" and line in self.wires.sound:
            self.wires.sound[line].mixer.muted = away
        elif what == "sound":
            name = line if line in self.wires.sound else f"{line}-mic"
            if name not in self.wires.sound:
                raise OffhookError(f"no line is called {line!r}; there are {', '.join((*self._analog, *self._sim))}")
            self.wires.sound[name].unplug() if away else self.wires.sound[name].plug()
        else:
            raise OffhookError(f"cannot pull {what!r} of line {line!r}: sound, voice, module or hat can be pulled")


class _Control(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, street: Street, quit_: threading.Event) -> None:
        path.unlink(missing_ok=True)
        self.street = street
        self.quit = quit_
        super().__init__(str(path), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Control

    def handle(self) -> None:
        for line in self.rfile:
            try:
                order = json.loads(line)
                if order.get("cmd") == "quit":
                    self.server.quit.set()
                    answer: dict[str, Any] = {"ok": True}
                else:
                    answer = {"ok": True, **self.server.street.obey(order)}
            except (OffhookError, ValueError, KeyError, TypeError) as error:
                answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                self.wfile.write(json.dumps(answer).encode() + b"\n")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def main(arguments: list[str] | None = None) -> int:
    """Runs the street until SIGTERM, SIGINT or ``quit``."""
    parser = argparse.ArgumentParser(prog="python -m simulator.street", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dir", type=Path, required=True, help="folder for sockets, devices and the log")
    parser.add_argument("--analog", type=_names, default=("fxo-1", "fxo-2"), help="analog lines (default fxo-1,fxo-2)")
    parser.add_argument(
        "--sim", type=_names, default=("sim-1", "sim-2"),
        help=f"SIM lines (default sim-1,sim-2); sim-1=ec25 says what the module is: {', '.join(MANUALS)}",
    )  # fmt: skip
    parser.add_argument("--country", default="CN", help="ISO 3166 code of the exchange's tones and cadence")
    parser.add_argument("--kernel", action="store_true", help="on this kernel's simulated hardware (the test kernel)")
    parser.add_argument("--recorder", type=Path, help="the box's socket (default: $OFFHOOK_RUN/recorder.sock)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    run = Path(os.environ.get("OFFHOOK_RUN", "/run/offhook"))
    models = dict(name.split("=", 1) for name in options.sim if "=" in name)
    if unknown := sorted(set(models.values()) - set(MANUALS)):
        parser.error(f"no module is called {', '.join(unknown)}; there are {', '.join(MANUALS)}")
    street = Street(
        options.dir.resolve(),
        analog=options.analog,
        sim=tuple(name.partition("=")[0] for name in options.sim),
        models=models,
        recorder=options.recorder or run / "recorder.sock",
        country=options.country,
        kernel=options.kernel,
    )
    end = threading.Event()
    bugs: list[str] = []

    def end_on_bug(args: threading.ExceptHookArgs) -> None:
        """A street that half works would look like a box that is wrong: better none at all."""
        name = args.thread.name if args.thread else "?"
        log.critical("a bug ended thread %s", name, exc_info=args.exc_value)
        bugs.append(name)
        end.set()

    threading.excepthook = end_on_bug
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    try:
        street.start()
        with _Control(options.dir.resolve() / "street.sock", street, end) as control:
            serving = threading.Thread(target=control.serve_forever, name="street-control", daemon=True)
            serving.start()
            log.info("the street is there: %s", ", ".join(str(line["id"]) for line in street.settings()))
            end.wait()
            control.shutdown()
    finally:
        street.stop()
    return _EXIT_BUG if bugs else 0


if __name__ == "__main__":
    raise SystemExit(main())
