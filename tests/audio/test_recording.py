"""Which frames are in a recording, to the sample, whatever the orders and the device do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from firmware.audio.playback import read_sound, verify_chain
from firmware.effects import Hearing, ListenFor
from firmware.events import DigitDialled, LineEvent
from firmware.model import ChannelRole
from firmware.ports import (
    Block,
    Gap,
    GapCause,
    Levels,
    RecordingClosed,
    RecordingFailed,
    RecordingOpened,
    RecordingSealed,
    SoundBack,
    SoundHeard,
    SoundLost,
    SoundSilent,
)
from tests.audio.world import LINE, START, ScriptedSource, Studio, ramp, silence

Make = Callable[..., Studio]
RATE = 8000


def frames(first_s: float, last_s: float) -> np.ndarray:
    """The samples that the scripted device gave between two moments."""
    return ramp(round(first_s * RATE), round((last_s - first_s) * RATE))


def test_begins_with_the_preroll_and_ends_where_the_call_ended(studio: Make) -> None:
    it = studio(preroll_s=5.0)
    it.source.play(8.0)
    it.settle()
    it.start(7.03)
    it.source.play(4.0)
    it.settle()
    it.stop(10.55)
    closed = it.ear.wait(RecordingClosed)
    assert np.array_equal(it.raw()[:, 0], frames(2.03, 10.55))
    assert closed.frames == round(8.52 * RATE)
    assert closed.gaps == ()
    assert not closed.cut_short
    opened = it.ear.wait(RecordingOpened)
    assert abs(opened.at.seconds_since(START) - 2.03) < 1e-4
    assert opened.rate_hz == RATE


def test_a_late_start_order_loses_nothing(studio: Make) -> None:
    it = studio(preroll_s=2.0)
    it.source.play(20.0)
    it.settle()
    it.start(16.0)  # four seconds ago
    it.stop(19.0)
    it.ear.wait(RecordingClosed)
    assert np.array_equal(it.raw()[:, 0], frames(14.0, 19.0))


def test_no_preroll_begins_at_the_order(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.source.play(3.0)
    it.settle()
    it.start(2.5)
    it.stop(3.0)
    it.ear.wait(RecordingClosed)
    assert np.array_equal(it.raw()[:, 0], frames(2.5, 3.0))


def test_start_order_ahead_of_the_sound_waits_for_it(studio: Make) -> None:
    it = studio(preroll_s=1.0)
    it.start(5.0)
    it.source.play(7.0)
    it.stop(6.0)
    it.ear.wait(RecordingClosed)
    assert np.array_equal(it.raw()[:, 0], frames(4.0, 6.0))


def test_stop_waits_for_the_sound_before_it(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    it.stop(2.0)
    time.sleep(0.6)
    assert not it.ear.heard(RecordingClosed)
    it.source.play(1.5)
    it.ear.wait(RecordingClosed)
    assert np.array_equal(it.raw()[:, 0], frames(0.0, 2.0))


def test_stop_does_not_wait_for_ever(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    it.stop(2.0)
    it.settle()
    assert not it.ear.heard(RecordingClosed)
    it.clock.move_to(5.0)
    closed = it.ear.wait(RecordingClosed)
    assert closed.frames == RATE


def test_second_call_holds_no_sound_of_the_first(studio: Make) -> None:
    it = studio(preroll_s=5.0)
    it.source.play(6.0)
    it.settle()
    it.start(2.0)
    it.stop(6.0)
    it.ear.wait(RecordingClosed)
    it.source.play(3.0)
    it.settle()
    it.start(7.0, part=2)
    it.stop(9.0, part=2)
    it.ear.wait(RecordingClosed, count=2)
    assert np.array_equal(it.raw(2)[:, 0], frames(6.0, 9.0))


def test_two_channels_stay_apart(studio: Make) -> None:
    source = ScriptedSource(roles=(ChannelRole.REMOTE, ChannelRole.LOCAL))
    it = studio(source=source, preroll_s=0.0, confirm=True)
    source.play(2.0)
    it.settle()
    it.start(0.0)
    it.stop(2.0)
    sealed = it.ear.wait(RecordingSealed)
    sound, rate_hz = read_sound(it.data_dir / sealed.flac.path)
    assert rate_hz == RATE
    assert sound.shape == (2 * RATE, 2)
    assert np.array_equal(sound[:, 1], frames(0.0, 2.0))


def test_sixteen_kilohertz_stays_sixteen_kilohertz(studio: Make) -> None:
    source = ScriptedSource(rate_hz=16000)
    it = studio(source=source, preroll_s=1.0, confirm=True)
    source.play(3.0)
    it.settle()
    it.start(2.0)
    it.stop(3.0)
    sealed = it.ear.wait(RecordingSealed)
    sound, rate_hz = read_sound(it.data_dir / sealed.flac.path)
    assert rate_hz == 16000
    assert np.array_equal(sound[:, 0], ramp(16000, 32000))


def test_sealed_recording_proves_itself_and_the_raw_file_goes(studio: Make) -> None:
    it = studio(preroll_s=0.0, confirm=True)
    it.source.play(3.5)
    it.settle()
    it.start(0.0)
    it.stop(3.5)
    sealed = it.ear.wait(RecordingSealed)
    flac = it.data_dir / sealed.flac.path
    chain = flac.with_suffix(".chain.jsonl")
    assert verify_chain(flac, chain) is None
    it.close()
    assert list((it.data_dir / "spool").iterdir()) == []
    assert it.ear.wait(RecordingClosed).chain_head in chain.read_text()
    assert sorted(path.suffix for path in flac.parent.iterdir()) == [".flac", ".json", ".jsonl", ".opus"]


def test_raw_file_stays_until_the_database_knows(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.source.play(1.0)
    it.start(0.0)
    it.stop(1.0)
    it.ear.wait(RecordingSealed)
    assert it.raw().shape == (RATE, 1)


def test_overrun_is_a_gap_with_its_place_and_length(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(2.0)
    it.source.play(1.0, lost_s=0.25)
    it.stop(3.25)
    closed = it.ear.wait(RecordingClosed)
    assert closed.gaps == (Gap(2 * RATE, 250, GapCause.OVERRUN),)
    assert np.array_equal(it.raw()[:, 0], np.concatenate([frames(0, 2), frames(2.25, 3.25)]))


def test_card_that_stalls_for_longer_than_the_queue_is_a_gap(studio: Make) -> None:
    card_works_again = threading.Event()

    class Stalled(DigitEar):
        def hear(self, block: Block) -> Sequence[LineEvent]:
            card_works_again.wait(20.0)  # on the file thread, where a stalled write would wait too
            return ()

    it = studio(listener=Stalled(), preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    time.sleep(0.3)
    it.source.play(39.0)
    until_read(it)
    card_works_again.set()
    it.settle()
    it.source.play(3.0)
    it.settle()
    it.stop(42.0)
    closed = it.ear.wait(RecordingClosed)
    (gap,) = closed.gaps
    assert gap.cause is GapCause.QUEUE_FULL
    assert gap.missing_ms is not None
    assert 7_000 <= gap.missing_ms <= 10_000, "40 s came, the queue holds 30 s"
    assert closed.frames / RATE == pytest.approx(42.0 - gap.missing_ms / 1000, abs=0.01)
    kept = it.raw()[:, 0]
    assert np.array_equal(kept[: gap.at_frame], frames(0, 40)[: gap.at_frame]), "what came before is untouched"


def until_read(it: Studio) -> None:
    """The capture thread took everything that the device had."""
    end = time.monotonic() + 20.0
    while it.source.waiting_blocks and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.3)


def test_hole_that_nobody_announced_is_a_gap(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.source.skip(1.5)
    it.source.play(1.0)
    it.stop(3.5)
    assert it.ear.wait(RecordingClosed).gaps == (Gap(RATE, 1500, GapCause.DEVICE_LOST),)


def test_device_pulled_in_the_call_and_back_again(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    it.source.vanish()
    lost = it.ear.wait(SoundLost)
    assert "unplugged" in lost.reason
    it.source.come_back(after_s=4.0)
    it.ear.wait(SoundBack, count=2)
    it.source.play(1.0)
    it.stop(6.0)
    closed = it.ear.wait(RecordingClosed)
    assert closed.gaps == (Gap(RATE, 4000, GapCause.DEVICE_LOST),)
    assert np.array_equal(it.raw()[:, 0], np.concatenate([frames(0, 1), frames(5, 6)]))


def test_device_pulled_until_the_end_of_the_call(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    it.source.vanish()
    it.ear.wait(SoundLost)
    it.stop(9.0)
    closed = it.ear.wait(RecordingClosed)
    assert closed.gaps == (Gap(RATE, 8000, GapCause.DEVICE_LOST),)


def test_device_that_comes_in_mid_call_is_recorded_from_there(studio: Make) -> None:
    source = ScriptedSource()
    source.present = False
    it = studio(source=source, preroll_s=5.0)
    it.ear.wait(SoundLost)
    it.clock.move_to(1.0)
    it.start(1.0)
    source.come_back(after_s=3.0)
    source.play(2.0)
    it.ear.wait(RecordingOpened)
    it.stop(5.0)
    closed = it.ear.wait(RecordingClosed)
    assert closed.gaps == (Gap(0, 2000, GapCause.DEVICE_LOST),)
    assert np.array_equal(it.raw()[:, 0], frames(3.0, 5.0))


def test_no_sound_at_all_is_told_and_not_raised(studio: Make) -> None:
    source = ScriptedSource()
    source.present = False
    it = studio(source=source)
    it.ear.wait(SoundLost)
    it.start(1.0)
    it.stop(2.0)
    failed = it.ear.wait(RecordingFailed)
    assert failed.cause is GapCause.DEVICE_LOST
    assert "not plugged in" in failed.reason
    assert not it.ear.heard(RecordingClosed)


def test_line_without_a_source_fails_politely(studio: Make) -> None:
    it = studio()
    it.recorder.remove_line(LINE)
    it.start(0.0)
    assert "no sound device" in it.ear.wait(RecordingFailed).reason


def test_read_that_never_returns_is_noticed(studio: Make) -> None:
    it = studio()
    it.ear.wait(SoundBack)
    it.source.hangs.set()
    began = time.monotonic()
    lost = it.ear.wait(SoundLost)
    assert time.monotonic() - began < 3.0
    assert "has not answered" in lost.reason
    it.source.hangs.clear()
    it.ear.wait(SoundBack, count=2)


def test_silence_in_a_call_is_noticed_within_three_seconds(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(2.0)
    it.source.play(2.8, sound=silence)
    it.settle()
    assert not it.ear.heard(SoundSilent)
    it.source.play(0.7, sound=silence)
    it.ear.wait(SoundSilent)
    it.source.play(1.0)
    it.ear.wait(SoundHeard)


def test_no_bytes_in_a_call_are_noticed(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    it.clock.move_to(5.0)
    it.ear.wait(SoundSilent)
    it.source.skip(4.0)
    it.source.play(1.0)
    it.ear.wait(SoundHeard)


def test_levels_come_five_times_a_second(studio: Make) -> None:
    it = studio()
    it.source.play(2.0, sound=lambda _first, n: np.full(n, 16384) * np.where(np.arange(n) % 2, 1, -1))
    it.settle()
    levels = it.ear.heard(Levels)
    assert len(levels) == 10
    assert levels[0].rms_dbfs == (-6.0,)
    assert levels[0].peak_dbfs == (-6.0,)


class DigitEar:
    """A decoder: says ``5`` when it hears a full-scale sample after it was told to listen."""

    def __init__(self) -> None:
        self.what = Hearing.NOTHING

    def order(self, order: ListenFor) -> None:
        self.what = order.what

    def hear(self, block: Block) -> Sequence[LineEvent]:
        if self.what is Hearing.DIGITS and 32767 in np.frombuffer(block.pcm, dtype="<i2"):
            return [DigitDialled(line=LINE, at=block.at, digit="5")]
        return []


def test_listener_hears_in_order_and_its_events_go_out(studio: Make) -> None:
    it = studio(listener=DigitEar())
    loud = lambda _first, n: np.full(n, 32767)  # noqa: E731
    it.source.play(0.1, sound=loud)
    it.settle()
    it.recorder.listen(ListenFor(line=LINE, what=Hearing.DIGITS, at=START))
    it.source.play(0.1, sound=loud)
    it.settle()
    assert [event.digit for event in it.ear.events if isinstance(event, DigitDialled)] == ["5"]


def test_broken_decoder_does_not_cost_the_recording(studio: Make) -> None:
    class Broken(DigitEar):
        def hear(self, block: Block) -> Sequence[LineEvent]:
            raise ZeroDivisionError

    it = studio(listener=Broken(), preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.stop(1.0)
    assert it.ear.wait(RecordingClosed).frames == RATE


def test_sound_does_not_wait_for_a_slow_decoder(studio: Make) -> None:
    class Slow(DigitEar):
        def hear(self, block: Block) -> Sequence[LineEvent]:
            time.sleep(0.4)
            return super().hear(block)

    it = studio(listener=Slow(), preroll_s=0.0)
    it.start(0.0)
    it.source.play(3.0)  # decoding them takes 12 s
    until_read(it)
    it.source.play(1.0)
    end = time.monotonic() + 4.0
    while (written := len(it.raw())) < 4 * RATE and time.monotonic() < end:
        time.sleep(0.02)
    assert written == 4 * RATE


def test_sound_that_comes_late_is_forced_to_the_card_at_once(studio: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only when as much has come as is forced at a time otherwise."""
    forced: list[int] = []
    fdatasync = os.fdatasync

    def watched(fd: int) -> None:
        fdatasync(fd)
        forced.append(os.fstat(fd).st_size)

    it = studio(listener=DigitEar(), preroll_s=0.0)
    it.start(0.0)
    it.source.play(0.5)
    it.ear.wait(RecordingOpened)
    it.settle()
    monkeypatch.setattr(os, "fdatasync", watched)
    it.clock.move_to(1.5)  # what comes now ended at 0.7
    it.source.play(0.2)
    end = time.monotonic() + 5.0
    while 0.7 * RATE * 2 not in forced and time.monotonic() < end:
        it.recorder.listen(ListenFor(line=LINE, what=Hearing.DIGITS, at=START))  # never idle: then it would be forced
        time.sleep(0.05)
    assert 0.7 * RATE * 2 in forced


def test_a_slow_decoder_hears_everything_in_order_and_its_orders_too(studio: Make) -> None:
    heard: list[int | Hearing] = []

    class Slow(DigitEar):
        def order(self, order: ListenFor) -> None:
            heard.append(order.what)

        def hear(self, block: Block) -> Sequence[LineEvent]:
            time.sleep(0.05)
            heard.append(int(np.frombuffer(block.pcm, dtype="<i2")[0]))
            return ()

    it = studio(listener=Slow(), preroll_s=0.0)
    it.source.play(1.0)
    until_read(it)
    it.recorder.listen(ListenFor(line=LINE, what=Hearing.DIGITS, at=START))
    it.source.play(1.0)
    end = time.monotonic() + 8.0
    while len(heard) < 21 and time.monotonic() < end:
        time.sleep(0.02)
    assert [one for one in heard if isinstance(one, int)] == [n * RATE // 10 for n in range(20)]
    assert heard.index(Hearing.DIGITS) >= 10


def test_a_decoder_slower_than_its_sound_costs_its_own_hearing_and_no_recording(studio: Make) -> None:
    """Orders that wait with the sound it never hears still reach it."""
    goes_on = threading.Event()
    orders: list[Hearing] = []
    blocks: list[Block] = []

    class Stuck(DigitEar):
        def order(self, order: ListenFor) -> None:
            orders.append(order.what)

        def hear(self, block: Block) -> Sequence[LineEvent]:
            blocks.append(block)
            if not goes_on.is_set():
                time.sleep(0.3)
            return ()

    it = studio(listener=Stuck(), preroll_s=0.0)
    it.start(0.0)
    for _ in range(2):
        it.source.play(20.0)
        it.recorder.listen(ListenFor(line=LINE, what=Hearing.DIGITS, at=START))
        it.settle()
    goes_on.set()
    it.stop(40.0)
    closed = it.ear.wait(RecordingClosed)
    assert (closed.frames, closed.gaps) == (40 * RATE, ())
    end = time.monotonic() + 8.0
    while len(orders) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert set(orders) == {Hearing.DIGITS}
    assert len(blocks) < 150


def test_removed_line_closes_its_recording(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    it.recorder.remove_line(LINE)
    assert it.ear.wait(RecordingClosed).frames == RATE


def test_clean_stop_closes_and_seals_what_is_open(studio: Make) -> None:
    it = studio(preroll_s=0.0)
    it.start(0.0)
    it.source.play(2.0)
    it.settle()
    it.close()
    assert it.ear.wait(RecordingClosed, within_s=0).frames == 2 * RATE
    assert it.ear.wait(RecordingSealed, within_s=0)
