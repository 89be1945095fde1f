"""Ring bursts out of the raw edges of a ring detector."""

import pytest

from firmware.signals.ring import BurstBegan, BurstEnded, RingDetector, RingTiming
from tests.signals.timeline import bounce, ms, play, pulses

DEFAULT = RingTiming()


def told(edges, until_ms=20_000, timing=DEFAULT):
    return [(type(r), ms(r.at)) for r in play(RingDetector(timing), edges, until_ms=until_ms)]


@pytest.mark.parametrize("hz", [16, 17, 20, 25, 50])
@pytest.mark.parametrize("duty", [0.2, 0.5])
def test_half_wave_pulses_are_one_burst(hz, duty):
    edges = pulses(1000, 1000, hz, duty)
    assert told(edges) == [(BurstBegan, 1000), (BurstEnded, round(edges[-1][1]))]


def test_a_clean_envelope_is_one_burst():
    assert told([(True, 1000), (False, 3000)]) == [(BurstBegan, 1000), (BurstEnded, 3000)]


def test_a_burst_is_told_while_it_lasts():
    detector = RingDetector()
    assert play(detector, [(True, 1000)], until_ms=1100) == []
    assert [type(r) for r in play(detector, [], until_ms=1160)] == [BurstBegan]
    assert detector.ringing


def test_the_double_ring_of_britain_is_two_bursts():
    edges = pulses(0, 400, 25) + pulses(600, 400, 25)
    assert [kind for kind, _ in told(edges)] == [BurstBegan, BurstEnded, BurstBegan, BurstEnded]


def test_pulses_that_were_missed_do_not_break_a_burst():
    edges = [e for e in pulses(0, 1000, 20) if not 400 <= e[1] < 500]
    assert [kind for kind, _ in told(edges)] == [BurstBegan, BurstEnded]


@pytest.mark.parametrize("length_ms", [20, 35, 50])
def test_bounce_is_no_ring(length_ms):
    assert told(bounce(1000, length_ms)) == []
    assert told([(True, 1000), (False, 1000 + length_ms)]) == []


def test_bounce_before_ringing_does_not_delay_its_end():
    edges = bounce(0, 40) + pulses(2000, 1000, 20)
    assert told(edges) == [(BurstBegan, 2000), (BurstEnded, 2975)]


def test_the_profile_decides_what_is_long_enough():
    short = [(True, 0), (False, 100)]
    assert told(short) == []
    assert len(told(short, timing=RingTiming(min_burst_ms=80))) == 2


def test_the_same_level_again_changes_nothing():
    assert told([(True, 0), (True, 300), (False, 2000), (False, 2050)]) == [(BurstBegan, 0), (BurstEnded, 2000)]
