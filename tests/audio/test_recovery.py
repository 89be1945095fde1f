"""What a crash or a power cut leaves in the spool becomes a recording; nothing in there is ever thrown away."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from firmware.audio.chain import read_sidecar
from firmware.audio.playback import read_sound, verify_chain
from firmware.audio.recorder import SoundRecorder
from firmware.clock import SystemClock
from firmware.ports import (
    GapCause,
    RecordingClosed,
    RecordingFailed,
    RecordingFound,
    RecordingSealed,
)
from tests.audio.world import CALL, LINE, RECORDING, Ear, Studio, ramp

RATE = 8000


def recover(data_dir: Path, *, confirm: bool = True, within_s: float = 20.0) -> Ear:
    """A start of the recorder on what is in ``data_dir``, until all of it is sealed."""
    ear = Ear()
    recorder = SoundRecorder(ear, SystemClock(), data_dir, "boot-2")
    if confirm:
        ear.confirm = recorder.confirm
    recorder.recover()
    recorder.close(within_s)
    return ear


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A data folder as a kill in mid-call leaves it: 7.3 s of sound, the newest not hashed yet."""
    live = tmp_path / "live"
    it = Studio(live, preroll_s=0.0)
    it.start(0.0)
    it.source.play(7.3)
    it.settle()
    dead = tmp_path / "dead"
    shutil.copytree(live, dead)
    it.close()
    return dead


def raw_of(data_dir: Path) -> Path:
    return data_dir / "spool" / f"{RECORDING}.raw"


def sealed_sound(data_dir: Path, ear: Ear) -> np.ndarray:
    sealed = ear.wait(RecordingSealed, within_s=0)
    flac = data_dir / sealed.flac.path
    assert verify_chain(flac, flac.with_suffix(".chain.jsonl")) is None
    return read_sound(flac)[0][:, 0]


def test_killed_in_the_call(crashed: Path) -> None:
    chunks = read_sidecar(raw_of(crashed).with_suffix(".jsonl").read_bytes()).chunks
    ear = recover(crashed)
    found = ear.wait(RecordingFound, within_s=0)
    assert (found.recording, found.call, found.line, found.part) == (RECORDING, CALL, LINE, 1)
    assert found.boot_id == "boot-1"
    closed = ear.wait(RecordingClosed, within_s=0)
    assert closed.cut_short
    assert np.array_equal(sealed_sound(crashed, ear), ramp(0, closed.frames))
    assert closed.frames == round(7.3 * RATE)
    assert closed.levels[0].peak_dbfs > -1
    assert chunks  # the hashes made while recording are the ones in the sealed chain
    sealed = ear.wait(RecordingSealed, within_s=0)
    kept = read_sidecar((crashed / sealed.flac.path).with_suffix(".chain.jsonl").read_bytes()).chunks
    assert kept[: len(chunks)] == chunks
    assert list((crashed / "spool").iterdir()) == []


def test_torn_frame_and_zero_tail_of_a_power_cut_go(crashed: Path) -> None:
    with raw_of(crashed).open("ab") as raw:
        raw.write(b"\x07" + b"\0" * 4096)
    # The odd byte is indistinguishable from sound: it is in the frame that it began.
    closed = recover(crashed).wait(RecordingClosed, within_s=0)
    assert closed.frames == round(7.3 * RATE) + 1


def test_zero_tail_alone_goes_to_the_sample(crashed: Path) -> None:
    with raw_of(crashed).open("ab") as raw:
        raw.write(b"\0" * 40_001)
    ear = recover(crashed)
    assert np.array_equal(sealed_sound(crashed, ear), ramp(0, round(7.3 * RATE)))


def test_silence_that_was_hashed_stays(tmp_path: Path) -> None:
    live = tmp_path / "live"
    it = Studio(live, preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.source.play(9.0, sound=lambda _first, n: np.zeros(n))
    it.settle()
    dead = tmp_path / "dead"
    shutil.copytree(live, dead)
    it.close()
    hashed = read_sidecar(raw_of(dead).with_suffix(".jsonl").read_bytes()).hashed_frames
    assert hashed >= 5 * RATE
    assert recover(dead).wait(RecordingClosed, within_s=0).frames == hashed


@pytest.mark.parametrize("damage", ["missing", "empty", "zeros", "half a line", "another recording"])
def test_damaged_sidecar_costs_no_sound(crashed: Path, damage: str) -> None:
    sidecar = raw_of(crashed).with_suffix(".jsonl")
    whole = sidecar.read_bytes()
    match damage:
        case "missing":
            sidecar.unlink()
        case "empty":
            sidecar.write_bytes(b"")
        case "zeros":
            sidecar.write_bytes(b"\0" * 500)
        case "half a line":
            sidecar.write_bytes(whole[: whole.rindex(b"link") - 30])
        case _:
            sidecar.write_bytes(whole.replace(RECORDING.encode(), b"20251122T102233123Z-fxo-1.p1"))
    ear = recover(crashed)
    found = ear.wait(RecordingFound, within_s=0)
    assert (found.recording, found.call, found.line, found.part) == (RECORDING, CALL, LINE, 1)
    assert found.at.utc_ms == 1_795_342_953_123
    assert np.array_equal(sealed_sound(crashed, ear), ramp(0, round(7.3 * RATE)))


def test_changed_sound_is_not_hashed_into_truth(crashed: Path) -> None:
    with raw_of(crashed).open("r+b") as raw:
        raw.seek(2 * RATE + 100)  # in second 1
        raw.write(b"\x55\x55")
    ear = recover(crashed)
    sealed = ear.wait(RecordingSealed, within_s=0)
    flac = crashed / sealed.flac.path
    assert verify_chain(flac, flac.with_suffix(".chain.jsonl")) == 1


def test_closed_but_not_sealed_is_not_called_cut_short(tmp_path: Path) -> None:
    it = Studio(tmp_path, preroll_s=0.0)
    it.start(0.0)
    it.source.play(2.0)
    it.stop(2.0)
    first = it.ear.wait(RecordingClosed)
    it.close()
    second = recover(tmp_path).wait(RecordingClosed, within_s=0)
    assert not second.cut_short
    assert (second.frames, second.gaps, second.levels, second.chain_head) == (
        first.frames,
        first.gaps,
        first.levels,
        first.chain_head,
    )


def test_sealed_but_never_confirmed_comes_out_the_same_again(crashed: Path) -> None:
    first = recover(crashed, confirm=False).wait(RecordingSealed, within_s=0)
    ear = recover(crashed)
    assert ear.wait(RecordingClosed, within_s=0).cut_short
    again = ear.wait(RecordingSealed, within_s=0)
    assert (again.flac, again.opus, again.peaks) == (first.flac, first.opus, first.peaks)
    assert list((crashed / "spool").iterdir()) == []


def test_file_without_sound_is_told_and_forgotten(crashed: Path) -> None:
    raw_of(crashed).write_bytes(b"")
    ear = Ear()
    recorder = SoundRecorder(ear, SystemClock(), crashed, "boot-2")
    recorder.recover()
    failed = ear.wait(RecordingFailed)
    assert failed.cause is GapCause.RECORDER_DOWN
    recorder.confirm(failed.recording)
    recorder.close(5.0)
    assert list((crashed / "spool").iterdir()) == []
    assert not ear.heard(RecordingSealed)


def test_garbage_is_set_aside_and_named(crashed: Path) -> None:
    spool = crashed / "spool"
    (spool / "holiday.jpg").write_bytes(b"jpg")
    (spool / "nonsense.raw").write_bytes(b"\1" * 100)
    (spool / "20261122T102233999Z-fxo-2.p1.jsonl").write_bytes(b"{}")
    (spool / "folder.raw").mkdir()
    (spool / f"{CALL}.p7.raw").symlink_to("/etc/passwd")
    recorder = SoundRecorder(Ear(), SystemClock(), crashed, "boot-2")
    findings = recorder.recover()
    recorder.close(10.0)
    assert [path.name for path in findings.recordings] == [raw_of(crashed).name]
    assert sorted(path.name for path in findings.set_aside) == sorted(
        path.name for path in (spool / "unreadable").iterdir()
    )
    assert len(findings.set_aside) == 5
    assert (spool / "unreadable" / "holiday.jpg").read_bytes() == b"jpg"


def test_recordings_of_this_run_are_left_alone(crashed: Path) -> None:
    it = Studio(crashed, preroll_s=0.0, confirm=True)
    it.start(0.0, part=2)
    it.source.play(2.0)
    it.settle()
    findings = it.recorder.recover()
    assert [path.name for path in findings.recordings] == [raw_of(crashed).name]
    it.ear.wait(RecordingSealed)
    it.stop(2.0, part=2)
    it.ear.wait(RecordingSealed, count=2)
    closed = {event.recording: event.cut_short for event in it.ear.heard(RecordingClosed)}
    assert closed == {RECORDING: True, f"{CALL}.p2": False}
    it.close()


@pytest.mark.slow
def test_long_call_is_sealed_in_little_memory(tmp_path: Path) -> None:
    # Quiet sound: it is encoded five times as fast as noise and takes the same memory.
    quiet_s = np.append(np.zeros(RATE - 1, "<i2"), np.array([7], "<i2")).tobytes()
    for name, seconds in (("short", 60), ("long", 600)):  # 1 MB and 10 MB
        raw_of(tmp_path / name).parent.mkdir(parents=True)
        raw_of(tmp_path / name).write_bytes(quiet_s * seconds)
    script = (
        "import resource, sys; from pathlib import Path; from tests.audio.test_recovery import *\n"
        "peak_kib = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "first = recover(Path(sys.argv[1]) / 'short', within_s=60); before = peak_kib()\n"
        "ear = recover(Path(sys.argv[1]) / 'long', within_s=90)\n"
        "sealed = [len(each.heard(RecordingSealed)) for each in (first, ear)]\n"
        "print(*sealed, peak_kib() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    *sealed, grown_kib = map(int, done.stdout.split())
    assert sealed == [1, 1]
    assert grown_kib < 4_000, "ten times the sound takes as much memory"


def test_stop_does_not_wait_for_a_long_encoding(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir(parents=True)
    raw_of(tmp_path).write_bytes(np.random.default_rng(1).integers(-500, 500, 1800 * RATE, dtype="<i2").tobytes())
    ear = Ear()
    recorder = SoundRecorder(ear, SystemClock(), tmp_path, "boot-2")
    recorder.recover()
    ear.wait(RecordingClosed)
    began = time.monotonic()
    recorder.close(4.0)
    assert time.monotonic() - began < 4.5
    assert raw_of(tmp_path).stat().st_size == 3600 * RATE
    assert not ear.heard(RecordingSealed)
    assert "seal" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.slow
def test_recovery_killed_again_and_again(crashed: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.audio.test_recovery import recover\n"
        "recover(Path(sys.argv[1]), confirm=False)\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    dice = random.Random(7)
    for _ in range(8):
        child = subprocess.Popen([sys.executable, "-c", script, str(crashed)], env=environment)
        time.sleep(dice.uniform(0.25, 0.6))  # the imports take about a quarter of a second
        child.send_signal(signal.SIGKILL)
        child.wait(5)
    ear = recover(crashed)
    closed = ear.wait(RecordingClosed, within_s=0)
    assert closed.cut_short
    assert np.array_equal(sealed_sound(crashed, ear), ramp(0, round(7.3 * RATE)))
    leftovers = [path.name for path in (crashed / "recordings").rglob("*.tmp")]
    assert leftovers == []
    assert list((crashed / "spool").iterdir()) == []


RECORD_FOR_EVER = """
import sys, time, json
from pathlib import Path
from tests.audio.world import Ear, LINE, CALL, RECORDING, ScriptedSource, START
from firmware.audio.recorder import SoundRecorder
from firmware.clock import SystemClock
from firmware.effects import StartRecording

class Live(ScriptedSource):
    "Delivers its ramp in real time."
    def __init__(self):
        super().__init__()
        self.clock = SystemClock()
        self.begin = self.clock.now()
    def moment(self, frame):
        return self.begin.plus_s(frame / self.rate_hz)
    def read(self):
        if self.drained():
            due_s = self._frame / self.rate_hz + 0.25
            time.sleep(max(0.0, due_s - self.clock.now().seconds_since(self.begin)))
            self.play(0.25)
        return super().read()

source = Live()
recorder = SoundRecorder(Ear(), source.clock, Path(sys.argv[1]), "boot-1")
recorder.add_line(LINE, source, 0.0)
recorder.start(StartRecording(recording=RECORDING, call=CALL, line=LINE, part=1, at=source.begin, preroll_s=0.0))
print(source.begin.boot_ns, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_sigkill_costs_at_most_a_second(tmp_path: Path) -> None:
    """The device delivers in real time; what it had delivered by the moment of the kill must be in the recording."""
    dice = random.Random(3)
    clock = SystemClock()
    children, begins_ns = [], []
    for n in range(10):
        folder = tmp_path / str(n)
        child = subprocess.Popen(
            [sys.executable, "-c", RECORD_FOR_EVER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        begins_ns.append(int(child.stdout.readline()))
        children.append(child)
    time.sleep(1.0)
    spoken_s = []
    for child, begin_ns in zip(children, begins_ns, strict=True):
        time.sleep(dice.uniform(0.05, 0.4))
        spoken_s.append((clock.now().boot_ns - begin_ns) / 1e9)
        child.send_signal(signal.SIGKILL)
        child.wait(5)
    lost_s = []
    for n, spoken in enumerate(spoken_s):
        folder = tmp_path / str(n)
        sound = sealed_sound(folder, recover(folder))
        assert np.array_equal(sound, ramp(0, len(sound)))
        lost_s.append(spoken - len(sound) / RATE)
    print(json.dumps([round(each, 3) for each in lost_s]))
    assert max(lost_s) <= 1.0
