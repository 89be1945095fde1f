"""The street's process, watched on the wires with nothing of the box: pins, sound, and the street's own log."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import alsaaudio
import numpy as np
import pytest
from gpiozero import DigitalInputDevice

from simulator import journal
from simulator.hearing import matches
from simulator.pin_factory import StreetFactory
from simulator.speech import say
from simulator.street_client import StreetError, order

pytestmark = [pytest.mark.sound, pytest.mark.slow]

RING_PIN, LOOP_PIN, POLARITY_PIN = 5, 6, 13  # line 1 of firmware/analog/profiles/two-line-hat.toml, low means yes


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("st")
    log = (folder / "log").open("wb")
    command = [sys.executable, "-m", "simulator.street", "--dir", str(folder), "--recorder", str(folder / "none.sock")]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    end = time.monotonic() + 60
    while not (folder / "street.json").exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < end
        time.sleep(0.05)
    yield folder
    order(folder / "street.sock", "quit")
    assert process.wait(15) == 0
    log.close()
    assert not list(folder.glob("sound/*.sock")), "no sound daemon is left behind"


@pytest.fixture
def environment(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_STREET_PINS", str(street / "pins.sock"))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(street / "sound" / "asound.conf"))


def open_capture(device: str):
    return alsaaudio.PCM(
        alsaaudio.PCM_CAPTURE,
        device=device,
        rate=8000,
        channels=1,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=160,
        periods=16,
    )


class Ear(threading.Thread):
    """Captures a line until it is told to stop or the device goes."""

    def __init__(self, device: str) -> None:
        super().__init__(daemon=True)
        self._pcm = open_capture(device)
        self._blocks: list[bytes] = []
        self._stop_it = threading.Event()
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            while not self._stop_it.is_set():
                frames, data = self._pcm.read()
                if frames > 0:
                    self._blocks.append(data)
        except alsaaudio.ALSAAudioError as error:
            self.error = error
        self._pcm.close()

    def heard(self) -> np.ndarray:
        self._stop_it.set()
        self.join(5)
        return np.frombuffer(b"".join(self._blocks), "<i2") / 32768


class Sensor:
    """One sensor of the hat: (seconds on CLOCK_BOOTTIME, yes or no) at each change."""

    def __init__(self, pin: int, factory: StreetFactory) -> None:
        self.edges: list[tuple[float, bool]] = []
        self.device = DigitalInputDevice(pin, pull_up=True, pin_factory=factory)
        self._keep = self._changed
        self.device.pin.when_changed = self._keep

    def _changed(self, ticks: float, state: int) -> None:
        self.edges.append((ticks, not state))


def run_scenario(street: Path, calls: list[dict], deadline_s: float = 60.0) -> list[journal.StreetCall]:
    before = len(journal.read(street / "street.jsonl"))
    order(street / "street.sock", "run", scenario={"name": "test", "calls": calls})
    end = time.monotonic() + deadline_s
    while order(street / "street.sock", "status")["running"]:
        assert time.monotonic() < end
        time.sleep(0.1)
    return journal.read(street / "street.jsonl")[before:]


def utc_offset_s() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def test_an_answered_call_as_seen_on_the_wires(street, environment):
    factory = StreetFactory()
    ring, loop, polarity = (Sensor(pin, factory) for pin in (RING_PIN, LOOP_PIN, POLARITY_PIN))
    ear = Ear("street_fxo1")
    plan = {"line": "fxo-1", "kind": "answered", "number": "13800550123", "answer_after_s": 5.5, "hang_up": "remote"}
    talk = [{"side": "local", "prompt": "l06"}, {"side": "remote", "prompt": "r12"}]
    (call,) = run_scenario(street, [plan | {"talk": talk}])
    sound = ear.heard()
    offset = utc_offset_s()

    pulses = [at for at, yes in ring.edges if yes]
    assert pulses[0] + offset == pytest.approx(call.start_utc_ms / 1000, abs=0.05)
    # 25 half waves in the first second, then 4 s of silence, then the second burst until the handset is lifted.
    first = [at for at in pulses if at < pulses[0] + 2]
    assert len(first) == 25
    assert np.median(np.diff(first)) == pytest.approx(0.04, abs=0.004)
    assert pulses[25] - pulses[0] == pytest.approx(5.0, abs=0.1)
    assert [yes for _, yes in loop.edges] == [True, False]
    lifted, put_back = (at + offset for at, _ in loop.edges)
    assert lifted == pytest.approx(call.answered_utc_ms / 1000, abs=0.1)
    assert put_back == pytest.approx(call.end_utc_ms / 1000, abs=0.1)
    assert pulses[-1] + offset <= lifted
    assert polarity.edges == [], "an incoming call reverses nothing"

    assert (call.outcome, call.number, call.trouble) == ("answered", "13800550123", None)
    assert [said.prompt for said in call.said] == ["l06", "r12"]
    for said in call.said:
        assert matches(sound, 8000, say(said.prompt)).score > 0.9
    assert not matches(sound, 8000, say("r01")).heard
    for device in (ring, loop, polarity):
        device.device.close()
    factory.close()


def test_an_outgoing_call_is_dialled_and_the_battery_turns_when_it_is_answered(street, environment):
    factory = StreetFactory()
    loop, polarity = Sensor(LOOP_PIN, factory), Sensor(POLARITY_PIN, factory)
    talk = [{"side": "remote", "prompt": "r06"}]
    plan = {"line": "fxo-1", "kind": "dialled", "number": "4005550188", "answer_after_s": 1.5, "talk": talk}
    (call,) = run_scenario(street, [plan])
    offset = utc_offset_s()
    assert [yes for _, yes in loop.edges] == [True, False]
    assert [yes for _, yes in polarity.edges] == [True, False]
    assert polarity.edges[0][0] + offset == pytest.approx(call.answered_utc_ms / 1000, abs=0.1)
    assert loop.edges[0][0] + offset == pytest.approx(call.start_utc_ms / 1000, abs=0.1)
    assert call.outcome == "answered"
    for device in (loop, polarity):
        device.device.close()
    factory.close()


def test_a_missed_call_ends_with_its_last_ring(street, environment):
    factory = StreetFactory()
    ring = Sensor(RING_PIN, factory)
    (call,) = run_scenario(street, [{"line": "fxo-1", "kind": "missed", "rings": 2}])
    assert ring.edges[-1][0] + utc_offset_s() == pytest.approx(call.end_utc_ms / 1000, abs=0.1)
    assert (call.outcome, call.number, call.answered_utc_ms) == ("missed", None, None)
    ring.device.close()
    factory.close()


def test_a_call_that_is_answered_before_its_caller_id_has_no_number(street, environment):
    plan = {"line": "fxo-1", "kind": "answered", "number": "13800550123"}
    (before,) = run_scenario(street, [plan | {"answer_after_s": 0.8}])
    assert (before.number, before.presentation) == (None, "unknown")
    (amid,) = run_scenario(street, [plan | {"answer_after_s": 2.0}])
    assert (amid.number, amid.presentation) == (None, "unknown")


def test_bouncing_contacts_really_bounce(street, environment):
    factory = StreetFactory()
    loop = Sensor(LOOP_PIN, factory)
    run_scenario(street, [{"line": "fxo-1", "kind": "answered", "answer_after_s": 0.5, "bounce": True}])
    assert len(loop.edges) > 10
    loop.device.close()
    factory.close()


def test_a_pulled_sound_device_is_gone_and_comes_back(street, environment):
    ear = Ear("street_fxo2")
    time.sleep(0.5)
    order(street / "street.sock", "pull", what="sound", line="fxo-2")
    ear.join(5)
    assert ear.error is not None
    with pytest.raises(alsaaudio.ALSAAudioError):
        open_capture("street_fxo2")
    order(street / "street.sock", "put_back", what="sound", line="fxo-2")
    again = Ear("street_fxo2")
    time.sleep(3)
    assert len(again.heard()) > 4000


def test_a_sim_line_whose_box_does_not_answer_is_trouble_in_the_log(street, environment):
    (call,) = run_scenario(street, [{"line": "sim-1", "kind": "rejected", "number": "1", "answer_after_s": 0.5}])
    assert "no recorder listens" in (call.trouble or "")


def test_orders_that_make_no_sense_are_refused(street):
    with pytest.raises(StreetError, match="this street has fxo-1"):
        order(street / "street.sock", "run", scenario={"name": "x", "calls": [{"line": "fxo-9", "kind": "missed"}]})
    with pytest.raises(StreetError, match="does not know"):
        order(street / "street.sock", "dance")
    with pytest.raises(StreetError, match="can be pulled"):
        order(street / "street.sock", "pull", what="module", line="fxo-1")
    assert (street / "street.sock").exists()
