"""``offhook decode`` on sound files of many kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from simulator import fsk as street
from tests.cli.shell import Shell
from tests.signals.generators import RATE_HZ, dtmf, fsk, mdmf, sdmf, silence, to_pcm, uart
from tests.signals.test_tones import tone

MESSAGE = mdmf((1, b"11221033"), (2, b"13800138000"), (7, b"WANG"))


def write(file: Path, *channels: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    wide = [resample_poly(sound, rate_hz, RATE_HZ) for sound in channels]
    longest = max(len(sound) for sound in wide)
    table = np.stack([np.pad(sound, (0, longest - len(sound))) for sound in wide], axis=1)
    soundfile.write(file, to_pcm(table), rate_hz)
    return file


def lines(shell: Shell, *words: object) -> list[dict[str, Any]]:
    shown = shell("decode", *words, "--json")
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100])
def test_a_caller_id_at_any_rate(shell: Shell, tmp_path: Path, rate_hz: int) -> None:
    sound = np.concatenate([silence(1.0), fsk(uart(MESSAGE)), silence(1.0)])
    (found,) = lines(shell, "callerid", write(tmp_path / "a.wav", sound, rate_hz=rate_hz))
    assert found.pop("at_s") == pytest.approx(1.4, abs=0.01)
    assert found == {
        "kind": "callerid",
        "format": "MDMF",
        "standard": "bell202",
        "number": "13800138000",
        "e164": "+8613800138000",
        "name": "WANG",
        "date": "11-22T10:33",
        "absence": None,
        "checksum_ok": True,
        "doubtful": False,
        "raw": MESSAGE.hex(),
    }


def test_a_caller_id_of_japan(shell: Shell, tmp_path: Path) -> None:
    frame = street.frame("0312345678")
    sound = street.signal(frame, frequencies_hz=street.V23_HZ, seizure_bits=0, mark_bits=72)
    file = write(tmp_path / "a.wav", np.concatenate([silence(1.0), sound * 32767]))
    (found,) = lines(shell, "callerid", file, "--country", "JP")
    assert (found["format"], found["standard"], found["number"]) == ("NTT", "ntt", "0312345678")
    assert (found["e164"], found["checksum_ok"], found["raw"]) == ("+81312345678", True, frame.hex())


def test_several_messages_and_the_reason_of_a_withheld_number(shell: Shell, tmp_path: Path) -> None:
    withheld = sdmf(b"11221033", b"P")
    sound = np.concatenate([silence(0.5), fsk(uart(MESSAGE)), silence(1), fsk(uart(withheld), "v23"), silence(0.2)])
    first, second = lines(shell, "callerid", write(tmp_path / "a.flac", sound))
    assert (first["number"], second["number"], second["absence"]) == ("13800138000", None, "withheld")
    assert second["format"] == "SDMF"


def test_a_spoilt_message_is_told_with_its_reason_and_no_number(shell: Shell, tmp_path: Path) -> None:
    spoilt = bytearray(MESSAGE)
    spoilt[14] ^= 0x01
    sound = np.concatenate([silence(0.5), fsk(uart(bytes(spoilt))), silence(1)])
    (found,) = lines(shell, "callerid", write(tmp_path / "a.wav", sound))
    assert (found["number"], found["checksum_ok"], found["rejected"]) == (None, False, "wrong checksum")
    assert found["raw"] == bytes(spoilt).hex()


def test_a_caller_id_in_digits(shell: Shell, tmp_path: Path) -> None:
    (found,) = lines(shell, "callerid", write(tmp_path / "a.wav", dtmf("A02087654321C")))
    assert (found["format"], found["number"], found["raw"]) == ("DTMF", "02087654321", "A02087654321C")


def test_digits_of_two_channels(shell: Shell, tmp_path: Path) -> None:
    file = write(tmp_path / "a.wav", dtmf("12", lead_s=0.5), dtmf("9", lead_s=2.0), rate_hz=48000)
    found = lines(shell, "dtmf", file)
    assert [(d["digit"], d["channel"]) for d in found] == [("1", 0), ("2", 0), ("9", 1)]
    assert found[0]["at_s"] == pytest.approx(0.5, abs=0.03)
    assert set(found[0]) == {"kind", "at_s", "digit", "channel"}


def test_tones_are_named_by_the_country(shell: Shell, tmp_path: Path) -> None:
    file = write(tmp_path / "a.wav", np.concatenate([silence(1), tone((480, 620), (500, 500), 6)]))
    assert lines(shell, "tones", file, "--country", "us") == [
        {"kind": "tone", "at_s": pytest.approx(1.0, abs=0.05), "name": "busy"}
    ]
    assert lines(shell, "tones", file, "--country", "DE") == []


def test_people_get_a_line_each(shell: Shell, tmp_path: Path) -> None:
    shown = shell("decode", "dtmf", write(tmp_path / "a.wav", dtmf("7", lead_s=0.5)))
    assert "dtmf  digit=7" in shown.stdout
    assert "Nothing found." in shell("decode", "tones", tmp_path / "a.wav").stdout


def test_what_is_no_sound(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not a sound")
    refused = shell("decode", "dtmf", tmp_path / "a.wav")
    assert refused.returncode == 2
    assert "cannot be read as sound" in refused.stderr
    assert shell("decode", "dtmf", tmp_path / "none.wav").returncode == 2
    assert shell("decode", "tones", tmp_path / "a.wav", "--country", "X1").returncode == 2
