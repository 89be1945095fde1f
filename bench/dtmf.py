"""Digits dialled on a line: ours, spandsp (as it comes, and tuned behind a band-pass), multimon-ng on the same sound,
against noise, level, twist, frequency, length, dial tone and hum; and what speech and music are taken for.

    bench/dtmf.py            about a minute: 100 digits a cell, 5 minutes of speech and of music
    bench/dtmf.py --full     1 000 digits a cell, 60 minutes of each; what docs/measurements.md has
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import spandsp_rx  # noqa: E402
from material import RATE_HZ, music, rms_of, speech, to_pcm  # noqa: E402

from firmware.signals.dtmf import DtmfDetector  # noqa: E402

KEYS = "0123456789*#ABCD"
ROWS, COLUMNS = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)
GRID = "123A456B789C*0#D"
BAND = butter(4, (300, 3400), "bandpass", fs=RATE_HZ, output="sos")


def cells() -> dict[str, dict]:
    table: dict[str, dict] = {}
    table |= {f"SNR {snr} dB": {"snr_db": snr} for snr in (40, 20, 15, 10, 8, 5, 3, 0)}
    table |= {f"level {level} dBm0": {"level_dbm0": level} for level in (-4, -20, -30, -40, -45)}
    table |= {f"twist {twist:+d} dB": {"twist_db": twist} for twist in (-12, -8, -4, 4, 8, 12)}
    table |= {f"frequency {off:+.1f} %": {"shift": off / 100} for off in (-1.8, -1.5, 1.5, 1.8)}
    table |= {f"{ms} ms on and off": {"on_ms": ms, "off_ms": ms} for ms in (40, 50, 100)}
    table |= {
        f"dial tone {tone[0]} Hz, {db:+d} dB": {"beneath": tone, "beneath_db": db}
        for tone in ((350, 440), (425,), (450,))
        for db in (-5, 0)
    }
    table |= {"hum 50 Hz, as loud": {"beneath": (50,), "beneath_db": 0}}
    table |= {"50 ms, SNR 10 dB, twist -6": {"on_ms": 50, "off_ms": 50, "snr_db": 10, "twist_db": -6}}
    return table  # fmt: skip


def dialled(digits: str, *, level_dbm0=-10.0, twist_db=0.0, shift=0.0, on_ms=70, off_ms=70, snr_db=None, beneath=(),
            beneath_db=0.0, seed=0) -> np.ndarray:  # fmt: skip
    """``level_dbm0`` of each tone; ``twist_db``: how much louder the column's is; noise from 0 to 4 kHz."""
    random = np.random.default_rng(seed)
    t = np.arange(round(on_ms / 1000 * RATE_HZ)) / RATE_HZ
    amplitude = rms_of(level_dbm0) * np.sqrt(2)
    parts = [np.zeros(RATE_HZ // 4)]
    for digit in digits:
        row, column = divmod(GRID.index(digit), 4)
        low = np.sin(2 * np.pi * ROWS[row] * (1 + shift) * t + random.uniform(0, 6)) * 10 ** (-twist_db / 40)
        high = np.sin(2 * np.pi * COLUMNS[column] * (1 + shift) * t + random.uniform(0, 6)) * 10 ** (twist_db / 40)
        parts += [amplitude * (low + high), np.zeros(round(off_ms / 1000 * RATE_HZ))]
    sound = np.concatenate([*parts, np.zeros(RATE_HZ // 4)])
    if snr_db is not None:
        power = amplitude**2 / 2 * (10 ** (-twist_db / 20) + 10 ** (twist_db / 20))
        sound = sound + random.normal(0, math.sqrt(power) * 10 ** (-snr_db / 20), len(sound))
    for hz in beneath:
        level = level_dbm0 + beneath_db
        sound = sound + rms_of(level) * np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(len(sound)) / RATE_HZ)
    return to_pcm(sound)


def ours(pcm: np.ndarray) -> str:
    detector = DtmfDetector(RATE_HZ)
    return "".join(d.digit for i in range(0, len(pcm), 800) for d in detector.feed(pcm[i : i + 800]))


def tuned(pcm: np.ndarray) -> str:
    return spandsp_rx.digits(to_pcm(sosfilt(BAND, pcm.astype(float))), spandsp_rx.TUNED)


def multimon(pcm: np.ndarray) -> str:
    """multimon-ng reads raw samples of 22 050 Hz; sox makes them, as its own manual does."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "sound.raw"
        raw.write_bytes(pcm.astype("<i2").tobytes())
        wide = Path(folder) / "wide.raw"
        form = ["-t", "raw", "-e", "signed", "-b", "16", "-c", "1"]
        subprocess.run(["sox", *form, "-r", "8000", str(raw), *form, "-r", "22050", str(wide)], check=True)
        run = subprocess.run(
            ["multimon-ng", "-q", "-t", "raw", "-a", "DTMF", str(wide)], capture_output=True, check=True
        )
    return "".join(line.split()[-1] for line in run.stdout.decode().splitlines() if line.startswith("DTMF:"))


def tools() -> dict:
    table = {"ours": ours}
    if spandsp_rx.available:
        table |= {"spandsp": spandsp_rx.digits, "spandsp tuned": tuned}
    else:
        print("libspandsp2 is not installed: left out")
    if shutil.which("multimon-ng") and shutil.which("sox"):
        table["multimon-ng"] = multimon
    else:
        print("multimon-ng or sox is not installed: left out")
    return table


def score(heard: str, wanted: str) -> tuple[int, int]:
    """Digits right (the longest common subsequence), and digits that were not dialled (false or doubled)."""
    row = [0] * (len(wanted) + 1)
    for key in heard:
        diagonal = 0
        for i, other in enumerate(wanted, 1):
            diagonal, row[i] = row[i], diagonal + 1 if key == other else max(row[i], row[i - 1])
    return row[-1], len(heard) - row[-1]


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, middle + half


def talk_off(pieces, detectors: dict) -> tuple[float, dict[str, int]]:
    seconds, heard = 0.0, dict.fromkeys(detectors, 0)
    for piece in pieces:
        pcm = to_pcm(piece)
        seconds += len(pcm) / RATE_HZ
        for name, detector in detectors.items():
            heard[name] += len(detector(pcm))
    return seconds, heard


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--only", help="cells whose name holds this")
    options = parser.parse_args()
    groups, minutes = (63, 60.0) if options.full else (6, 3.0)
    detectors = tools()
    print(
        f"{os.uname().machine}, load {os.getloadavg()[0]:.1f}; {groups * 16} digits a cell; right % / false or doubled"
    )
    print(f"{'':30s}" + "".join(f"{name:>16s}" for name in detectors))
    figures: dict[str, dict] = {}
    worse = []
    for cell, how in cells().items():
        if options.only and options.only not in cell:
            continue
        results = dict.fromkeys(detectors, (0, 0))
        for group in range(0, groups, 9):
            random = np.random.default_rng(group)
            wanted = "".join("".join(random.permutation(list(KEYS))) for _ in range(min(9, groups - group)))
            pcm = dialled(wanted, seed=group, **how)
            for name, detector in detectors.items():
                right, false = score(detector(pcm), wanted)
                results[name] = (results[name][0] + right, results[name][1] + false)
        of = groups * 16
        print(f"{cell:30s}" + "".join(f"{100 * r / of:10.1f} / {f:3d}" for r, f in results.values()))
        figures[cell] = {"of": of, **results}
        if "spandsp tuned" in results:
            low, _ = interval(results["spandsp tuned"][0], of)
            _, high = interval(results["ours"][0], of)
            if high < low:
                worse.append(cell)
    print(f"worse than spandsp tuned beyond the 95 % intervals (goal: none): {', '.join(worse) or 'none'}")
    for kind, pieces in (("speech", speech(minutes, seed=3)), ("music", music(minutes, seed=4))):
        if options.only:
            break
        seconds, heard = talk_off(pieces, detectors)
        print(
            f"{kind} {seconds / 60:.0f} min, false digits (goal: 0): " + ", ".join(f"{k} {n}" for k, n in heard.items())
        )
        figures[kind] = {"minutes": seconds / 60, **heard}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
