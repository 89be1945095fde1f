"""The ALSA source on real (simulated) devices: format, pace, overruns, a device that goes and comes back."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alsaaudio
import numpy as np
import pytest

from bench.null_sinks import NullSinks
from firmware.audio.alsa_source import AlsaSource
from firmware.audio.shared_card import card_source
from firmware.audio.stamping import RateGuard, Stamper
from firmware.errors import AudioDeviceError
from firmware.model import ChannelRole, Instant
from firmware.ports import AudioSource, Block, Clock
from tests.audio.world import START

pytestmark = pytest.mark.sound

_REMAP = "load-module module-remap-sink master=pair channels=1 channel_map=mono remix=no"
PAIR = f"""
load-module module-null-sink sink_name=pair rate=8000 channels=2 format=s16le
{_REMAP} sink_name=left master_channel_map=front-left
{_REMAP} sink_name=right master_channel_map=front-right
load-module module-sine sink=left frequency=700
load-module module-sine sink=right frequency=1100
"""


@pytest.fixture(scope="module")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NullSinks]:
    """Two lines of one channel each, and ``pair``, a card with two channels."""
    folder = tmp_path_factory.mktemp("pulse")
    made = NullSinks(folder, lines=2, tone=True, script=PAIR)
    made.start()
    with made.alsa_config.open("a") as config:
        config.write(f'pcm.pair {{ type pulse server "unix:{folder}/pulse.sock" device "pair.monitor" }}\n')
    # ALSA reads its configuration once per process.
    before = os.environ.get("ALSA_CONFIG_PATH")
    os.environ["ALSA_CONFIG_PATH"] = str(made.alsa_config)
    yield made
    made.stop()
    if before is None:
        del os.environ["ALSA_CONFIG_PATH"]
    else:
        os.environ["ALSA_CONFIG_PATH"] = before


WATCH = """
import time
from firmware.audio.alsa_source import AlsaSource
from firmware.errors import AudioDeviceError
source = AlsaSource("line:0")
source.open()
print("open", flush=True)
try:
    while True:
        source.read()
except AudioDeviceError as error:
    print(time.monotonic(), error, flush=True)
source.close()
"""


def in_a_process(sinks: NullSinks, script: str) -> str:
    """Runs ``script`` with the devices, in a process of its own: ALSA's configuration is cached per process."""
    head = (
        "import sys, time\nfrom firmware.audio.alsa_source import AlsaSource\nfrom firmware.errors import *\n"
        "from firmware.audio.shared_card import card_source\nimport numpy as np\n"
        "def hz(pcm, rate=8000):\n"
        "    x = np.frombuffer(pcm, '<i2').astype(float)\n"
        "    return round(np.argmax(np.abs(np.fft.rfft(x * np.hanning(len(x)), 65536))) * rate / 65536)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + script],
        env=sinks.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_line_hears_its_own_tone_at_the_right_pace(sinks: NullSinks) -> None:
    out = in_a_process(
        sinks,
        "for n in (0, 1):\n"
        "    s = AlsaSource(f'line:{n}'); s.open(); blocks = [s.read() for _ in range(15)]; s.close()\n"
        "    pairs = zip(blocks[5:], blocks[6:])\n"
        "    jumps = [abs((b.at.boot_ns - a.at.boot_ns) / 1e9 - a.frames / 8000) for a, b in pairs]\n"
        "    print(hz(b''.join(b.pcm for b in blocks)), max(jumps) < 0.02, {b.lost_frames for b in blocks})\n",
    )
    tones = [line.split() for line in out.splitlines()]
    assert abs(int(tones[0][0]) - 300) <= 2
    assert abs(int(tones[1][0]) - 350) <= 2
    assert [line[1:] for line in tones] == [["True", "{0}"]] * 2


def test_missing_device_says_what_to_do(sinks: NullSinks) -> None:
    out = in_a_process(sinks, "try: AlsaSource('nowhere').open()\nexcept AudioDeviceError as error: print(error)\n")
    assert "nowhere cannot be opened" in out
    assert "arecord -L" in out


def test_device_that_dies_is_gone_within_two_seconds(tmp_path: Path) -> None:
    sinks = NullSinks(tmp_path / "p", lines=1)
    sinks.start()
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WATCH,
        ],
        env=sinks.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    time.sleep(0.5)
    sinks.stop()
    died = time.monotonic()
    when, _, message = child.stdout.readline().partition(" ")
    assert float(when) - died < 2.0
    assert "is gone" in message
    assert child.wait(5) == 0


def test_frozen_device_is_gone_within_two_seconds(tmp_path: Path) -> None:
    """A sound server that stops answering: no error ever comes from ALSA, only nothing."""
    sinks = NullSinks(tmp_path / "p", lines=1)
    sinks.start()
    out_of_order = (
        "import os, signal, time\nfrom firmware.audio.alsa_source import AlsaSource\nfrom firmware.errors import *\n"
        "s = AlsaSource('line:0'); s.open(); s.read()\n"
        f"os.kill({sinks.pid}, signal.SIGSTOP); began = time.monotonic()\n"
        "try:\n    while True: s.read()\n"
        "except AudioDeviceError as error: print(round(time.monotonic() - began, 2), error, flush=True)\n"
        f"os.kill({sinks.pid}, signal.SIGCONT); s.close()\n"
    )
    try:
        out = in_a_process(sinks, out_of_order)
    finally:
        sinks.stop()
    seconds, _, message = out.partition(" ")
    assert float(seconds) < 2.1
    assert "delivered nothing" in message


def test_reader_that_sleeps_misses_nothing_that_the_sound_server_kept(sinks: NullSinks) -> None:
    """ALSA's pulse plugin keeps seconds of sound: fetched late is not lost, and no gap may be made up."""
    out = in_a_process(
        sinks,
        "s = AlsaSource('line:0'); s.open(); last = [s.read(), s.read()][1]; began = time.monotonic(); time.sleep(4)\n"
        "blocks = []\n"
        "while time.monotonic() < began + 6: blocks.append(s.read())\n"
        "blocks = [b for b in blocks if b]\n"
        "late = [(b.at.boot_ns - a.at.boot_ns) / 1e9 - a.frames / 8000 for a, b in zip([last, *blocks], blocks)]\n"
        "print(sum(b.frames for b in blocks), sum(b.lost_frames for b in blocks), max(map(abs, late)))\n",
    )
    came, lost, jump_s = map(float, out.split())
    assert came == pytest.approx(6 * 8000, abs=0.6 * 8000)
    assert lost == 0
    assert jump_s < 0.05


class OverrunningCard:
    """What pyalsaaudio's PCM does on a card with a buffer of one second that nobody empties in time (EPIPE)."""

    def __init__(self, *_args: object, **options: Any) -> None:
        self._rate, self._period = options["rate"], options["periodsize"]
        self._buffer = self._period * options["periods"]
        self._ready, self._other_end = os.pipe()
        os.write(self._other_end, b"!")
        self._taken: float | None = None
        self.restarted_s = 0.0

    def info(self) -> dict[str, Any]:
        return {"rate": self._rate, "channels": 1, "format_name": "S16_LE"}

    def polldescriptors(self) -> list[tuple[int, int]]:
        return [(self._ready, select.POLLIN)]

    def read(self) -> tuple[int, bytes]:
        now = time.monotonic() * self._rate
        if self._taken is None:
            self._taken = now
            return 0, b""
        if now - self._taken > self._buffer:
            self._taken, self.restarted_s = now, time.monotonic()
            return -32, b""
        if now - self._taken < self._period:
            return 0, b""
        self._taken += self._period
        return self._period, bytes(2 * self._period)

    def close(self) -> None:
        os.close(self._ready)
        os.close(self._other_end)


def test_overrun_is_told_at_its_place_with_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card is a stand-in for one that can overrun; snd-aloop is the only real one without a telephone."""
    monkeypatch.setattr(alsaaudio, "PCM", OverrunningCard)
    source = AlsaSource("card")
    source.open()
    before = [source.read() for _ in range(3)]
    assert all(block is not None and block.lost_frames == 0 for block in before)
    last = before[-1]
    assert last is not None
    time.sleep(1.6)
    after = [source.read() for _ in range(4)]
    source.close()
    assert [block is not None and block.lost_frames > 0 for block in after] == [True, False, False, False]
    first = after[0]
    assert first is not None
    hole_s = first.at.seconds_since(last.at) - last.frames / 8000
    assert first.lost_frames / 8000 == pytest.approx(hole_s, abs=0.001)
    assert hole_s == pytest.approx(1.6, abs=0.15)


def test_two_lines_share_a_card(sinks: NullSinks) -> None:
    out = in_a_process(
        sinks,
        "import threading\nheard = {}\n"
        "def line(n):\n"
        "    s = card_source('pair', device_channels=2, take=(n,)); s.open(); out = b''\n"
        "    while len(out) < 32000:\n"
        "        block = s.read(); out += block.pcm if block else b''\n"
        "    s.close(); heard[n] = hz(out)\n"
        "t = [threading.Thread(target=line, args=(n,)) for n in (0, 1)]\n"
        "[x.start() for x in t]; [x.join() for x in t]\nprint(heard[0], heard[1])\n",
    )
    tones = [int(each) for each in out.split()]
    assert abs(tones[0] - 700) <= 2
    assert abs(tones[1] - 1100) <= 2


def test_wrong_channel_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="one channel for each"):
        AlsaSource("x", roles=(ChannelRole.MIXED,), device_channels=2, take=(2,))
    with pytest.raises(ValueError, match="one channel for each"):
        card_source("x", device_channels=1, take=(0, 1))
    with pytest.raises(ValueError, match="11025"):
        AlsaSource("x", rate_hz=11025)


def arrivals(rate_hz: float, *, seconds: float, stall_at_s: float | None = None) -> list[tuple[int, Instant]]:
    """When blocks of 1600 frames arrive from a device that runs at ``rate_hz``; a stalled reader gets them late."""
    out = []
    for n in range(int(seconds * rate_hz / 1600)):
        at_s = (n + 1) * 1600 / rate_hz
        if stall_at_s is not None and stall_at_s <= at_s < stall_at_s + 0.8:
            at_s = stall_at_s + 0.8
        out.append((1600, START.plus_s(at_s)))
    return out


@pytest.mark.parametrize(
    ("really_hz", "within_s"), [(16000, 3.0), (48000, 3.0), (8800, 24.0), (7200, 24.0), (4000, 5.0)]
)
def test_device_that_lies_about_its_rate_is_caught(really_hz: float, within_s: float) -> None:
    guard = RateGuard(8000)
    caught = [
        (moment.seconds_since(START), rate)
        for frames, moment in arrivals(really_hz, seconds=30)
        if (rate := guard.wrong_rate_hz(frames, moment)) is not None
    ]
    assert caught
    assert caught[0][0] <= within_s
    assert abs(caught[0][1] / really_hz - 1) < 0.05


@pytest.mark.parametrize("really_hz", [7990, 8000, 8010, 8200])
def test_honest_device_with_a_stalled_reader_is_believed(really_hz: float) -> None:
    guard = RateGuard(8000)
    blocks = arrivals(really_hz, seconds=60, stall_at_s=5.4)
    assert all(guard.wrong_rate_hz(frames, moment) is None for frames, moment in blocks)


def test_stamps_do_not_follow_a_stalled_reader() -> None:
    stamper = Stamper(8000)
    stamps = [stamper.stamp(frames, moment) for frames, moment in arrivals(8000, seconds=20, stall_at_s=5.4)]
    worst = max(abs(at.seconds_since(START) - n * 0.2) for n, (at, _lost) in enumerate(stamps))
    assert worst < 0.002
    assert {lost for _at, lost in stamps} == {0}


def test_reader_stalled_for_longer_than_ten_blocks_makes_up_no_gap() -> None:
    stamper = Stamper(8000)
    blocks = [(frames, START.plus_s(max(at.seconds_since(START), 9.0))) for frames, at in arrivals(8000, seconds=20)]
    on_time, stalled = arrivals(8000, seconds=5), blocks[25:]
    stamps = [stamper.stamp(frames, moment) for frames, moment in on_time + stalled]
    assert {lost for _at, lost in stamps} == {0}
    assert max(abs(at.seconds_since(START) - n * 0.2) for n, (at, _lost) in enumerate(stamps)) < 0.003


def test_frames_that_vanished_without_a_word_are_counted() -> None:
    stamper = Stamper(8000)
    blocks = arrivals(8000, seconds=4) + [(1600, START.plus_s(4 + 3 + 0.2 * n)) for n in range(1, 20)]
    lost = sum(stamper.stamp(frames, moment)[1] for frames, moment in blocks)
    assert abs(lost - 3 * 8000) < 100


def read_five(source: AudioSource) -> None:
    for _ in range(5):
        source.read()


def test_one_line_stops_and_the_other_goes_on() -> None:
    """On a shared card a line that leaves and comes back does not disturb its neighbour."""

    class Card:
        rate_hz = 8000
        roles = (ChannelRole.MIXED,) * 2

        def __init__(self) -> None:
            self.opened = 0
            self.gone = False

        def open(self) -> None:
            self.gone = False
            self.opened += 1

        def read(self) -> Block | None:
            if self.gone:
                raise AudioDeviceError("unplugged")
            time.sleep(0.01)
            return Block(pcm=np.array([[1, 2]] * 80, "<i2").tobytes(), frames=80, at=START)

        def close(self) -> None: ...

    from firmware.audio.shared_card import CardSource, _Card  # noqa: PLC0415

    card = Card()
    shared = _Card(lambda _clock: card)
    mixed = (ChannelRole.MIXED,)
    one, two = (CardSource(shared, rate_hz=8000, channels=2, take=(n,), roles=mixed, clock=None) for n in (0, 1))
    one.open()
    two.open()
    for source, value in ((one, 1), (two, 2), (one, 1), (two, 2)):
        block = source.read()
        assert block is not None
        assert set(np.frombuffer(block.pcm, "<i2")) == {value}
    one.close()
    assert two.read() is not None
    one.open()
    assert card.opened == 1
    card.gone = True
    for source in (one, two):
        with pytest.raises(AudioDeviceError):
            read_five(source)
        source.close()
    two.open()
    one.open()
    assert card.opened == 2
    assert one.read() is not None


def test_a_card_stamps_in_the_time_of_the_line_that_opens_it() -> None:
    """A card may outlive the line it was made for; with its clock every decoder would look in the wrong place."""

    class Card:
        rate_hz = 8000
        roles = (ChannelRole.MIXED,)

        def __init__(self, clock: Clock | None) -> None:
            self.clock = clock

        def open(self) -> None: ...

        def read(self) -> Block | None:
            assert self.clock is not None
            return Block(pcm=b"\0\0" * 80, frames=80, at=self.clock.now())

        def close(self) -> None: ...

    class Standing:
        def __init__(self, at: Instant) -> None:
            self._at = at

        def now(self) -> Instant:
            return self._at

    from firmware.audio.shared_card import CardSource, _Card  # noqa: PLC0415

    made: list[Card] = []

    def make(clock: Clock | None) -> Card:
        made.append(Card(clock))
        return made[-1]

    shared = _Card(make)
    before, after = (Standing(START.plus_s(seconds)) for seconds in (1000, 0))
    for clock, cards in ((before, 1), (before, 1), (after, 2)):
        line = CardSource(shared, rate_hz=8000, channels=1, take=(0,), roles=(ChannelRole.MIXED,), clock=clock)
        line.open()
        block = line.read()
        line.close()
        assert block is not None
        assert block.at == clock.now()
        assert len(made) == cards, "a source that stays remembers that its device lied about the rate"
