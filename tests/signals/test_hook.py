"""Off-hook and on-hook out of the raw edges of a loop sensor."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.signals.hook import HookDetector, HookTiming
from tests.signals.timeline import bounce, ms, play, pulses

DEFAULT = HookTiming()


def told(edges, until_ms=30_000, timing=DEFAULT):
    return [(c.off_hook, ms(c.at)) for c in play(HookDetector(timing), edges, until_ms=until_ms)]


def test_a_call_has_the_moments_of_its_edges():
    assert told([(True, 1000), (False, 9000)]) == [(True, 1000), (False, 9000)]


def test_off_hook_is_told_after_its_hold_and_on_hook_after_the_flash_window():
    detector = HookDetector()
    assert play(detector, [(True, 1000)], until_ms=1099) == []
    assert len(play(detector, [], until_ms=1100)) == 1
    assert play(detector, [(False, 5000)], until_ms=5599) == []
    assert [c.off_hook for c in play(detector, [], until_ms=5600)] == [False]


@pytest.mark.parametrize("flash_ms", [90, 120, 300, 550, 599])
def test_a_hook_flash_is_no_on_hook(flash_ms):
    assert told([(True, 0), (False, 5000), (True, 5000 + flash_ms), (False, 9000)]) == [(True, 0), (False, 9000)]


@pytest.mark.parametrize("flash_ms", [750, 1250])
def test_long_flashes_need_a_longer_window(flash_ms):
    edges = [(True, 0), (False, 5000), (True, 5000 + flash_ms), (False, 9000)]
    assert len(told(edges)) == 4
    assert told(edges, timing=HookTiming(on_hook_ms=1300)) == [(True, 0), (False, 9000)]


@pytest.mark.parametrize("open_ms", [250, 500])
def test_a_clearing_exchange_is_no_on_hook(open_ms):
    assert told([(True, 0), (False, 5000), (True, 5000 + open_ms)]) == [(True, 0)]


def test_pulse_dialling_is_no_on_hook():
    zero = [edge for i in range(10) for edge in ((False, 3000 + 100 * i), (True, 3060 + 100 * i))]
    assert told([(True, 0), *zero, (False, 9000)]) == [(True, 0), (False, 9000)]


@pytest.mark.parametrize("hz", [16, 20, 25, 50])
def test_ringing_current_is_no_off_hook(hz):
    assert told(pulses(0, 2000, hz)) == []


def test_answering_within_a_burst():
    assert told([*pulses(0, 1000, 20), (True, 1000), (False, 8000)]) == [(True, 1000), (False, 8000)]


def test_a_bouncing_handset():
    lifted = [*bounce(1000, 40), (True, 1045)]
    put_back = [(not level, when + 4000) for level, when in bounce(1000, 40)] + [(False, 5045)]
    assert told([*lifted, *put_back]) == [(True, 1045), (False, 5045)]


@given(st.lists(st.integers(1, 3000), max_size=60))
def test_any_edges_alternate_and_never_come_closer_than_their_hold(gaps):
    edges, when, level = [], 0, False
    for gap in gaps:
        when, level = when + gap, not level
        edges.append((level, when))
    reports = told(edges, until_ms=when + 5000)
    assert [off_hook for off_hook, _ in reports] == [i % 2 == 0 for i in range(len(reports))]
    assert all(later[1] - sooner[1] >= 100 for sooner, later in pairwise(reports))
    assert (reports[-1][0] if reports else False) == level
