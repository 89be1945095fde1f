"""Country profiles: what is in the shipped file, and what a wrong one is told."""

from importlib import resources

import phonenumbers
import pytest

from firmware.errors import ConfigError
from firmware.model import LineKind
from firmware.policy import ring_timeout_s
from firmware.signals.countries import CallerIdStandard, Tone, ToneName, parse_profiles, profile_of, profiles

TEXT = resources.files("firmware.signals").joinpath("countries.toml").read_text(encoding="utf-8")
GOOD = """
[XX]
name = "Somewhere"
ring = [1000, 4000]
dial = ["350+440"]
busy = [["425", 500, 500], ["400*25", 250, 250]]
ringback = ["425", 1000, 4000]
caller_id = ["bell202"]
caller_id_when = "after_first_ring"
disconnect = ["busy_tone"]
flash_ms = [80, 300]
source = "a standard"
unverified = ["flash_ms"]
"""


def faults(old, new):
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        parse_profiles(GOOD.replace(old, new), "here.toml")
    return error.value.faults


def test_there_are_enough_countries_and_each_is_one():
    assert len(profiles()) >= 40
    assert set(profiles()) <= set(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize("profile", profiles().values(), ids=lambda p: p.code)
def test_every_profile_says_what_a_line_needs(profile):
    for name in (ToneName.DIAL, ToneName.BUSY, ToneName.CONGESTION, ToneName.RINGBACK):
        assert profile.tone(name)
    assert profile.caller_id
    assert profile.disconnect
    assert profile.source
    for tone in profile.tone(ToneName.BUSY) + profile.tone(ToneName.RINGBACK):
        assert tone.cadence.ms
    longest = max(profile.ring.ms[1::2])
    assert profile.ring_timeout_s >= longest / 1000 + 1
    if profile.source == "unverified":
        assert {"ring", "dial", "busy", "congestion", "ringback"} <= profile.unverified


def test_the_values_of_two_countries_against_their_standards():
    china, america = profile_of("CN"), profile_of("US")
    assert china.tone(ToneName.BUSY) == (Tone((450.0,), china.tone(ToneName.BUSY)[0].cadence),)
    assert china.tone(ToneName.BUSY)[0].cadence.ms == (350, 350)
    assert america.tone(ToneName.RINGBACK)[0].frequencies_hz == (440.0, 480.0)
    assert america.ring.ms == (2000, 4000)
    assert america.caller_id == (CallerIdStandard.BELL202,)


def test_how_long_a_caller_may_be_silent():
    assert ring_timeout_s(LineKind.ANALOG, profile_of("SE")) == 6.0
    assert ring_timeout_s(LineKind.ANALOG, profile_of("GB")) == 3.0
    assert ring_timeout_s(LineKind.SIM, profile_of("GB")) == 8.0


def test_a_country_without_a_profile_sounds_as_e180_recommends():
    unknown = profile_of("KE")
    assert unknown.tone(ToneName.BUSY)[0].frequencies_hz == (425.0,)
    assert unknown.ring_timeout_s == 6.0


def test_variants_and_modulation():
    profile = parse_profiles(GOOD)["XX"]
    assert [t.modulated_by_hz for t in profile.tone(ToneName.BUSY)] == [None, 25.0]
    assert profile.tone(ToneName.DIAL)[0].frequencies_hz == (350.0, 440.0)
    assert profile.tone(ToneName.CALL_WAITING) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ring = [1000, 4000]\n", "", "here.toml: XX.ring: is missing"),
        ("[1000, 4000]", "[1000]", "XX.ring: must hold pairs of on and off, not 1 times"),
        ("[1000, 4000]", '["1000", 4000]', "XX.ring: each time must be 1 to 20000 ms"),
        ("[1000, 4000]", "[-1, 4000]", "XX.ring: each time must be 1 to 20000 ms"),
        ("[1000, 4000]", "[]", "XX.ring: must hold at least one time on"),
        ('"350+440"', '"350+"', "XX.dial: must begin with frequencies in quotes"),
        ('"350+440"', "350", "XX.dial: must begin with frequencies in quotes"),
        ('"350+440"', '"35"', "XX.dial: a tone of 35 Hz is none"),
        ('"bell202"', '"bell"', "XX.caller_id: must be one of bell202, v23, dtmf, ntt, not 'bell'"),
        ('"after_first_ring"', '"later"', "XX.caller_id_when: must be one of"),
        ('"busy_tone"', '"buzzy"', "XX.disconnect: must be one of busy_tone"),
        ("[80, 300]", "[300, 80]", "XX.flash_ms: must be the shortest and the longest"),
        ('"a standard"', '""', "XX.source: must be text"),
        ('["flash_ms"]', '["flash"]', "XX.unverified: names no key: flash"),
        ("flash_ms = ", "flsh_ms = ", "XX.flsh_ms: there is no such key; there are: busy"),
        ("[XX]", "[germany]", "germany: must be a table named by an ISO 3166 code"),
        ("[XX]", "[XX", "not a TOML document"),
    ],
)
def test_a_wrong_or_missing_value_is_told_with_its_place(old, new, said):
    assert any(said in fault for fault in faults(old, new)), faults(old, new)


def test_all_faults_are_told_at_once():
    text = GOOD.replace("[1000, 4000]", "[0]").replace('"busy_tone"', '"x"')
    with pytest.raises(ConfigError) as error:
        parse_profiles(text)
    assert len(error.value.faults) >= 2
