"""Both voices of calls over families whose sound comes through a card, on the right channels, by their content."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import alsaaudio
import numpy as np
import pytest

from bench.null_sinks import NullSinks
from firmware.clock import SystemClock
from firmware.events import CallEnded, LineUp
from firmware.model import ChannelRole, LineId
from firmware.modem.card_voice import CardVoice
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.sim import CallMarked, Mark
from firmware.worker import Worker
from simulator.module_codec import CodecPorts
from simulator.sim_module import Quirks, SimModule
from tests.modem.conftest import Listener, Log, eventually
from tests.modem.test_sound import channels, pitch_hz, tone

from .conftest import Bench

CARDS = ("a7670", "ec25", "m95", "sim800")
"""Analog pins with a codec, and the EC25 as the USB sound card that it can be."""
FAR_HZ = (500, 700, 900, 1300, 1500)
NEAR_HZ = {"a7670": 1000, "ec25": 1100, "m95": 1200, "sim800": 1600}
SINKS = 4
"""Of each module: what it says, what is played into it, the handset's microphone, its earpiece."""

_AT_ONCE = 2
"""Each has seven threads that must not be late, on a machine that runs other tests too."""

pytestmark = pytest.mark.sound


@pytest.fixture(scope="module")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NullSinks]:
    sinks = NullSinks(tmp_path_factory.mktemp("cards"), lines=SINKS * len(CARDS))
    sinks.start()
    before = os.environ.get("ALSA_CONFIG_PATH")
    os.environ["ALSA_CONFIG_PATH"] = str(sinks.alsa_config)
    yield sinks
    if before is None:
        del os.environ["ALSA_CONFIG_PATH"]
    else:
        os.environ["ALSA_CONFIG_PATH"] = before
    sinks.stop()


class Person:
    """Hums into the handset's microphone until `close`."""

    def __init__(self, device: str, hz: float) -> None:
        self._worker = Worker(f"person-{hz}", lambda stop: self._hum(stop, device, hz))
        self._worker.start()

    @staticmethod
    def _hum(stop, device: str, hz: float) -> None:
        pcm = alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK, device=device, rate=8000, channels=1, format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=800, periods=4,
        )  # fmt: skip
        second = tone(hz, 1.0)
        while not stop.is_set():
            for n in range(10):
                pcm.write(second[1600 * n : 1600 * (n + 1)])
        pcm.close()

    def close(self) -> None:
        self._worker.stop(30.0)


@contextmanager
def desk(model: str, quirks: Quirks | None = None) -> Iterator[Bench]:
    """A module with its card, the line on it, and a person at the handset."""
    first = SINKS * CARDS.index(model)
    with tempfile.TemporaryDirectory() as folder:
        ports = lambda: CodecPorts(Path(folder) / "at", to_box=f"play:{first}", from_box=f"line:{first + 1}")  # noqa: E731
        module = SimModule("sim-1", folder, quirks or Quirks(boot_s=0.05, ring_every_s=1.6), ports=ports, model=model)
        with module:
            options = AtModemOptions(
                at_port=str(Path(folder) / "at"), audio_device=f"line:{first}", audio_playback=f"play:{first + 1}",
                handset_capture=f"line:{first + 2}", handset_playback=f"play:{first + 3}",
            )  # fmt: skip
            log = Log()
            line = AtModemLine(LineId("sim-1"), options, log, SystemClock())
            line.start()
            person = Person(f"play:{first + 2}", NEAR_HZ[model])
            try:
                log.wait(LineUp, within_s=60)
                yield Bench(model, module, line, log)
            finally:
                person.close()
                line.stop()


def on_all(scenario: Callable[[Bench], None], models: tuple[str, ...] = CARDS) -> None:
    def one(model: str) -> None:
        with desk(model) as b:
            scenario(b)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = {model: pool.submit(one, model) for model in models}
    wrong = {model: error for model, result in results.items() if (error := result.exception()) is not None}
    assert not wrong, "\n".join(f"{model}: {error!r}" for model, error in wrong.items())


def near(heard: bytes, hz: float) -> bool:
    return len(heard) > 16000 and abs(pitch_hz(np.frombuffer(heard[: len(heard) & ~1], dtype="<i2")) - hz) <= 4


def both_voices(b: Bench, listener: Listener, call: int, seconds: float) -> None:
    """The far side alone is on channel 0, the near side alone on channel 1 and in the far side's ear."""
    far_hz, near_hz = FAR_HZ[call % len(FAR_HZ)], NEAR_HZ[b.model]
    b.take_call()
    before = listener.heard_bytes
    b.module.downlink(tone(far_hz, seconds + 10))
    eventually(lambda: listener.heard_bytes - before > (seconds + 1) * 8000 * 4, within_s=seconds * 2 + 60)

    def heard() -> tuple[float, float]:
        far, own = channels(listener.pcm[before:])
        return pitch_hz(far), pitch_hz(own)

    eventually(lambda: np.allclose(heard(), (far_hz, near_hz), atol=4), within_s=60)
    eventually(lambda: near(b.module.uplink_heard(), near_hz), within_s=60)
    b.module.remote_hangs_up()
    b.log.wait(CallEnded, count=call + 1)


def calls_with_sound(b: Bench, calls: int, seconds: float) -> None:
    listener = Listener(b.line)
    assert listener.source.roles == (ChannelRole.REMOTE, ChannelRole.LOCAL)
    try:
        for call in range(calls):
            both_voices(b, listener, call, seconds)
            listener.blocks.clear()
        assert listener.error is None
        print(f"{b.model}: {calls} calls of {seconds:.0f} s through a card, both voices in each")
    finally:
        listener.close()


def test_five_calls_through_a_card_have_both_voices_on_their_channels(sinks: NullSinks) -> None:
    on_all(lambda b: calls_with_sound(b, 5, 2.0))


def test_the_handset_hears_the_far_side_and_nothing_is_played_between_calls(sinks: NullSinks) -> None:
    with desk("sim800") as b:
        listener = Listener(b.line)
        try:
            both_voices(b, listener, 0, 1.0)
            assert isinstance(listener.source, CardVoice)
            after = listener.heard_bytes
            eventually(lambda: listener.heard_bytes - after > 3 * 8000 * 4, within_s=60)
            assert not channels(listener.pcm)[1][-8000:].any(), "between calls nobody is heard by the far side"
        finally:
            listener.close()


def test_a_usb_sound_card_that_stays_silent_is_armed_again_in_the_call(sinks: NullSinks) -> None:
    with desk("ec25", Quirks(boot_s=0.05, ring_every_s=1.6, pcm_stuck=1)) as b:
        listener = Listener(b.line)
        try:
            both_voices(b, listener, 0, 1.0)
            assert b.log.wait(CallMarked).mark is Mark.SOUND_REARMED
            assert [text for text in b.module.commands if "QPCMV=1,2" in text] == [
                "AT+QPCMV=0;+QPCMV=1,2;A",
                "AT+QPCMV=1,2",
            ]
        finally:
            listener.close()


def test_a_card_that_cannot_be_played_into_is_recorded_all_the_same(sinks: NullSinks) -> None:
    source = CardVoice("sim-1", capture="line:0", playback="no_such_device", clock=SystemClock())
    source.open()
    try:
        source.call_is_up(True)
        block = source.read()
        while block is None:
            block = source.read()
        assert block.frames >= 800
        assert not channels(block.pcm)[1].any(), "what was not played was not heard by anybody"
    finally:
        source.close()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_hundred_calls_through_a_card_with_ten_seconds_of_sound_each(sinks: NullSinks) -> None:
    calls = int(os.environ.get("SOAK_SOUND_CALLS", "100"))
    on_all(lambda b: calls_with_sound(b, calls, 10.0))
