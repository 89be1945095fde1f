"""The SIM card of a simulated module, from its PIN to its messages, through the real driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from firmware.clock import SystemClock
from firmware.errors import RequestError
from firmware.events import LineAlarm, LineEvent, LineUp
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.ports import RecorderEvent
from firmware.sim import (
    MessageKept,
    MessageState,
    NetworkTimeTold,
    PinRefused,
    Registration,
    SignalSampled,
    SimSeen,
    UssdAnswered,
    VoicePath,
)
from simulator.sim_card import SimCard
from simulator.sim_module import Quirks, SimModule

LINE = LineId("sim-1")
E = TypeVar("E", bound=LineEvent)


class Box:
    """A driver on a module with ``card``, with the admin's PINs and all it says."""

    def __init__(self, folder: Path, card: SimCard, pins: dict[str | None, str] | None = None) -> None:
        self.card = card
        self.pins: dict[str | None, str] = pins or {}
        self.events: list[LineEvent | RecorderEvent] = []
        self.module = SimModule(LINE, folder, Quirks(boot_s=0.1))
        self.module.insert(card)
        self.module.start()
        self.driver = AtModemLine(LINE, AtModemOptions(at_port=str(self.module.at_path)), self._take, SystemClock())
        self.driver.use_pin(lambda _line, iccid: self.pins.get(iccid))
        self.driver.start()

    def _take(self, event: LineEvent | RecorderEvent, /) -> None:
        if isinstance(event, PinRefused):
            self.pins.clear()
        self.events.append(event)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def until(self, check: Callable[[], object], within_s: float = 20.0) -> None:
        end = time.monotonic() + within_s
        while not check():
            assert time.monotonic() < end, f"it did not come true; there were {self.events[-8:]}"
            time.sleep(0.02)

    def alarms(self) -> set[str]:
        standing: set[str] = set()
        for alarm in self.all(LineAlarm):
            (standing.add if alarm.raised else standing.discard)(alarm.key)
        return standing

    def order(self, give: Callable[[Any, Future[dict[str, Any]]], None], within_s: float = 20.0) -> dict[str, Any]:
        done: Future[dict[str, Any]] = Future()
        self.driver.sim_order(lambda care: give(care, done))
        return done.result(within_s)

    def sent_pins(self) -> list[str]:
        return [command for command in self.module.commands if command.startswith("AT+CPIN=")]

    def close(self) -> None:
        self.driver.stop()
        self.module.stop()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    made: list[Box] = []

    def make(card: SimCard, pins: dict[str | None, str] | None = None) -> Box:
        made.append(Box(tmp_path, card, pins))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_ready_card_tells_all_about_itself(box: Callable[..., Box]) -> None:
    one = box(SimCard())
    one.until(lambda: one.all(SignalSampled))
    one.until(lambda: one.all(NetworkTimeTold))
    status = one.all(SimSeen)[-1].status
    assert status.operator == "CHINA MOBILE"
    assert status.own_number == "+8613800000001"
    assert status.iccid == "89860012345678901234"
    assert (status.circuit, status.packet) == (Registration.HOME, Registration.HOME)
    assert (status.radio, status.ims, status.voice) == ("lte", True, VoicePath.VOLTE)
    assert type(one.events[0]) is LineUp
    assert not one.alarms()


def test_the_admins_pin_opens_the_card_and_stands_in_no_log(
    box: Callable[..., Box], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    card = SimCard(pin="4711")
    one = box(card, {card.iccid: "4711"})
    one.until(lambda: one.all(LineUp))
    assert card.unlocked
    assert one.sent_pins() == ['AT+CPIN="4711"']
    one.until(lambda: not one.alarms())
    took = list(one.module.commands).index('AT+CPIN="4711"')
    one.until(lambda: "AT+CLIP=1" in list(one.module.commands)[took:])  # a locked module had refused it
    assert "4711" not in caplog.text


def test_a_card_without_a_pin_given_says_what_to_do_and_goes_on_when_it_comes(box: Callable[..., Box]) -> None:
    card = SimCard(pin="4711")
    one = box(card)
    one.until(lambda: one.alarms() == {"sim_pin_needed"})
    assert not one.sent_pins()
    one.pins[card.iccid] = "4711"
    one.driver.sim_order(lambda care: care.look_at_card())
    one.until(lambda: card.unlocked)
    one.until(lambda: not one.alarms())
    one.until(lambda: one.all(LineUp))


def test_a_wrong_pin_is_sent_once_and_never_again(box: Callable[..., Box]) -> None:
    card = SimCard(pin="4711")
    one = box(card, {card.iccid: "1111"})
    one.until(lambda: one.alarms() == {"sim_pin_wrong"})
    for _ in range(5):
        one.driver.sim_order(lambda care: care.look_at_card())
        time.sleep(0.2)
    assert one.sent_pins() == ['AT+CPIN="1111"']
    assert card.pin_tries == 2
    alarm = next(alarm for alarm in one.all(LineAlarm) if alarm.key == "sim_pin_wrong" and alarm.raised)
    assert dict(alarm.params)["pin_tries"] == "2"


def test_the_last_try_is_never_taken(box: Callable[..., Box]) -> None:
    card = SimCard(pin="4711", pin_tries=1)
    one = box(card, {card.iccid: "4711"})
    one.until(lambda: one.alarms() == {"sim_pin_few_tries"})
    assert not one.sent_pins()
    assert card.pin_tries == 1


def test_a_pin_is_not_for_another_card(box: Callable[..., Box]) -> None:
    one = box(SimCard(pin="4711"), {"89860099999999999999": "4711"})
    one.until(lambda: one.alarms() == {"sim_pin_needed"})
    assert not one.sent_pins()


def test_a_blocked_card_wants_its_puk(box: Callable[..., Box]) -> None:
    card = SimCard(pin="4711", pin_tries=0)
    one = box(card)
    one.until(lambda: one.alarms() == {"sim_puk_needed"})
    with pytest.raises(RequestError, match="PUK"):
        one.order(lambda care, done: care.unblock("00000000", "1234", done))
    assert card.puk_tries == 9
    assert one.order(lambda care, done: care.unblock("12345678", "1234", done)) == {"sim": "READY"}
    one.until(lambda: not one.alarms())
    assert card.pin == "1234"


@pytest.mark.parametrize(
    ("card", "alarm"),
    [
        (SimCard(inserted=False), "sim_missing"),
        (SimCard(lock="PH-NET PIN"), "sim_operator_lock"),
        (SimCard(lock="PH-SIM PIN"), "sim_operator_lock"),
    ],
)
def test_what_is_wrong_with_a_card_is_one_alarm(box: Callable[..., Box], card: SimCard, alarm: str) -> None:
    one = box(card)
    one.until(lambda: one.alarms() == {alarm})


def test_a_card_that_is_pulled_and_another_put_in(box: Callable[..., Box]) -> None:
    card = SimCard()
    one = box(card)
    one.until(lambda: one.all(SimSeen) and one.all(SimSeen)[-1].status.own_number == card.number)
    card.pull()
    one.until(lambda: one.alarms() == {"sim_missing"})
    assert one.all(SimSeen)[-1].status.own_number is None
    card.inserted, card.iccid, card.number = True, "89860000000000000002", "+8613900000002"
    card.urc(["+CPIN: READY"])
    one.until(lambda: one.all(SimSeen)[-1].status.own_number == "+8613900000002")
    one.until(lambda: not one.alarms())


def test_messages_come_and_go(box: Callable[..., Box]) -> None:
    card = SimCard()
    one = box(card)
    one.until(lambda: one.all(SimSeen))
    card.receive("07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37")
    one.until(lambda: one.all(MessageKept))
    (came,) = one.all(MessageKept)
    assert (came.number, came.text, came.state) == ("27838890001", "hellohello", MessageState.RECEIVED)
    assert one.order(lambda care, done: care.send_message("+8613900139000", "你好" * 50, done)) == {"parts": 2}
    assert len(card.sent) == 2
    assert one.all(MessageKept)[-1].state is MessageState.SENT
    card.refuses_messages = True
    with pytest.raises(RequestError):
        one.order(lambda care, done: care.send_message("+8613900139000", "no", done))
    assert one.all(MessageKept)[-1].state is MessageState.FAILED


def test_a_message_that_came_before_the_box_started_is_read(box: Callable[..., Box]) -> None:
    card = SimCard()
    card.receive("07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37")
    one = box(card)
    one.until(lambda: one.all(MessageKept))


def test_the_balance_is_asked_for(box: Callable[..., Box]) -> None:
    one = box(SimCard())
    one.until(lambda: one.all(SimSeen))
    assert one.order(lambda care, done: care.ask_ussd("*100#", done))["text"] == "Balance 12.30 CNY"
    assert one.all(UssdAnswered)[0].code == "*100#"
    with pytest.raises(RequestError, match="does not know"):
        one.order(lambda care, done: care.ask_ussd("*999#", done))


def test_registered_for_data_only_shows_that_it_will_not_ring(box: Callable[..., Box]) -> None:
    one = box(SimCard(circuit=0, packet=1, ims=False))
    one.until(lambda: one.all(SignalSampled))
    one.until(lambda: one.all(SimSeen)[-1].status.voice is VoicePath.NONE)
