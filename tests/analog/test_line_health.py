"""What recordings tell of their line: measured, stored with the call, and shown by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli.context import Box
from cli.health import command
from firmware.audio.chain import Header
from firmware.audio.rawfile import RawFile
from firmware.audio.seal import Sealer
from firmware.clock import SystemClock
from firmware.effects import SaveCall
from firmware.model import CallId, ChannelRole, LineId, LineKind, RecordingId
from firmware.ports import LineMeasured, RecordingSealed
from firmware.signals.line_health import HealthMeter, LineHealth
from firmware.store.facts import LineKnown
from firmware.store.line_health import line_health
from tests.store.world import LINE, START, World, closed, ended, opened, ring, ringing, talking

RATE = 8000
DICE = np.random.default_rng(8)


def line(seconds=20, *, hum_hz=50, hum_dbfs=-90.0, noise_dbfs=-65.0, speech_dbfs=-25.0):
    """Half of the time somebody talks."""
    t = np.arange(seconds * RATE) / RATE
    noise = DICE.standard_normal(len(t)) * 10 ** (noise_dbfs / 20)
    hum = np.sin(2 * np.pi * hum_hz * t) * 10 ** (hum_dbfs / 20) * np.sqrt(2)
    talk = np.convolve(DICE.standard_normal(len(t) + 5), np.ones(6) / 6, "valid") * (t % 4 < 2)
    talk = talk / np.sqrt((talk[: 2 * RATE] ** 2).mean()) * 10 ** (speech_dbfs / 20)
    return np.clip((noise + hum + talk) * 32768, -32768, 32767).astype(np.int16)


def measured(pcm, piece=3000):
    meter = HealthMeter(RATE)
    for at in range(0, len(pcm), piece):
        meter.feed(pcm[at : at + piece])
    return meter.result()


@pytest.mark.parametrize("hz", [50, 60])
@pytest.mark.parametrize("dbfs", [-60.0, -45.0, -30.0])
def test_hum_is_measured_under_speech(hz, dbfs):
    health = measured(line(hum_hz=hz, hum_dbfs=dbfs))
    here, there = (health.hum_50_dbfs, health.hum_60_dbfs) if hz == 50 else (health.hum_60_dbfs, health.hum_50_dbfs)
    assert here == pytest.approx(dbfs, abs=1.5 if dbfs > -50 else 4)  # the talk itself has something at 50 Hz
    assert there < dbfs - 15 or there < -55


def test_noise_speech_and_clipping():
    health = measured(line(noise_dbfs=-60.0, speech_dbfs=-25.0))
    assert health.noise_dbfs == pytest.approx(-61, abs=3)
    assert health.speech_dbfs == pytest.approx(-27, abs=4)
    assert health.clipped_share == 0
    assert measured(line(speech_dbfs=2.0)).clipped_share > 0.01
    assert measured(line(speech_dbfs=-120.0)).speech_dbfs is None
    assert measured(np.zeros(100, dtype=np.int16)) is None


def test_a_sealed_recording_of_an_analog_line_is_measured(tmp_path, studio_raw):
    told = []
    sealer = Sealer(data_dir=tmp_path, sink=told.append, clock=SystemClock())
    sealer.seal(studio_raw)
    kinds = [type(event) for event in told]
    assert kinds == [RecordingSealed, LineMeasured]
    assert told[1].health.hum_50_dbfs == pytest.approx(-40, abs=1.5)


@pytest.fixture
def studio_raw(tmp_path: Path) -> Path:
    spool = tmp_path / "spool"
    spool.mkdir()
    header = Header(
        recording=RecordingId("20261122T102233123Z-fxo-1.p1"),
        call=CallId("20261122T102233123Z-fxo-1"),
        line=LineId("fxo-1"),
        part=1,
        rate_hz=RATE,
        roles=(ChannelRole.MIXED,),
        at=SystemClock().now(),
        boot_id="boot",
        seed="seed",
    )
    raw = RawFile(spool, header)
    raw.append(line(5, hum_dbfs=-40.0).tobytes())
    raw.close()
    return raw.path


def test_it_is_stored_with_the_call_and_shown(tmp_path):
    world = World(tmp_path)
    first = ringing(START, number=None)
    name = RecordingId(f"{first.id}.p1")
    for seconds in (0, 5, 10):
        world.store([ring(first, START.plus_s(seconds))])
    answered = talking(first, START.plus_s(12))
    health = LineHealth(hum_50_dbfs=-35.0, hum_60_dbfs=-80.0, noise_dbfs=-60.0, speech_dbfs=-28.0, clipped_share=0.01)
    world.store(
        [LineKnown(line=LINE, kind=LineKind.ANALOG, driver="fxo-gpio", label="", at=START), SaveCall(call=answered)],
        [opened(answered, START.plus_s(12))],
        [closed(answered, START.plus_s(60))],
        [SaveCall(call=ended(answered, START.plus_s(60)))],
        [LineMeasured(line=LINE, at=START.plus_s(61), recording=name, health=health)],
    )
    db = world.read()
    (found,) = line_health(db)
    assert found["ring_period_ms"] == 5000
    assert (found["incoming"], found["trend"]["hum_50_dbfs"]["median"]) == (1, -35.0)
    assert [call["clipped_share"] for call in found["calls"]] == [0.01]
    assert line_health(db, line="fxo-9") == []
    box = Box(world.path.parent, tmp_path)
    shown = CliRunner().invoke(command, ["--json"], obj=box)
    assert json.loads(shown.output)["lines"][0]["line"] == "fxo-1"
    table = CliRunner(env={"COLUMNS": "250"}).invoke(command, [], obj=box)
    assert "hums at 50 Hz" in table.output
    assert "clips" in table.output
