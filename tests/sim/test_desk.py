"""PINs, plans, messages and the clock at the box's desk for SIMs, on a real database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware.config import Settings, parse
from firmware.effects import SaveCall
from firmware.errors import ConfigError, RequestError
from firmware.events import DialRequested
from firmware.identity import load_or_create
from firmware.model import Direction, LineId
from firmware.pin_safe import PinSafe
from firmware.sim import (
    CallMarked,
    Mark,
    MessageKept,
    MessageState,
    NetworkTimeTold,
    PinRefused,
    Registration,
    SignalSampled,
    SimReport,
    SimSeen,
    SimStatus,
    UssdAnswered,
)
from firmware.sim_desk import SimDesk
from firmware.store import sims
from firmware.store.queries import list_calls, standing_alarms
from firmware.store.writer import StoreWriter
from tests.store.world import START, World, ended, ringing, talking

SIM = LineId("sim-1")
DOCUMENT = """
[[lines]]
id = "sim-1"
driver = "at-modem"
[lines.options]
at_port = "/dev/ttyUSB2"
[lines.plan]
included_minutes = 10
last_minutes = 5
at_last_minutes = "{mode}"
free_numbers = ["400*"]
"""


class Module:
    """A driver as the desk sees it."""

    def __init__(self) -> None:
        self.looked = 0
        self.pin_for: Callable[[LineId, str | None], str | None] | None = None

    def use_pin(self, pin_for: Callable[[LineId, str | None], str | None], /) -> None:
        self.pin_for = pin_for

    def sim_order(self, order: Callable[[Any], None], /) -> None:
        order(self)

    def look_at_card(self) -> None:
        self.looked += 1

    def ask_ussd(self, code: str, done: Future[dict[str, Any]]) -> None:
        done.set_result({"code": code, "text": "12.30"})


class Office:
    def __init__(self, folder: Path, mode: str) -> None:
        self.world = World(folder)
        self.folder = folder
        self.store: StoreWriter = self.world.writer()
        self.store.start()
        self.identity = load_or_create(folder / "identity")
        self.settings: Settings = parse(DOCUMENT.format(mode=mode))
        self.desk = self.open()
        self.module = Module()
        self.desk.attach(SIM, self.module)

    def open(self) -> SimDesk:
        desk = SimDesk(
            database=self.world.path,
            store=self.store,
            safe=PinSafe(self.identity),
            settings=lambda: self.settings,
            clock=self.world.clock,
            clock_wish=self.folder / "network-time",
        )
        desk.load()
        return desk

    def tell(self, report: SimReport) -> None:
        """As the runtime does it."""
        self.store.submit([report])
        self.desk.on_report(report)
        self.store.flush(5.0)

    def call_out(self, seconds: float, number: str = "13800138000") -> None:
        at = self.world.clock.now()
        call = replace(talking(ringing(at, line=SIM, number=number), at), direction=Direction.OUTGOING)
        self.store.submit([SaveCall(call=call)])
        self.store.submit([SaveCall(call=ended(call, self.world.clock.pass_s(seconds)))])
        self.store.flush(5.0)
        self.desk.after_call(SIM)
        self.store.flush(5.0)

    def dial(self, number: str, *, confirmed: bool = False) -> None:
        at = self.world.clock.now()
        self.desk.may_dial(DialRequested(line=SIM, at=at, number=number, request="r1", confirmed=confirmed))

    def close(self) -> None:
        self.store.stop(5.0)


@pytest.fixture
def mode() -> str:
    return "block"


@pytest.fixture
def office(tmp_path: Path, mode: str) -> Iterator[Office]:
    office = Office(tmp_path, mode)
    yield office
    office.close()


def test_a_pin_is_kept_sealed_over_a_restart_and_only_for_its_card(office: Office) -> None:
    office.tell(SimSeen(line=SIM, at=START, status=SimStatus(iccid="8986A")))
    office.desk.set_pin(SIM, "4711")
    assert office.module.looked == 1
    again = office.open()
    assert again.pin_for(SIM, "8986A") == "4711"
    assert again.pin_for(SIM, "8986B") is None
    assert again.pin_for(LineId("sim-2"), "8986A") is None
    for file in office.folder.iterdir():
        if file.is_file():
            assert b"4711" not in file.read_bytes(), file


def test_another_box_cannot_open_a_sealed_pin(office: Office, tmp_path: Path) -> None:
    sealed = PinSafe(office.identity).seal("4711", line="sim-1")
    stranger = PinSafe(load_or_create(tmp_path / "other"))
    assert PinSafe(office.identity).open(sealed, line="sim-1") == "4711"
    assert PinSafe(office.identity).open(sealed, line="sim-2") is None
    assert stranger.open(sealed, line="sim-1") is None
    assert stranger.open(b"", line="sim-1") is None


def test_a_refused_pin_is_gone_also_after_a_restart(office: Office) -> None:
    office.desk.set_pin(SIM, "4711")
    office.tell(PinRefused(line=SIM, at=START))
    assert office.desk.pin_for(SIM, None) is None
    assert office.open().pin_for(SIM, None) is None
    office.desk.set_pin(SIM, "4712")
    assert office.open().pin_for(SIM, None) == "4712"
    office.desk.forget_pin(SIM)
    assert office.open().pin_for(SIM, None) is None


@pytest.mark.parametrize("pin", ["", "123", "123456789", "12a4", "１２３４"])
def test_what_is_no_pin_is_refused(office: Office, pin: str) -> None:
    with pytest.raises(RequestError):
        office.desk.set_pin(SIM, pin)
    assert not office.world.rows("SELECT * FROM sim_pin")


def test_the_last_minutes_are_blocked_but_never_for_emergencies(office: Office) -> None:
    office.call_out(240)
    office.dial("13900139000")
    office.call_out(1)
    with pytest.raises(RequestError) as refused:
        office.dial("13900139000", confirmed=True)
    assert refused.value.code == "no_minutes"
    for number in ("110", "112", "119", "120", "911", "4001234567"):
        office.dial(number)


@pytest.mark.parametrize("mode", ["ask"])
def test_the_last_minutes_are_asked_for(office: Office) -> None:
    office.call_out(301)
    with pytest.raises(RequestError) as refused:
        office.dial("13900139000")
    assert refused.value.code == "confirm_first"
    office.dial("13900139000", confirmed=True)


def test_a_line_without_a_plan_is_never_refused(office: Office) -> None:
    office.settings = parse(DOCUMENT.format(mode="block").partition("[lines.plan]")[0])
    office.call_out(6000)
    office.dial("13900139000")
    assert office.desk.minutes(SIM) is None


def test_warnings_are_raised_once_per_level(office: Office) -> None:
    office.call_out(7 * 60)
    assert not standing_alarms(office.world.read())
    office.call_out(60)
    office.call_out(1)
    (alarm,) = standing_alarms(office.world.read())
    assert (alarm["key"], alarm["count"]) == ("minutes_low", 1)
    assert "80 %" in alarm["text"]["en"]
    used = office.desk.minutes(SIM)
    assert used is not None
    assert (used["used_s"], used["left_s"], used["calls"]) == (9 * 60, 60, 3)


def test_what_modules_tell_is_stored_and_offered_to_the_cloud(office: Office) -> None:
    at = office.world.clock.now()
    status = SimStatus(own_number="+8613800000001", circuit=Registration.HOME, signal_dbm=-73)
    office.tell(SimSeen(line=SIM, at=at, status=status))
    office.tell(SignalSampled(line=SIM, at=at, status=status))
    came = MessageKept(
        line=SIM, at=at, number="10086", text="余额 12.30", state=MessageState.RECEIVED, network_utc_ms=1
    )
    office.tell(came)
    office.tell(came)
    office.tell(UssdAnswered(line=SIM, at=at, code="*100#", text="12.30"))
    db = office.world.read()
    (message,) = sims.messages(db)
    assert (message["own_number"], message["text"]) == ("+8613800000001", "余额 12.30")
    (point,) = sims.signal_history(db, line=SIM)
    assert (point["dbm"], point["circuit"]) == (-73, "home")
    assert sims.balances(db, line=SIM)[0]["text"] == "12.30"
    kinds = [row["type"] for row in office.world.rows("SELECT type FROM outbox_event ORDER BY seq")]
    assert kinds == ["sim.status", "sim.message", "sim.balance"]
    (sim,) = office.desk.status()["sims"]
    assert (sim["own_number"], sim["voice"]) == ("+8613800000001", "circuit")
    assert office.desk.ussd(SIM, "*100#") == {"code": "*100#", "text": "12.30"}
    with pytest.raises(RequestError):
        office.desk.ussd(SIM, "100; AT+CPIN")
    with pytest.raises(RequestError):
        office.desk.ussd("fxo-1", "*100#")


def test_a_rearmed_sound_stands_beside_its_call_in_both_languages(office: Office) -> None:
    at = office.world.clock.now()
    call = talking(ringing(at, line=SIM), at)
    office.store.submit([SaveCall(call=call)])
    office.tell(CallMarked(line=SIM, at=at, mark=Mark.SOUND_REARMED, after_s=3.2))
    office.store.submit([SaveCall(call=ended(call, office.world.clock.pass_s(10)))])
    office.store.flush(5.0)
    (listed,) = list_calls(office.world.read())
    assert listed["note"] == {
        "en": "no sound at first: it was switched on again 3 s into the call",
        "zh": "起初没有声音：通话 3 秒时已重新打开",
    }


def test_another_module_at_the_same_place_is_said_also_over_a_restart(office: Office) -> None:
    def seen(imei: str | None) -> None:
        office.tell(
            SimSeen(line=SIM, at=office.world.clock.now(), status=SimStatus(imei=imei, model="SIMCOM_SIM7600E-H"))
        )

    def standing() -> list[dict[str, Any]]:
        office.store.flush(5.0)
        return [alarm for alarm in standing_alarms(office.world.read()) if alarm["key"] == "module_exchanged"]

    for imei in (None, "861477031234567", "861477031234567", None):
        seen(imei)
    assert standing() == []
    office.desk = office.open()
    office.desk.attach(SIM, office.module)
    seen("861477031234567")
    assert standing() == []
    seen("861477039999999")
    (alarm,) = standing()
    assert "861477039999999" in alarm["text"]["en"]
    assert "861477031234567" in alarm["text"]["zh"]


def test_the_networks_time_is_wished_for_once_and_only_when_the_clock_is_wrong(office: Office) -> None:
    at = office.world.clock.now()
    wish = office.folder / "network-time"
    office.tell(NetworkTimeTold(line=SIM, at=at, utc_ms=at.utc_ms + 5000))
    assert not wish.exists()
    office.tell(NetworkTimeTold(line=SIM, at=at, utc_ms=at.utc_ms + 86_400_000))
    assert wish.read_text() == f"{(at.utc_ms + 86_400_000) // 1000} sim-1\n"
    office.world.clock.set_wall_ms(at.utc_ms + 86_400_000)  # what the system makes of the wish
    now = office.world.clock.now()
    office.tell(NetworkTimeTold(line=SIM, at=now, utc_ms=now.utc_ms + 1000))
    office.store.flush(5.0)
    (boot,) = office.world.rows("SELECT offset_ms, told_by FROM boot")
    assert boot == {"offset_ms": 86_400_000, "told_by": "sim:sim-1"}


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("included_minutes = 10", "included_minutes = -1"),
        ("included_minutes = 10", "reset_day = 32"),
        ("included_minutes = 10", "billing_step_s = 0"),
        ('at_last_minutes = "block"', 'at_last_minutes = "maybe"'),
        ("included_minutes = 10", "included = 10"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_place(was: str, becomes: str) -> None:
    with pytest.raises(ConfigError, match="plan"):
        parse(DOCUMENT.format(mode="block").replace(was, becomes))
