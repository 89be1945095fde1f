"""A test call faster than real time: edges and sound as a street makes them, with what a technician asked for."""

from __future__ import annotations

import random

import numpy as np

from fieldtest.catalogue import Group
from fieldtest.evidence import CallEvidence, RingEvidence, Sound
from fieldtest.findings import Finding, findings
from fieldtest.judge_call import judge_call, judge_keys, judge_ringing
from fieldtest.results import Results
from fieldtest.sound import Stretch
from firmware.signals.countries import profiles
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import RawEdge
from simulator.line_script import LineScript
from simulator.mixer import RATE_HZ, level
from simulator.mixer import Sound as Samples
from simulator.networks import NETWORKS
from simulator.seeded_faults import hum
from simulator.tones import digits

COUNTRIES = ("CN", "DE", "GB", "US", "FR", "IT", "ES", "AU")
QUIET, FAR, NEAR, KEYS = (Stretch(begins_s=a, ends_s=b) for a, b in ((1, 5.6), (6, 10.8), (11, 15.8), (16, 20)))
STRETCHES = {"quiet": QUIET, "far": FAR, "near": NEAR, "keys": KEYS}
LENGTH_S = 21.0
PRESSED = "1590#"


def analog(seed: int, fault: str = "") -> list[Finding]:
    """What the field test finds on an analog line of a country, healthy within what is usual, but for ``fault``."""
    dice = random.Random(seed)
    country = dice.choice(COUNTRIES)
    results = Results(Group.ANALOG)
    edges, until_ms = _ringing(dice, country, fault)
    profile = profiles()[country]
    cadences = [profile.ring, *(cadence for _, cadence in profile.distinctive)]
    rang = fault != "wrong_wiring"
    seen = RingEvidence(edges=edges, until_ms=until_ms, cadences=cadences)
    if judge_ringing(results, seen, rang=rang):
        results.measured("off_hook", dice.uniform(0.05, 0.5))
        evidence = _call(dice, fault, sound=_mixed(dice, fault))
        judge_call(results, evidence)
        judge_keys(results, evidence)
    else:
        results.rest_not_tested("no call", "无通话")
    return _found(Group.ANALOG, "fxo-1", results)


def sim(seed: int, fault: str = "") -> list[Finding]:
    """The same for a SIM line: two channels, far and near."""
    dice = random.Random(seed)
    results = Results(Group.SIM)
    results.fact("ring_seen", True)
    results.measured("signal", -107 if fault == "weak_signal" else dice.randrange(-91, -51, 2))
    judge_call(results, _call(dice, fault, sound=_two_way(dice, fault)))
    return _found(Group.SIM, "sim-1", results)


def _found(group: Group, subject: str, results: Results) -> list[Finding]:
    return findings(group, subject, {result.step: result for result in results.all()})


def _ringing(dice: random.Random, country: str, fault: str) -> tuple[list[RawEdge], float]:
    """Edges late by up to 3 ms, as a busy machine stamps them."""
    bounce_ms = 20.0 if fault == "ring_bounces" else 0.0
    script = LineScript(NETWORKS[country], seed=dice.randrange(1 << 30), bounce_ms=bounce_ms)
    script.rest(0.5).rings(3, "02155507301").rest(0.6)
    names = {"ring": Sensor.RING, "off_hook": Sensor.OFF_HOOK, "polarity": Sensor.POLARITY}
    if fault == "wrong_wiring":
        names |= {"ring": Sensor.OFF_HOOK, "off_hook": Sensor.RING}
    made = [(names[name], active, at_s * 1000) for name, active, at_s in script.edges]
    if fault == "ring_bounces":
        made += _bouncing([at for sensor, _, at in made if sensor is Sensor.RING])
    made.sort(key=lambda edge: edge[2])
    if not fault and dice.random() < 0.5:
        made = _stalled(dice, made)
    late = [RawEdge(sensor, active, at + dice.uniform(0, 3.0 if not fault else 0.3)) for sensor, active, at in made]
    return sorted(late, key=lambda edge: edge.at_ms), script.now_s * 1000


def _stalled(dice: random.Random, made: list[tuple[Sensor, bool, float]]) -> list[tuple[Sensor, bool, float]]:
    """In each burst the machine does not run for 120 ms, and then tells all at once what happened meanwhile."""
    told, until = [], -1e9
    for n, (sensor, active, at) in enumerate(made):
        if n == 0 or at - made[n - 1][2] > 150:
            begins = at + dice.uniform(50, 200)
            until = begins + 120
        told.append((sensor, active, until + 0.01 * n if begins <= at < until else at))
    return told


def _bouncing(at_ms: list[float]) -> list[tuple[Sensor, bool, float]]:
    """Twenty edges in the 20 ms before each burst."""
    begins = [at for n, at in enumerate(at_ms) if n == 0 or at - at_ms[n - 1] > 150]
    return [(Sensor.RING, k % 2 == 0, begin - 20 + k) for begin in begins for k in range(20)]


def _voice(dice: random.Random, dbfs: float, seconds: float) -> Samples:
    n = round(seconds * RATE_HZ)
    noise = np.random.default_rng(dice.randrange(1 << 30)).standard_normal(n + 5)
    voice = np.convolve(noise, np.ones(6) / 6, "valid")[:n]
    voice *= np.clip(np.sin(2 * np.pi * dice.uniform(2, 4) * np.arange(n) / RATE_HZ) + 0.5, 0, 1)
    scaled: Samples = (voice * level(dbfs) / np.sqrt((voice**2).mean())).astype(np.float32)
    return scaled


def _channel(dice: random.Random, parts: list[tuple[Stretch, Samples]], fault: str = "") -> np.ndarray:
    """The line's own noise and a little hum, and what is said when."""
    n = round(LENGTH_S * RATE_HZ)
    mix = np.random.default_rng(dice.randrange(1 << 30)).standard_normal(n) * level(dice.uniform(-72, -60))
    mix += np.resize(hum(dice.choice((50.0, 60.0)), dice.uniform(-75, -56)), n)
    if fault == "hum":
        mix += np.resize(hum(dice.choice((50.0, 60.0))), n)
    for stretch, sound in parts:
        start = round((stretch.begins_s + dice.uniform(0, 0.3)) * RATE_HZ)
        mix[start : start + len(sound)] += sound[: n - start]
    return (np.clip(mix, -1, 1) * 32767).astype("<i2")


def _sides(dice: random.Random) -> tuple[Samples, Samples]:
    return _voice(dice, dice.uniform(-34, -18), 4.5), _voice(dice, dice.uniform(-30, -16), 4.5)


def _mixed(dice: random.Random, fault: str) -> Sound:
    far, near = _sides(dice)
    keys = digits(PRESSED) * level(dice.uniform(-8, 4))
    parts = [(FAR, far), (NEAR, near), (KEYS, keys.astype(np.float32))]
    said = [] if fault in ("swapped_channels", "dead_sound_path") else parts
    return Sound(samples=_channel(dice, said, fault).reshape(-1, 1), rate_hz=RATE_HZ, roles=("mixed",))


def _two_way(dice: random.Random, fault: str) -> Sound:
    far, near = _sides(dice)
    echo_db = dice.uniform(-50, -25)
    remote = _channel(dice, [(FAR, far), (NEAR, near * level(echo_db))], fault)
    local = _channel(dice, [(NEAR, near), (FAR, far * level(echo_db))])
    if fault == "dead_microphone":
        local[:] = 0
    both = (local, remote) if fault == "swapped_channels" else (remote, local)
    return Sound(samples=np.stack(both, axis=1), rate_hz=RATE_HZ, roles=("remote", "local"))


def _call(dice: random.Random, fault: str, *, sound: Sound) -> CallEvidence:
    recording = {"status": "sealed", "started_utc_ms": 0, "duration_ms": 21_000, "gaps": []}
    ended = 20_000 + dice.randrange(0, 1500)
    call = {"number": "02155507301", "answered_utc_ms": 700, "ended_utc_ms": ended, "recordings": [recording]}
    return CallEvidence(
        exact=True,
        call=call | ({"number": None} if fault == "swapped_channels" and not sound.two_way else {}),
        caller="02155507301",
        answered_utc_ms=700,
        hung_up_utc_ms=20_000,
        recording_after_s=dice.uniform(0, 1.2),
        stretches=STRETCHES,
        keys=PRESSED,
        sound=sound,
        elsewhere={"fxo-2": -20.0 if fault == "swapped_channels" else -60.0},
        intact=True,
        heard=fault not in ("swapped_channels", "dead_microphone"),
        upload="verified",
    )
