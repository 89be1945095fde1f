"""The street can be any country it knows."""

from __future__ import annotations

import pytest

from simulator.networks import NETWORKS
from simulator.tones import country_of


@pytest.mark.parametrize("code", sorted(NETWORKS))
def test_every_country_rings_and_sounds(code: str) -> None:
    country = country_of(code)
    assert sum(country.ring_s) == pytest.approx(sum(NETWORKS[code].ring) / 1000)
    assert len(country.busy()) > 0
    assert len(country.dial_tone()) > 0
