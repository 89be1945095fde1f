"""docs/interfaces.md says what the code does: commands, events, fields, error codes, exit codes, environment."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, cast

import click
import pytest

from cli.exit_codes import ExitCode
from cli.main import offhook
from firmware.clock import SystemClock
from firmware.commands import commands
from firmware.effects import RaiseAlarm, SaveCall
from firmware.ipc.codec import ERROR_CODES, Request
from firmware.line_state import LineState, Phase
from firmware.live import LineAbout, LiveView, SoundState, call_as_json, line_as_json
from firmware.model import Call, CallId, CallStatus, Direction, Disposition, LineId, LineKind
from firmware.policy import LinePolicy
from firmware.ports import FoundDevice, Gap, GapCause
from firmware.store.queries import ledger, list_calls, standing_alarms
from tests.docs.tree import PRODUCT, ROOT, modules, rows, section
from tests.store.world import LINE, START, World, closed, ended, opened, ring, ringing, talking

PAGE = "docs/interfaces.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
NOT_A_COMMAND = "zzz"


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _documented_commands() -> dict[str, set[str]]:
    """Each command and its arguments."""
    table = section(PAGE, "Socket").partition("| Event |")[0]
    return {name: set(_names(arguments)) for cells in rows(table) for name, arguments in _with_arguments(cells)}


def _with_arguments(cells: list[str]) -> list[tuple[str, str]]:
    return [(name, cells[1]) for name in _names(cells[0])]


def _ask(name: str, **arguments: Any) -> str:
    """What the recorder's dispatcher says to a command it refuses before anything else of the box is needed."""
    nothing = cast("Any", None)
    dispatcher = commands(
        runtime=nothing,
        live=LiveView(SystemClock()),
        store=nothing,
        settings=nothing,
        identity=nothing,
        found=list[FoundDevice],
        version="0",
        reconfigured=lambda: None,
    )
    return dispatcher(Request(id=1, cmd=name, args=arguments)).message


def test_the_commands_are_those_of_the_recorder() -> None:
    _, _, listed = _ask(NOT_A_COMMAND).partition("there are: ")
    # The server itself answers subscribe: it is about the connection, not about the box.
    assert {*listed.split(", "), "subscribe"} == set(_documented_commands())


@pytest.mark.parametrize("name", sorted(set(_documented_commands()) - {"subscribe"}))
def test_the_arguments_of_a_command_are_those_it_takes(name: str) -> None:
    refusal = _ask(name, **{NOT_A_COMMAND: 1})
    _, _, known = refusal.partition("there are: ")
    assert set(known.split(", ")) - {""} == _documented_commands()[name]


def test_the_events_are_those_the_recorder_sends() -> None:
    table = section(PAGE, "Socket").partition("| Event |")[2]
    documented = {name for cells in rows("| Event |" + table) for name in _names(cells[0])}
    sent = {
        value.value
        for _, module in modules("firmware")
        for node in ast.walk(module)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "event" and isinstance(value, ast.Constant)
    }
    assert documented == sent


def _fields(shape: str) -> set[str]:
    """The fields of a shape, those of what is inside it left out."""
    found = re.search(rf"^{shape}: `(.*?)`", TEXT, re.M | re.S)
    assert found, f"{PAGE} does not say what {shape} is"
    flat = re.sub(r": (?:\[\{.*?\}\]|\{.*?\})", "", found[1], flags=re.S)
    return set(re.findall(r'"(\w+)"', flat))


def test_a_line_and_a_call_have_the_documented_fields() -> None:
    clock = SystemClock()
    line = LineId("fxo-1")
    call = Call(id=CallId("c"), line=line, direction=Direction.INCOMING, status=CallStatus.RINGING, started=clock.now())
    policy = LinePolicy(kind=LineKind.ANALOG)
    state = LineState(line=line, policy=policy, phase=Phase.RINGING, call=call)
    about = LineAbout(id=line, label="", kind=LineKind.ANALOG, driver="fxo-gpio")
    assert set(line_as_json(about, state, SoundState.OK, recording=False, fault=None)) == _fields("LINE")
    assert set(call_as_json(call)) == _fields("CALL")


def test_what_the_database_gives_has_the_documented_fields(tmp_path: Path) -> None:
    world = World(tmp_path)
    call = ringing(START)
    lost = Gap(at_frame=80, missing_ms=10, cause=GapCause.OVERRUN)
    world.store(
        [SaveCall(call=call), ring(call, START)],
        [SaveCall(call=talking(call, START)), opened(call, START)],
        [closed(call, START.plus_s(10.0), gaps=(lost,)), SaveCall(call=ended(call, START.plus_s(10.0)))],
        [RaiseAlarm(key="line_down", subject=LINE, at=START, params={"reason": "pulled"})],
    )
    db = world.read()
    (listed,), balance, (alarm,) = list_calls(db), ledger(db), standing_alarms(db)
    db.close()
    (recording,) = listed["recordings"]
    assert set(listed) == _fields("CALL") | {"recordings", "note"}
    assert set(recording) == _fields("RECORDING")
    assert set(recording["gaps"][0]) == set(re.findall(r"\w+", _inner("gaps")))
    assert set(balance["entries"][0]) == _fields("ENTRY")
    assert set(balance["balance"]) == {disposition.value for disposition in Disposition}
    assert set(alarm) == _fields("ALARM")


def _inner(name: str) -> str:
    """The fields of the objects in the list ``name``."""
    found = re.search(rf'"{name}": \[\{{(.*?)\}}\]', TEXT, re.S)
    assert found
    return found[1]


def test_the_phases_and_sound_states_are_named() -> None:
    told = section(PAGE, "Socket")
    assert all(f"`{phase}`" in told for phase in Phase)
    assert all(f"`{sound}`" in told for sound in SoundState)


def _error_codes() -> set[str]:
    found = re.search(r"^Error codes: (.*?)\.\n", TEXT, re.M | re.S)
    assert found
    return set(_names(found[1]))


def test_the_error_codes_are_those_of_the_socket() -> None:
    assert _error_codes() == set(ERROR_CODES)


def test_every_refusal_uses_one_of_them() -> None:
    used = {
        node.args[0].value
        for _, module in modules("firmware")
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in {"RequestError", "refusal"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    } | {
        keyword.value.value
        for _, module in modules("firmware")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refuse"
        for keyword in node.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    assert used
    assert used <= _error_codes()


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    found = re.search(r"^Exit codes: (.*?)\.\n", TEXT, re.M | re.S)
    assert found
    assert {int(code) for code in re.findall(r"\b(\d) ", found[1])} == {code.value for code in ExitCode}


def _usages() -> list[str]:
    return [_names(cells[0])[0] for cells in rows(section(PAGE, "Command line"))]


@pytest.mark.parametrize("usage", _usages())
def test_a_documented_command_line_is_understood(usage: str) -> None:
    words = re.sub(r"[\[\]]", " ", usage).split()
    assert words[0] == "offhook"
    context = click.Context(offhook)
    command: click.Command | None = offhook.get_command(context, words[1])
    assert command is not None, f"there is no command {words[1]}"
    rest = words[2:]
    while rest and isinstance(command, click.Group) and rest[0] in command.list_commands(context):
        found = command.get_command(context, rest.pop(0))
        assert found is not None
        command = found
    options = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    for word in rest:
        if word.startswith("--"):
            assert word in options, f"offhook {words[1]} has no {word}; it has {sorted(options)}"
        elif word.islower():
            assert isinstance(command, click.Group) or any(isinstance(p, click.Argument) for p in command.params)


def test_every_environment_name_of_the_product_is_documented() -> None:
    used = {
        name
        for _, module in modules(*PRODUCT)
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for name in re.findall(r"^OFFHOOK_[A-Z_]+$", node.value)
    }
    assert {"OFFHOOK_DATA", "OFFHOOK_RUN"} <= used
    documents = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    assert {name for name in used if name not in documents} == set()
    assert set(re.findall(r"OFFHOOK_[A-Z]+", TEXT)) <= used
