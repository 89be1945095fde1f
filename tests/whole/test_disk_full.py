"""The card fills up in a call: what is recorded stays, the next call is listed, the admin is told what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.whole.house import House, talk, until

pytestmark = [pytest.mark.slow, pytest.mark.sound, pytest.mark.timeout(180)]


@pytest.fixture
def small_card(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 128 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small card this test fills")
    card = tmp_path / "data"
    card.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(card)], check=True)
    yield card
    subprocess.run(["umount", "-l", str(card)], check=True)


def fill(card: Path) -> Path:
    """Takes every free byte."""
    ballast = card / "somebody-elses-file"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def test_card_full_in_the_call(build: Callable[..., House], small_card: Path) -> None:
    data = small_card
    house = build(analog=["fxo-1"])
    house.begin()
    house.play(talk("fxo-1", answer_after_s=6.5), talk("fxo-1", number="01055501842", answer_after_s=6.5))
    until(lambda: bool(house.line("fxo-1").get("recording")), 20.0)
    first = house.line("fxo-1")["call"]["id"]
    spooled = data / "spool" / f"{first}.p1.raw"
    until(lambda: spooled.exists() and spooled.stat().st_size > 16000, 10.0)
    before = spooled.stat().st_size
    somebodys = fill(small_card)
    until(lambda: any(key == "disk_full" for key, _ in house.alarms()), 15.0)
    alarm = next(a for (key, _), a in house.alarms().items() if key == "disk_full")
    assert alarm["severity"] == "critical"
    assert "card" in alarm["todo"]["en"]
    assert alarm["todo"]["zh"]
    assert spooled.stat().st_size >= before, "what was recorded stays"
    # The second call comes while the card is still full.
    until(lambda: len(house.calls()) == 2, 40.0, every_s=0.5)
    until(lambda: not house.playing(), 60.0, every_s=0.5)
    somebodys.unlink()
    calls = house.sealed_calls()
    assert [c["number"] for c in calls] == ["13800550123", "01055501842"]
    assert all(c["outcome"] == "answered" for c in calls)
    kept = calls[0]["recordings"][0]
    assert kept["status"] == "sealed"
    assert kept["duration_ms"] >= before / 16
    assert house.ledger()["balanced"]
    assert shutil.disk_usage(small_card).free > 0
