"""A hook contact and a reset wire on GPIO pins, and digits as tones: what a handset without keys of its own does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gpiozero
import numpy as np
import pytest

from firmware.clock import SystemClock
from firmware.events import AnswerRequested, CallEnded, DialRequested, HangUpRequested, LineUp, Ring
from firmware.model import LineId
from firmware.modem.dialects import dialect
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.modem.rescue import RESET_PULSE_S, Rescue
from simulator.pins import PinBank
from simulator.sim_module import Quirks, SimModule
from simulator.sound import SoundStreet, device_name
from tests.modem.conftest import Log, eventually

HOOK, RESET = 17, 27
LOW, HIGH = False, True
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)
_KEYS = "123456789*0#"


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PinBank]:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "offhook-street")
    monkeypatch.setenv("OFFHOOK_STREET_PINS", str(tmp_path / "pins.sock"))
    _forget_the_pin_factory()
    bank = PinBank(tmp_path / "pins.sock")
    bank.start()
    bank.drive(HOOK, HIGH)
    yield bank
    _forget_the_pin_factory()
    bank.stop()


def _forget_the_pin_factory() -> None:
    if gpiozero.Device.pin_factory is not None:
        gpiozero.Device.pin_factory.close()
        gpiozero.Device.pin_factory = None


@pytest.fixture
def module(tmp_path: Path) -> Iterator[SimModule]:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.1)) as module:
        yield module


class Desk:
    """A line with a handset; a person's orders are obeyed as the runtime obeys them."""

    def __init__(self, module: SimModule, **options: object) -> None:
        self.module = module
        self.log = Log()
        known = AtModemOptions(at_port=str(module.at_path), handset_hook_gpio=HOOK, **options)  # type: ignore[arg-type]
        self.line = AtModemLine(LineId("sim-1"), known, self._heard, SystemClock())
        self.line.start()
        self.log.wait(LineUp)

    def _heard(self, event: object, /) -> None:
        match event:
            case AnswerRequested():
                self.line.answer()
            case HangUpRequested():
                self.line.hang_up()
            case DialRequested(number=number):
                self.line.dial(number)
        self.log(event)  # type: ignore[arg-type]


def test_lifting_the_handset_answers_and_putting_it_back_hangs_up(pins: PinBank, module: SimModule) -> None:
    desk = Desk(module)
    try:
        module.incoming("+8613800138000")
        desk.log.wait(Ring)
        for level in (LOW, HIGH, LOW):  # contacts bounce
            pins.drive(HOOK, level)
            time.sleep(0.005)
        eventually(lambda: module.state == "active")
        assert len(desk.log.all(AnswerRequested)) == 1
        time.sleep(0.3)  # nobody is faster than a contact bounces
        pins.drive(HOOK, HIGH)
        desk.log.wait(HangUpRequested)
        desk.log.wait(CallEnded)
        assert module.state == "idle"
    finally:
        desk.line.stop()


def test_a_handset_that_lies_beside_its_cradle_answers_nothing_by_itself(pins: PinBank, module: SimModule) -> None:
    pins.drive(HOOK, LOW)
    desk = Desk(module)
    try:
        module.incoming("+8613800138000")
        desk.log.wait(Ring, count=2, within_s=15)
        assert not desk.log.all(AnswerRequested)
    finally:
        desk.line.stop()


def key(digit: str, seconds: float = 0.1) -> np.ndarray:
    row, column = divmod(_KEYS.index(digit), 3)
    t = np.arange(round(seconds * 8000)) / 8000
    wave = 0.3 * np.sin(2 * np.pi * _ROWS[row] * t) + 0.3 * np.sin(2 * np.pi * _COLUMNS[column] * t)
    return wave.astype(np.float32)


@pytest.mark.sound
def test_a_lifted_telephone_dials_with_tones_and_one_in_its_cradle_does_not(
    pins: PinBank, module: SimModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", "")
    street = SoundStreet(tmp_path / "sound", ("sim-1-mic",))
    street.start()
    desk = Desk(module, handset_capture=device_name("sim-1-mic"), handset_tones=True)

    def press(digits: str) -> None:
        """In one piece: how even the keys are must not depend on how busy the machine is."""
        pause = np.zeros(1200, dtype=np.float32)
        played = street.wires["sim-1-mic"].mixer.play(
            np.concatenate([part for d in digits for part in (key(d), pause)])
        )
        assert played.wait(60), "the street did not come to playing the keys"

    try:
        press("9#")
        time.sleep(1.5)  # what was pressed is past, whatever lies between the wire and the handset's device
        pins.drive(HOOK, LOW)
        eventually(lambda: any(t.name == "keytones-sim-1" for t in threading.enumerate()))
        time.sleep(1.5)  # a person listens before he dials
        press("10086#")
        assert desk.log.wait(DialRequested, within_s=60).number == "10086"
        eventually(lambda: module.state == "dialing")
        module.remote_answers()
        eventually(lambda: module.state == "active")
        pins.drive(HOOK, HIGH)
        desk.log.wait(CallEnded)
        assert len(desk.log.all(DialRequested)) == 1
    finally:
        desk.line.stop()
        street.stop()


def test_the_reset_wire_is_pulled_to_ground_for_a_moment_when_nothing_else_helped(
    pins: PinBank, tmp_path: Path
) -> None:
    moments: list[tuple[bool, int]] = []
    pins.on_output(RESET, lambda level, at_ns: moments.append((level, at_ns)))
    now_s = [0.0]
    told: list[str] = []
    rescue = Rescue(
        LineId("sim-1"), port=str(tmp_path / "none"), second_port=None, reset_gpio=RESET,
        tell=lambda key, raised, params: told.append(params["tried"]) if raised else None, now_s=lambda: now_s[0],
    )  # fmt: skip
    rescue.speak(dialect("sim7600"))
    while not told:
        rescue.on_lost("module does not answer")
        now_s[0] += 1
        assert now_s[0] < 600
    assert told == ["reopen, power"]
    eventually(lambda: [level for level, _ in moments][-2:] == [LOW, HIGH])
    pulled = next(at for level, at in moments if level is LOW)
    let_go = next(at for level, at in moments if level is HIGH and at > pulled)
    assert (let_go - pulled) / 1e9 == pytest.approx(RESET_PULSE_S, abs=0.4)
    assert moments[0][0] is HIGH or moments[0][1] == pulled, "the module runs until then"


def test_a_module_that_hangs_is_brought_back_by_its_reset_wire(pins: PinBank, module: SimModule) -> None:
    """The whole way: it stops answering in service, the ladder is climbed, the wire restarts it, the line is back."""
    moments: list[bool] = []

    def wired(level: bool, _at_ns: int) -> None:
        moments.append(level)
        if level is LOW:
            module.pull_reset()

    pins.on_output(RESET, wired)
    desk = Desk(module, reset_gpio=RESET)
    rescue = desk.line._rescue
    rescue._ladder.use(tuple(row for row in dialect("sim7600").recovery if row.step == "power"))
    try:
        module.hang()
        desk.log.wait(LineUp, count=2, within_s=90)
        assert LOW in moments
    finally:
        desk.line.stop()
