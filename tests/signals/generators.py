"""Signals as a line carries them, made without any code of the decoders: FSK, DTMF, noise, hum, voices."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

RATE_HZ = 8000
_OVER = 12
FULL_SCALE_SINE_DBM0 = 3.14  # ITU-T G.711
TONES = {"bell": (1200.0, 2200.0), "v23": (1300.0, 2100.0)}


def rms_of(level_dbm0):
    """RMS in steps of 16 bits of a tone of this level."""
    return 32767 / np.sqrt(2) * 10 ** ((level_dbm0 - FULL_SCALE_SINE_DBM0) / 20)


def to_pcm(sound):
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)


def silence(seconds):
    return np.zeros(round(seconds * RATE_HZ))


# --- caller ID


def with_checksum(kind, body):
    message = bytes([kind, len(body)]) + body
    return message + bytes([-sum(message) & 0xFF])


def mdmf(*parameters):
    return with_checksum(0x80, b"".join(bytes([kind, len(value)]) + value for kind, value in parameters))


def sdmf(date_time, number):
    return with_checksum(0x04, date_time + number)


def uart(message, seizure_bits=300, mark_bits=180, stop_bits=1, tail_bits=10):
    """Bits on the line: alternating seizure, mark, 8N1 bytes least significant bit first, mark."""
    bits = [i % 2 for i in range(seizure_bits)] + [1] * mark_bits
    for byte in message:
        bits += [0, *((byte >> i) & 1 for i in range(8)), *[1] * stop_bits]
    return bits + [1] * tail_bits


def fsk(bits, standard="bell", level_dbm0=-14.0, baud=1200.0, offset_hz=0.0, twist_db=0.0, stretch=0.0):
    """``twist_db``: how much louder space is than mark; ``stretch``: bits by which mark starts early, as a limiter
    with an offset makes it."""
    mark, space = TONES[standard]
    rate = RATE_HZ * _OVER
    count = int(len(bits) / baud * rate)
    bit = np.asarray(bits)[np.minimum((np.arange(count) * baud / rate).astype(int), len(bits) - 1)]
    if stretch:
        early = round(stretch / baud * rate)
        bit = np.maximum(bit, np.concatenate([bit[early:], np.ones(early, dtype=bit.dtype)]))
    hz = np.where(bit == 1, mark, space) + offset_hz
    phase = 2 * np.pi * np.cumsum(hz) / rate
    gain = np.where(bit == 1, 10 ** (-twist_db / 40), 10 ** (twist_db / 40))
    wave_ = np.sin(phase) * gain * rms_of(level_dbm0) * np.sqrt(2)
    return resample_poly(wave_, 1, _OVER)


def add_noise(sound, snr_db, seed):
    """White noise from 0 to 4 kHz, ``snr_db`` below the sound's own loud parts."""
    loud = np.sqrt(np.mean(sound[np.abs(sound) > 0.1 * np.abs(sound).max()] ** 2))
    return sound + np.random.default_rng(seed).normal(0, loud * 10 ** (-snr_db / 20), len(sound))


def add_tone(sound, hz, level_dbm0):
    return sound + rms_of(level_dbm0) * np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(len(sound)) / RATE_HZ)


# --- digits

ROWS = {k: f for f, keys in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D")) for k in keys}
COLUMNS = {k: f for f, keys in ((1209, "147*"), (1336, "2580"), (1477, "369#"), (1633, "ABCD")) for k in keys}


def dtmf(digits, *, on_ms=70, off_ms=70, level_dbm0=-10.0, twist_db=0.0, shift=0.0, lead_s=0.2):
    """``level_dbm0`` of each tone; ``twist_db``: how much louder the column's is; ``shift``: both off by this share."""
    parts = [silence(lead_s)]
    t = np.arange(round(on_ms / 1000 * RATE_HZ)) / RATE_HZ
    amplitude = rms_of(level_dbm0) * np.sqrt(2)
    for digit in digits:
        row = np.sin(2 * np.pi * ROWS[digit] * (1 + shift) * t) * 10 ** (-twist_db / 40)
        column = np.sin(2 * np.pi * COLUMNS[digit] * (1 + shift) * t + 1.0) * 10 ** (twist_db / 40)
        parts += [amplitude * (row + column), silence(off_ms / 1000)]
    return np.concatenate([*parts, silence(lead_s)])


# --- speech

_TEXT = (
    "Good morning, you have reached the front desk. Please hold the line while I look for your order number. "
    "It was the twenty second of November, a quarter past nine, and the parcel weighed about eleven pounds. "
    "Are you there? Yes, I heard you, we shall call you back at two or three in the afternoon. "
)


def speech(folder: Path, voice="en-us", pitch=50):
    """About 20 s of a synthetic voice, at -16 dBm0 or so; None where espeak-ng is missing."""
    if shutil.which("espeak-ng") is None:
        return None
    file = folder / f"{voice}-{pitch}.wav"
    if not file.exists():
        subprocess.run(["espeak-ng", "-v", voice, "-p", str(pitch), "-w", str(file), _TEXT], check=True)
    with wave.open(str(file)) as source:
        rate = source.getframerate()
        sound = np.frombuffer(source.readframes(source.getnframes()), np.int16).astype(float)
    sound = resample_poly(sound, RATE_HZ, rate)
    return sound * rms_of(-16) / np.sqrt(np.mean(sound**2))
