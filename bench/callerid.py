"""Caller-ID messages on a spoilt line: ours, spandsp and minimodem on the same sound, for Bell 202 and V.23; and what
speech, music and noise are taken for.

    bench/callerid.py            about a minute: 20 messages a cell, 3 minutes of other sound
    bench/callerid.py --full     200 messages a cell, 60 minutes; what docs/measurements.md has
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
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import spandsp_rx  # noqa: E402
from material import RATE_HZ, music, noise, rms_of, speech, to_pcm  # noqa: E402

from firmware.signals.callerid_search import CallerIdSearch  # noqa: E402

TONES = {"bell202": (1200.0, 2200.0), "v23": (1300.0, 2100.0)}
_OVER = 6
_GROUP = 20


def cells() -> dict[str, dict]:
    table: dict[str, dict] = {}
    table |= {f"SNR {snr} dB": {"snr_db": snr} for snr in (40, 20, 15, 12, 10, 8, 6, 4, 0)}
    table |= {f"level {level} dBm0": {"level_dbm0": level} for level in (0, -10, -20, -30, -35, -40, -45)}
    table |= {f"twist {twist:+d} dB": {"twist_db": twist} for twist in (-10, -6, 6, 10)}
    table |= {f"hum 50 Hz, {db:+d} dB": {"hum_db": db} for db in (0, 10)}
    table |= {"clipped, 12 dB over": {"level_dbm0": 15.0}}
    table |= {f"baud {off:+.1f} %": {"baud_off": off / 100} for off in (-1.5, 1.5)}
    table |= {f"frequency {hz:+d} Hz": {"offset_hz": hz} for hz in (-30, 30)}
    table |= {
        "seizure 30, mark 80": {"seizure": 30, "mark": 80},
        "no seizure, mark 80": {"seizure": 0, "mark": 80},
        "seizure 30, mark 12": {"seizure": 30, "mark": 12},
        "seizure 300, mark 10": {"seizure": 300, "mark": 10},
    }
    return table


def message(random: np.random.Generator) -> bytes:
    """Date and number, often a name; sometimes withheld, sometimes the short form."""
    date = b"%02d%02d%02d%02d" % tuple(random.integers((1, 1, 0, 0), (13, 29, 24, 60)))
    number = "".join(map(str, random.integers(0, 10, random.integers(3, 16)))).encode()
    kind = random.random()
    if kind < 0.25:
        return _whole(0x04, date + number)
    fields = [(1, date), (4, b"P") if kind < 0.35 else (2, number)]
    if kind < 0.8:
        letters = random.integers(65, 91, random.integers(2, 16)).astype(np.uint8).tobytes()
        fields.append((7, letters))
    return _whole(0x80, b"".join(bytes([k, len(v)]) + v for k, v in fields))


def _whole(kind: int, body: bytes) -> bytes:
    head = bytes([kind, len(body)]) + body
    return head + bytes([-sum(head) & 0xFF])


def on_the_line(raw: bytes, standard: str, *, level_dbm0=-14.0, twist_db=0.0, baud_off=0.0, offset_hz=0.0, seizure=300,
                mark=180) -> np.ndarray:  # fmt: skip
    """Continuous-phase FSK made at 48 kHz; ``twist_db``: how much louder space is than mark."""
    bits = [i % 2 for i in range(seizure)] + [1] * mark
    for byte in raw:
        bits += [0, *((byte >> i) & 1 for i in range(8)), 1]
    bits = np.asarray(bits + [1] * 10)
    rate, baud = RATE_HZ * _OVER, 1200.0 * (1 + baud_off)
    bit = bits[np.minimum((np.arange(int(len(bits) / baud * rate)) * baud / rate).astype(int), len(bits) - 1)]
    mark_hz, space_hz = TONES[standard]
    phase = 2 * np.pi * np.cumsum(np.where(bit, mark_hz, space_hz) + offset_hz) / rate
    gain = np.where(bit, 10 ** (-twist_db / 40), 10 ** (twist_db / 40))
    return resample_poly(np.sin(phase) * gain * rms_of(level_dbm0) * np.sqrt(2), 1, _OVER)


def a_group(standard: str, seed: int, *, snr_db=None, hum_db=None, **how) -> tuple[list[bytes], np.ndarray]:
    """Some messages, 0.5 s apart, and the spoilt sound of them all."""
    random = np.random.default_rng(seed)
    raws = [message(random) for _ in range(_GROUP)]
    parts = [np.zeros(RATE_HZ // 2)]
    for raw in raws:
        parts += [on_the_line(raw, standard, **how), np.zeros(RATE_HZ // 2)]
    sound = np.concatenate(parts)
    signal = rms_of(how.get("level_dbm0", -14.0))
    if snr_db is not None:
        sound = sound + random.normal(0, signal * 10 ** (-snr_db / 20), len(sound))
    if hum_db is not None:
        hum = signal * 10 ** (hum_db / 20) * np.sqrt(2)
        sound = sound + hum * np.sin(2 * np.pi * 50 * np.arange(len(sound)) / RATE_HZ)
    return raws, to_pcm(sound)


def ours(pcm: np.ndarray, _standard: str) -> list[bytes]:
    search = CallerIdSearch(RATE_HZ)
    heard = (search.feed(pcm[i : i + 160]) for i in range(0, len(pcm), 160))
    return [found.raw for found in heard if found is not None]


def spandsp(pcm: np.ndarray, standard: str) -> list[bytes]:
    return spandsp_rx.messages(pcm, spandsp_rx.CLASS if standard == "bell202" else spandsp_rx.CLIP)


def minimodem(pcm: np.ndarray, standard: str) -> bytes:
    """All bytes it prints; it knows nothing of messages."""
    mark, space = TONES[standard]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sound.wav"
        soundfile.write(file, pcm, RATE_HZ)
        command = ["minimodem", "--rx", "1200", "-q", "-8", "-M", f"{mark:g}", "-S", f"{space:g}", "-f", str(file)]
        return subprocess.run(command, capture_output=True, check=False, timeout=120).stdout


def right_of(heard: list[bytes] | bytes, raws: list[bytes]) -> int:
    """spandsp leaves the checksum away; minimodem's bytes must hold the whole message in one piece."""
    if isinstance(heard, bytes):
        return sum(raw in heard for raw in raws)
    return sum(raw in heard or raw[:-1] in heard for raw in raws)


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, middle + half


def other_sound(minutes: float) -> Iterator[tuple[str, np.ndarray]]:
    for kind, pieces in (
        ("speech", speech(minutes / 2, seed=5)),
        ("music", music(minutes / 3, seed=6)),
        ("noise", noise(minutes / 6, seed=7)),
    ):  # fmt: skip
        for piece in pieces:
            yield kind, to_pcm(piece)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    groups, minutes = (10, 60.0) if options.full else (1, 3.0)
    of = groups * _GROUP
    tools = {"ours": ours}
    if spandsp_rx.available:
        tools["spandsp"] = spandsp
    if shutil.which("minimodem"):
        tools["minimodem"] = minimodem
    print(f"{os.uname().machine}, load {os.getloadavg()[0]:.1f}; {of} messages a cell; received whole, %")
    print(f"{'':30s}" + "".join(f"{f'{s} {t}':>20s}" for s in TONES for t in tools))
    figures: dict[str, dict] = {}
    worse = []
    for cell, how in cells().items():
        row: dict[str, int] = {}
        for standard in TONES:
            for group in range(groups):
                raws, pcm = a_group(standard, seed=1000 * group + len(cell), **how)
                for name, tool in tools.items():
                    key = f"{standard} {name}"
                    row[key] = row.get(key, 0) + right_of(tool(pcm, standard), raws)
            best = max(row[f"{standard} {name}"] for name in tools)
            if interval(row[f"{standard} ours"], of)[1] < interval(best, of)[0]:
                worse.append(f"{standard} {cell}")
        print(f"{cell:30s}" + "".join(f"{100 * right / of:20.1f}" for right in row.values()), flush=True)
        figures[cell] = {"of": of, **row}
    print(f"worse than the best beyond the 95 % intervals (goal: none): {', '.join(worse) or 'none'}")
    false, seconds = 0, 0.0
    began = time.process_time()
    for kind, pcm in other_sound(minutes):
        heard = ours(pcm, "")
        seconds += len(pcm) / RATE_HZ
        false += len(heard)
        for raw in heard:
            print(f"false message in {kind}: {raw.hex()}")
    cost = (time.process_time() - began) / seconds * 1000
    print(
        f"{false} false messages in {seconds / 60:.0f} min of speech, music and noise (goal: 0); "
        f"{cost:.2f} ms CPU/s all the time"
    )
    figures["false"] = {"messages": false, "minutes": seconds / 60}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
