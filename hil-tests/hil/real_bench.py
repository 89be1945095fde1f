"""The bench `real`: a box at the customer's, reached over ssh, its lines tested by a line simulator or by people.

make hil BENCH=bench.toml

[box]
shell = ["ssh", "pi@offhook.local", "sudo"]   # what comes before `offhook ...`; empty: this machine is the box
helper = "python line_simulator.py"           # does the acts (docs/field-test.md); left out: a person is asked
gain_db = { fxo-1 = 6.0 }

[lines]                                       # every line that is tested, and what it can be called by
fxo-1 = { number = "02155507301", called_from = "sim-1" }
sim-1 = { number = "13800550123", called_from = "fxo-1" }

[power]                                       # left out: nothing can be switched
off = ["uhubctl", "-l", "1-1", "-p", "2", "-a", "off"]
on = ["uhubctl", "-l", "1-1", "-p", "2", "-a", "on"]
line = "sim-1"                                # whose module hangs on that port
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cattrs
from attrs import field, frozen

_FIELD_TEST_DEADLINE_S = 3600.0
_COMMAND_DEADLINE_S = 60.0


class BenchFileError(Exception):
    """The bench's TOML does not say what it should."""


@frozen
class LineOf:
    number: str = ""
    called_from: str = ""
    """Another line of this box; empty: somebody's telephone."""


@frozen
class BoxOf:
    shell: list[str] = field(factory=list)
    helper: str = ""
    gain_db: dict[str, float] = field(factory=dict)


@frozen
class PowerOf:
    off: list[str]
    on: list[str]
    line: str


@frozen
class BenchFile:
    lines: dict[str, LineOf]
    box: BoxOf = field(factory=BoxOf)
    power: PowerOf | None = None

    def __attrs_post_init__(self) -> None:
        if not self.lines:
            raise ValueError("[lines] names no line")
        for name, line in self.lines.items():
            if line.called_from and line.called_from not in self.lines:
                raise ValueError(f"line {name} is called from {line.called_from!r}, which is not in [lines]")
        if self.power is not None and self.power.line not in self.lines:
            raise ValueError(f"[power] switches {self.power.line!r}, which is not in [lines]")

    @property
    def features(self) -> frozenset[str]:
        """What this bench can do for a test."""
        has = {"sim" if name.startswith("sim") else "analog" for name in self.lines}
        has |= {"second_line"} if len(self.lines) > 1 else set()
        return frozenset(has | ({"power_switch"} if self.power is not None else set()))


def load(path: Path) -> BenchFile:
    """Raises `BenchFileError` with every fault."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return cattrs.Converter(forbid_extra_keys=True).structure(data, BenchFile)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BenchFileError(f"{path} cannot be read: {error}") from error
    except cattrs.BaseValidationError as error:
        faults = cattrs.transform_error(error, format_exception=_why)
        raise BenchFileError(f"{path}: " + "; ".join(faults)) from error
    except ValueError as error:
        raise BenchFileError(f"{path}: {error}") from error


def _why(error: BaseException, type_: type | None) -> str:
    """A validator's own words, where it has any."""
    if isinstance(error, ValueError) and error.args:
        return str(error.args[0])
    return cattrs.v.format_exception(error, type_)


class RealBench:
    """A context manager, as every bench."""

    name = "real"

    def __init__(self, file: BenchFile, folder: Path) -> None:
        self._file = file
        self._folder = folder
        self.has = file.features
        self.lines = tuple(file.lines)

    def __enter__(self) -> Self:
        self._checked("lines", "--json")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return

    @property
    def folder(self) -> Path:
        return self._folder

    def field_test(self, *words: str, slow_card: bool = False) -> dict[str, Any]:
        """A person at this terminal, or the helper of the bench, does the technician's part."""
        assert not slow_card, "a card cannot be made slow here"
        gains = [word for name, db in self._file.box.gain_db.items() for word in ("--gain", f"{name}={db}")]
        command = self._command("fieldtest", "--helper", "-", "--json", *gains, *words)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        helper = None
        if self._file.box.helper:
            helper = subprocess.Popen(
                shlex.split(self._file.box.helper), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        try:
            return _led(process, lambda act: _by_machine(helper, act) if helper else self._by_person(act))
        finally:
            for one in (process, helper):
                if one is not None and one.stdin is not None:
                    one.stdin.close()
                    one.wait(_COMMAND_DEADLINE_S)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        raise NotImplementedError("the socket of a box at the customer's is not on the network")

    def _by_person(self, act: dict[str, Any]) -> dict[str, Any]:
        number = self._file.lines.get(act["line"], LineOf()).number
        print(f"\n>>> {act['line']} {number}: {act['act']} {act['seconds'] or ''}  (Enter; s = skip)", file=sys.stderr)
        with Path("/dev/tty").open() as terminal:
            pressed = terminal.readline().strip()
        if pressed == "s":
            return {"what": "skip", "reason": "skipped at the bench"}
        return {"heard": pressed != "n"} if act["act"] == "listen" else {}

    def _command(self, *words: str) -> list[str]:
        """ssh joins its arguments with spaces: they are quoted for the shell at the other end."""
        shell = self._file.box.shell
        return [*shell, "offhook", *(shlex.quote(word) if shell else word for word in words)]

    def _checked(self, *words: str) -> str:
        done = subprocess.run(
            self._command(*words), capture_output=True, text=True, timeout=_COMMAND_DEADLINE_S, check=False
        )
        if done.returncode:
            raise BenchFileError(
                f"{' '.join(self._command(*words))} ended with {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout


def _led(process: subprocess.Popen[str], answer: Any) -> dict[str, Any]:
    """Answers each act; what follows them is the run."""
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"act"'):
            process.stdin.write(json.dumps(answer(json.loads(line))) + "\n")
            process.stdin.flush()
            continue
        run: dict[str, Any] = json.loads(line + process.stdout.read())["run"]
        return run
    raise BenchFileError(f"offhook fieldtest ended with {process.wait(_COMMAND_DEADLINE_S)} and said nothing")


def _by_machine(helper: subprocess.Popen[str], act: dict[str, Any]) -> dict[str, Any]:
    assert helper.stdin is not None
    assert helper.stdout is not None
    helper.stdin.write(json.dumps(act) + "\n")
    helper.stdin.flush()
    answer: dict[str, Any] = json.loads(helper.stdout.readline())
    return answer
