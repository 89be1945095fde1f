"""What is played into a SIM module's own sound card: never far behind, also after the box was held up."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.modem.card_voice import _WayOut

FRAME = 160
ROOM = 8 * FRAME


class Card:
    """A sound card's output whose clock is the test's."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.waiting = 0
        self.longest = 0

    def info(self) -> dict[str, int]:
        return {"rate": 8000, "buffer_size": ROOM}

    def avail(self) -> int:
        return ROOM - self.waiting

    def write(self, pcm: bytes) -> int:
        took = min(len(pcm) // 2, ROOM - self.waiting)
        self.waiting += took
        return took

    def plays(self, frames: int) -> None:
        self.waiting = max(0, self.waiting - frames)

    def close(self) -> None:
        pass


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> tuple[_WayOut, Card]:
    card = Card()
    monkeypatch.setattr("firmware.modem.card_voice.alsaaudio.PCM", lambda *_, **__: card)
    way = _WayOut("sim-1", "hw:0")
    assert way.play(bytes(2 * FRAME))
    return way, card


def test_a_steady_call_leaves_nothing_out(out: tuple[_WayOut, Card]) -> None:
    way, card = out
    for _ in range(1000):
        card.plays(FRAME)
        assert way.play(bytes(2 * FRAME))
    assert way.dropped_frames == 0
    assert card.waiting == 4 * FRAME


def test_what_a_hold_up_left_behind_is_soon_gone(out: tuple[_WayOut, Card]) -> None:
    way, card = out
    card.plays(FRAME * 100)  # nothing came for long, then everything at once
    for _ in range(8):
        way.play(bytes(2 * FRAME))
    assert card.waiting == ROOM
    for _ in range(150):
        card.plays(FRAME)
        way.play(bytes(2 * FRAME))
    assert card.waiting <= 4 * FRAME
    assert way.dropped_frames == 4 * FRAME
    assert way.glitches == 0
