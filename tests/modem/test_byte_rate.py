"""8 kHz is told from 16 kHz by counting, however unevenly the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware.modem.byte_rate import ByteRate

FRAME_S = 0.02


def reads(frame: int, seconds: float, stalls: list[tuple[float, float]]) -> list[tuple[int, float]]:
    """What a reader gets that reads 4096 bytes at most and stands still in ``stalls`` (begin, length)."""
    got, waiting, now_s, sent = [], 0, 0.0, 0
    while now_s < seconds:
        now_s += FRAME_S
        for begin_s, length_s in stalls:
            if begin_s <= now_s < begin_s + length_s:
                now_s = begin_s + length_s
        due = int(now_s / FRAME_S)
        waiting += (due - sent) * frame
        sent = due
        at_s = now_s
        while waiting:
            got.append((min(waiting, 4096), at_s))
            waiting -= got[-1][0]
            at_s += 0.0003
    return got


def judged(readings: list[tuple[int, float]]) -> list[bool]:
    """What is believed after each read, once anything is."""
    rate, said = ByteRate(), []
    for size, at_s in readings:
        rate.count(size, at_s)
        if rate.known:
            said.append(rate.wide)
    return said


@pytest.mark.parametrize(("frame", "wide"), [(320, False), (640, True)])
def test_even_sound_is_known_after_half_a_second(frame: int, wide: bool) -> None:
    readings = reads(frame, 6.0, [])
    assert set(judged(readings)) == {wide}
    assert judged([one for one in readings if one[1] < 0.6]), "it is known by then"


@pytest.mark.parametrize(("frame", "wide"), [(320, False), (640, True)])
@given(
    stalls=st.lists(st.tuples(st.floats(0.0, 12.0), st.floats(0.05, 1.2)), max_size=12),
    begins_late_s=st.floats(0.0, 3.0),
)
@example(stalls=[(0.0, 1.0), (1.5, 1.0), (2.0, 1.125)], begins_late_s=0.0)  # judged in the middle of what had piled up
def test_a_box_that_stands_still_now_and_then_is_not_fooled(
    frame: int, wide: bool, stalls: list[tuple[float, float]], begins_late_s: float
) -> None:
    """Also when it begins to read late, with a full buffer."""
    said = judged(reads(frame, 20.0, [(0.0, begins_late_s), *stalls]))
    assert set(said) == {wide}


def test_a_module_that_is_set_to_another_rate_between_calls_is_measured_anew() -> None:
    rate = ByteRate()
    for size, at_s in reads(320, 3.0, []):
        rate.count(size, at_s)
    assert not rate.wide
    rate.pause()
    for size, at_s in reads(640, 6.0, []):
        rate.count(size, at_s + 10.0)
    assert rate.wide
