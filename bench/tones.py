"""Measures the tone detector: every tone of every country with noise and off frequency, and what speech and music are
taken for; and what all detectors of a line cost together.

    bench/tones.py            about a minute: 5 minutes of speech and of music
    bench/tones.py --full     60 minutes of each; what docs/measurements.md has
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from material import RATE_HZ, music, rms_of, speech, to_pcm  # noqa: E402

from cli.commands.countries import as_document  # noqa: E402
from firmware.signals.callerid_search import CallerIdSearch  # noqa: E402
from firmware.signals.countries import profiles  # noqa: E402
from firmware.signals.dtmf import DtmfDetector  # noqa: E402
from firmware.signals.tones import ToneDetector  # noqa: E402

NAMED = ("dial", "busy", "congestion", "ringback")
CONDITIONS = {
    "clean": {},
    "noise at -26 dBm0": {"noise_dbm0": -26.0},
    "+1 %, noise": {"shift": 0.01, "noise_dbm0": -26.0},
    "-1 %, noise": {"shift": -0.01, "noise_dbm0": -26.0},
    "tone at -30 dBm0": {"level_dbm0": -30.0},
    "hum at -16 dBm0": {"hum_dbm0": -16.0},
}
SIT_MS = (330, 330, 330)


def tone_sound(tone: dict, *, level_dbm0=-16.0, noise_dbm0=None, hum_dbm0=None, shift=0.0, seed=0) -> np.ndarray:
    """Long enough for three cycles, and 12 s at least; half a second of quiet before and after."""
    ms = tone["ms"]
    cycle_s = sum(ms) / 1000 if ms else 1.0
    count = round(max(12.0, 3 * cycle_s + 1.0) * RATE_HZ)
    t = np.arange(count) / RATE_HZ
    frequencies = [hz * (1 + shift) for hz in tone["hz"]]
    sound = sum(np.sin(2 * np.pi * hz * t + i) for i, hz in enumerate(frequencies)) / np.sqrt(len(frequencies))
    if tone["modulated_by_hz"]:
        sound = sound * (1 + 0.9 * np.sin(2 * np.pi * tone["modulated_by_hz"] * t)) / np.sqrt(1 + 0.9**2 / 2)
    sound = sound * rms_of(level_dbm0) * np.sqrt(2)
    if ms:
        edges = np.cumsum(np.asarray(ms) / 1000)
        phase = np.searchsorted(edges, t % cycle_s, side="right")
        sound = sound * (phase % 2 == 0)
    return _spoil(sound, noise_dbm0, hum_dbm0, seed)


def sit_sound(*, level_dbm0=-16.0, noise_dbm0=None, hum_dbm0=None, shift=0.0, seed=0) -> np.ndarray:
    parts = [np.zeros(RATE_HZ)]
    for hz, ms in zip((950, 1400, 1800), SIT_MS, strict=True):
        t = np.arange(round(ms / 1000 * RATE_HZ)) / RATE_HZ
        parts.append(np.sin(2 * np.pi * hz * (1 + shift) * t) * rms_of(level_dbm0) * np.sqrt(2))
    return _spoil(np.concatenate([*parts, np.zeros(2 * RATE_HZ)]), noise_dbm0, hum_dbm0, seed)


def _spoil(sound: np.ndarray, noise_dbm0, hum_dbm0, seed) -> np.ndarray:
    sound = np.concatenate([np.zeros(RATE_HZ // 2), sound, np.zeros(RATE_HZ // 2)])
    if noise_dbm0 is not None:
        sound = sound + np.random.default_rng(seed).normal(0, rms_of(noise_dbm0), len(sound))
    if hum_dbm0 is not None:
        sound = sound + rms_of(hum_dbm0) * np.sqrt(2) * np.sin(2 * np.pi * 50 * np.arange(len(sound)) / RATE_HZ)
    return to_pcm(sound)


def names(pcm: np.ndarray, country: str) -> set[str]:
    detector = ToneDetector(RATE_HZ, profiles()[country])
    return {h.name.value for i in range(0, len(pcm), 800) for h in detector.feed(pcm[i : i + 800])}


def _near(a: dict, b: dict) -> bool:
    """The same to the ear: frequencies and times within 10 %."""
    if len(a["hz"]) != len(b["hz"]) or len(a["ms"]) != len(b["ms"]):
        return False
    pairs = [*zip(a["hz"], b["hz"], strict=True), *zip(a["ms"], b["ms"], strict=True)]
    return all(abs(x - y) <= 0.1 * max(x, y) for x, y in pairs)


def every_tone(countries: list[str]) -> tuple[dict[str, list[int]], list[str], set[str]]:
    tally: dict[str, list[int]] = {c: [0, 0] for c in CONDITIONS}
    wrong, classes = [], set()
    for code in countries:
        tones = as_document(profiles()[code])["tones"]
        flat = [(name, tone) for name in NAMED for tone in tones[name]]
        for name, tone in flat:
            also = {other for other, t in flat if _near(t, tone)}
            if len(also) > 1:
                classes.add(f"{code}: {' = '.join(sorted(also))}")
            for condition, how in CONDITIONS.items():
                heard = names(tone_sound(tone, **how), code)
                good = bool(heard) and heard <= also
                tally[condition][0] += good
                tally[condition][1] += 1
                if not good:
                    wrong.append(
                        f"{code} {name} {tone['hz']} {tone['ms']} {condition}: heard {sorted(heard) or 'nothing'}"
                    )
        for condition, how in CONDITIONS.items():
            good = names(sit_sound(**how), code) == {"sit"}
            tally[condition][0] += good
            tally[condition][1] += 1
            if not good:
                wrong.append(f"{code} sit {condition}")
    return tally, wrong, classes


def false_alarms(pieces, countries: list[str]) -> tuple[float, Counter[str]]:
    """Each piece is heard by one detector per set of tones; the names of what was heard in it."""
    seconds, heard = 0.0, Counter()
    for piece in pieces:
        pcm = to_pcm(piece)
        seconds += len(pcm) / RATE_HZ
        for code in countries:
            detector = ToneDetector(RATE_HZ, profiles()[code])
            for i in range(0, len(pcm), 800):
                heard.update(
                    f"{code} {h.name}{' lasting' if h.lasting else ''}" for h in detector.feed(pcm[i : i + 800])
                )
    return seconds, heard


def cost(pieces) -> dict[str, float]:
    """CPU milliseconds per second of one channel, in blocks of 20 ms as ALSA gives them."""
    pcm = np.concatenate([to_pcm(p) for p in pieces])
    blocks = [pcm[i : i + 160] for i in range(0, len(pcm) - 160, 160)]
    spent = {}
    detectors = {
        "tones": lambda: ToneDetector(RATE_HZ, profiles()["US"]),
        "digits": lambda: DtmfDetector(RATE_HZ),
        "caller ID": lambda: CallerIdSearch(RATE_HZ),
    }
    for name, make in detectors.items():
        detector = make()
        began = time.process_time()
        for block in blocks:
            detector.feed(block)
        spent[name] = (time.process_time() - began) / (len(pcm) / RATE_HZ) * 1000
    return spent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    countries = sorted(profiles()) if options.full else sorted(profiles())[::4]
    minutes = 60.0 if options.full else 3.0
    print(f"{os.uname().machine}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")

    tally, wrong, classes = every_tone(countries)
    print(f"\ntones of {len(countries)} countries, named right (goal: all)")
    for condition, (right, of) in tally.items():
        print(f"  {condition:20s} {right}/{of}")
    for line in wrong[:40]:
        print(f"  wrong: {line}")
    print(f"taken as one, being closer than 10 %: {', '.join(sorted(classes)) or 'none'}")

    ears = ["US", "DE", "GB", "CN", "FR"]
    figures: dict[str, object] = {"tones": tally, "wrong": wrong}
    for kind, pieces, most in (("speech", speech(minutes), 0), ("music", music(minutes), 3)):
        seconds, heard = false_alarms(pieces, ears)
        for code in ears:
            ours = {k: n for k, n in heard.items() if k.startswith(code) and "lasting" not in k}
            print(
                f"{kind} {seconds / 60:.0f} min, {code}: {sum(ours.values())} false (goal: at most {most}) {ours or ''}"
            )
        lasting = {k: n for k, n in heard.items() if "lasting" in k and "dial" not in k}
        print(f"{kind}: {sum(lasting.values())} of them would end a call {lasting or ''}")
        figures[kind] = dict(heard)
    spent = cost(speech(2.0, seed=9))
    total = sum(spent.values())
    print(
        "CPU ms per channel-second: "
        + ", ".join(f"{k} {v:.2f}" for k, v in spent.items())
        + f"; together {total:.2f} (goal: 3)"
    )
    figures["cpu_ms"] = spent
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
