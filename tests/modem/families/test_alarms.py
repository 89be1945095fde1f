"""What a person must be told about a module: each in one sentence, in both languages, taken back when it is over."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from firmware.clock import SystemClock
from firmware.events import LineAlarm, LineUp
from firmware.model import LineId
from firmware.modem import module_care
from firmware.modem.at_events import parse_line
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.modem.engine import Answer, Command
from firmware.modem.module_care import ModuleCare
from firmware.store.alarm_texts import ALARMS
from simulator import manuals
from simulator.sim_module import Quirks, SimModule
from tests.modem.conftest import Log, eventually

from .conftest import bench


def raised(log: Log) -> dict[str, dict[str, str]]:
    """Alarms that stand now, with their values."""
    standing: dict[str, dict[str, str]] = {}
    for alarm in log.all(LineAlarm):
        if alarm.raised:
            standing[alarm.key] = dict(alarm.params)
        else:
            standing.pop(alarm.key, None)
    return standing


def test_a_module_that_is_well_raises_nothing() -> None:
    with bench("sim7600") as b:
        eventually(lambda: len(b.log.all(LineAlarm)) >= 3)
        assert raised(b.log) == {}


@pytest.mark.parametrize(
    ("model", "says", "instead"),
    [("a7670", "A7670E-LNXY-UBL", "A7670E-FASE"), ("huawei", "E3372", "E173")],
)
def test_a_module_without_voice_is_named_with_what_to_buy(
    monkeypatch: pytest.MonkeyPatch, model: str, says: str, instead: str
) -> None:
    manual = manuals.MANUALS[model]
    other = replace(manual, identity={**manual.identity, "+CGMM": says})
    monkeypatch.setattr(manuals, "MANUALS", {**manuals.MANUALS, model: other})
    monkeypatch.setattr("simulator.sim_module.MANUALS", manuals.MANUALS)
    with bench(model) as b:
        eventually(lambda: "no_voice" in raised(b.log))
        told = raised(b.log)["no_voice"]
        assert told["model"] == says
        assert instead in told["instead"]
        for text in (ALARMS["no_voice"].en, ALARMS["no_voice"].zh):
            assert says in text.format(subject="sim-1", **told)


def test_a_family_that_is_wrong_in_the_settings_is_said_and_the_line_works(tmp_path: Path) -> None:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.05), model="ec25") as module:
        log = Log()
        options = AtModemOptions(at_port=str(module.at_path), family="sim7600")
        line = AtModemLine(LineId("sim-1"), options, log, SystemClock())
        line.start()
        try:
            log.wait(LineUp)
            eventually(lambda: "wrong_family" in raised(log))
            assert raised(log)["wrong_family"] == {"configured": "sim7600", "family": "ec2x", "model": "EC25"}
            assert line.status.family == "ec2x"
        finally:
            line.stop()


@pytest.mark.parametrize("sim", ["SIM PIN", "SIM PUK", "10", "PH-NET PIN"])
def test_a_sim_that_is_not_ready_is_said_and_noticed_when_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sim: str
) -> None:
    monkeypatch.setattr("firmware.modem.driver.POLL_SIM_S", 0.5)
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.05, sim=sim)) as module:
        log = Log()
        line = AtModemLine(LineId("sim-1"), AtModemOptions(at_port=str(module.at_path)), log, SystemClock())
        line.start()
        try:
            eventually(lambda: line.status.sim not in {None, "READY"})
            eventually(lambda: any(key.startswith("sim_") for key in raised(log)))
            module.quirks.sim = "READY"
            eventually(lambda: line.status.sim == "READY", within_s=15)
            assert "sim_not_ready" not in raised(log)
        finally:
            line.stop()


def test_registered_for_data_only_is_said_after_a_while() -> None:
    told: list[tuple[str, bool]] = []
    care = ModuleCare(LineId("sim-1"), "auto", tell=lambda key, up, params: told.append((key, up)))
    for line in ("+CREG: 2,0", "+CEREG: 2,1,1F00,79D903,7"):
        care.on_event(parse_line(line))
    assert care.status.cannot_ring
    care.on_time(100.0)
    care.on_time(100.0 + module_care.CANNOT_RING_AFTER_S - 1)
    assert ("cannot_ring", True) not in told
    care.on_time(100.0 + module_care.CANNOT_RING_AFTER_S)
    assert told[-1] == ("cannot_ring", True)
    care.on_event(parse_line("+CREG: 1,1F00,79D903,7"))
    care.on_time(200.0)
    assert told[-1] == ("cannot_ring", False)


def test_calls_over_lte_count_as_voice() -> None:
    care = ModuleCare(LineId("sim-1"), "auto", tell=lambda *_: None)
    for line in ("+CREG: 2,0", "+CEREG: 2,1,1F00,79D903,7", '+QCFG: "ims",1,1'):
        care.on_event(parse_line(line))
    assert not care.status.cannot_ring


def test_a_stick_that_says_it_has_no_voice_is_believed() -> None:
    told: list[tuple[str, bool]] = []
    care = ModuleCare(LineId("sim-1"), "auto", tell=lambda key, up, params: told.append((key, up)))
    care.on_identity("huawei", "E1752")
    care.on_ready([Answer(Command("AT^CVOICE?"), ok=True, lines=("^CVOICE:1",), result="OK")])
    assert ("no_voice", True) in told


def test_two_equal_modules_are_told_apart_by_their_place_and_imei(tmp_path: Path) -> None:
    with bench("sim7600") as one, bench("sim7600") as two:
        assert one.line.status.imei is not None
        assert two.line.status.imei is not None
        one.take_call()
        time.sleep(0.3)
        assert [kind for kind in two.log.kinds() if kind != "LineUp"] == []
