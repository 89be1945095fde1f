"""A full card: what is on it stays, what does not fit is told, and recording goes on when there is space again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware.ports import GapCause, RecordingClosed, RecordingFailed, RecordingOpened, RecordingSealed
from tests.audio.world import RECORDING, Studio, ramp

RATE = 8000


@pytest.fixture
def small_card(tmp_path: Path) -> Iterator[Path]:
    """A card of 512 KiB: 32 s of sound."""
    card = tmp_path / "card"
    card.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(card)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.decode().strip()}")
    yield card
    subprocess.run(["umount", "-l", str(card)], check=True)


def fill(card: Path, *, leave: int) -> Path:
    ballast = card / "ballast"
    free = os.statvfs(card).f_bavail * os.statvfs(card).f_frsize
    ballast.write_bytes(b"x" * (free - leave))
    return ballast


def test_card_fills_up_in_the_call_and_is_emptied(small_card: Path) -> None:
    it = Studio(small_card, preroll_s=0.0)
    ballast = fill(small_card, leave=64 << 10)
    it.start(0.0)
    for _ in range(15):  # 15 s are 240 kB
        it.source.play(1.0)
        it.settle()
    failed = it.ear.wait(RecordingFailed)
    assert failed.cause is GapCause.DISK_FULL
    assert "No space left" in failed.reason
    ballast.unlink()
    it.source.play(1.0)
    it.settle()
    it.stop(16.0)
    closed = it.ear.wait(RecordingClosed)
    (gap,) = closed.gaps
    assert gap.cause is GapCause.DISK_FULL
    assert gap.missing_ms is not None
    missing = gap.missing_ms * RATE // 1000
    assert closed.frames == 16 * RATE - missing
    # Nothing is missing but what the gap says, where it says.
    sound = it.raw()[:, 0]
    assert np.array_equal(sound[: gap.at_frame], ramp(0, gap.at_frame))
    after = closed.frames - gap.at_frame
    assert np.array_equal(sound[gap.at_frame :], ramp(16 * RATE - after, after))
    it.ear.confirm = it.recorder.confirm
    it.ear.wait(RecordingSealed)
    it.close()


def test_short_shortage_loses_nothing(small_card: Path) -> None:
    it = Studio(small_card, preroll_s=0.0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    ballast = fill(small_card, leave=0)
    for _ in range(4):
        it.source.play(1.0)
        it.settle()
    it.ear.wait(RecordingFailed)
    ballast.unlink()
    it.source.play(1.0)
    it.stop(6.0)
    closed = it.ear.wait(RecordingClosed)
    assert closed.gaps == ()
    assert np.array_equal(it.raw()[:, 0], ramp(0, 6 * RATE))
    it.close()


def test_no_space_to_begin_with(small_card: Path) -> None:
    it = Studio(small_card, preroll_s=0.0)
    ballast = fill(small_card, leave=0)
    it.start(0.0)
    it.source.play(1.0)
    it.settle()
    failed = it.ear.wait(RecordingFailed)
    assert failed.recording == RECORDING
    assert failed.cause is GapCause.DISK_FULL
    ballast.unlink()
    it.source.play(2.0)
    it.stop(3.0)
    it.ear.wait(RecordingOpened)
    closed = it.ear.wait(RecordingClosed)
    (gap,) = closed.gaps
    assert (gap.at_frame, gap.cause) == (0, GapCause.DISK_FULL)
    sound = it.raw()[:, 0]
    assert np.array_equal(sound, ramp(3 * RATE - len(sound), len(sound)))
    assert len(it.ear.heard(RecordingFailed)) == 1
    it.close()
