"""Commands of the cloud that touch more than the sync process: a real recorder, wishes to the system, the journal."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware.clock import SystemClock
from firmware.store.second_writer import SecondWriter
from tests.sync.box.box import ROOT, Box, Receiver, eventually
from tests.sync.box.cloud import Cloud
from tests.sync.faults.mosquitto import Mosquitto


@pytest.fixture
def cloud(broker: Mosquitto) -> Iterator[Cloud]:
    cloud = Cloud(broker.port)
    yield cloud
    cloud.close()


NO_AUDIO = 'audio = "none"\n'
"""This cloud answers for records only."""


@contextmanager
def recorder(box: Box) -> Iterator[None]:
    """`offhook run` on the box's folders, without any line."""
    log = (box.data.parent / "recorder.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "--data", str(box.data), "--run-dir", str(box.run_dir), "run"],
        cwd=ROOT,
        stdout=log,
        stderr=log,
    )
    eventually((box.run_dir / "recorder.sock").exists, 40, what="the recorder's socket")
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        log.close()


def wish(box: Box, name: str) -> Path:
    return box.run_dir / "sync-wishes" / name


def wished(box: Box, name: str) -> None:
    """Waits for the wish and for the mark of it: a box that is killed between the two wishes the same once more."""

    def is_kept() -> bool:
        kept = [
            json.loads(row["answer"]) for row in box.rows("SELECT answer FROM sync_command WHERE state = 'running'")
        ]
        return wish(box, name).exists() and any((each["result"] or {}).get("wished") for each in kept)

    eventually(is_kept, what="the wish")


def test_settings_and_erasure_go_through_the_recorder(box: Box, broker: Mosquitto, cloud: Cloud) -> None:
    box.calls(2)
    box.configure(broker.port, NO_AUDIO + "take_settings = true\n")
    with recorder(box):
        settings_and_erasure(box, cloud)


def settings_and_erasure(box: Box, cloud: Cloud) -> None:
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", 30, what="ready")
    document = box.rows("SELECT document FROM setting ORDER BY version DESC LIMIT 1")[0]["document"]
    cloud.say("cfg", {"ver": 7, "document": "[box]\nname = 5\n" + document})
    eventually(lambda: bool(cloud.reports), what="a report")
    assert not cloud.reports[0]["applied"]
    assert "box.name" in cloud.reports[0]["error"]
    cloud.say("cfg", {"ver": 8, "document": '[box]\nname = "From above"\n' + document + "allow_erase = true\n"})
    eventually(lambda: len(cloud.reports) == 2, what="the second report")
    assert cloud.reports[1]["applied"], cloud.reports[1]
    (newest,) = box.rows("SELECT applied_by, document FROM setting ORDER BY version DESC LIMIT 1")
    assert newest["applied_by"] == "cloud"
    assert "From above" in newest["document"]
    cloud.say("cfg", {"ver": 8, "document": "[box]\n"})
    eventually(lambda: len(cloud.reports) == 3, what="the same version answered again")
    assert cloud.reports[2] == cloud.reports[1]
    # The process starts anew with the new settings, and may erase now.
    eventually(lambda: cloud.hellos >= 2, 30, what="the next hello")
    first, second = box.rows("SELECT id, flac_path FROM recording ORDER BY id")
    cloud.command("e1", "recording.erase", recording=first["id"], reason="asked by the caller")
    assert cloud.done("e1")["result"] == {"erased": True}
    assert not (box.data / first["flac_path"]).exists()
    assert (box.data / second["flac_path"]).exists()
    cloud.command("e1", "recording.erase", recording=second["id"])
    cloud.command("e2", "recording.erase", recording="nothing")
    assert "no recording" in cloud.done("e2", "failed")["error"]
    assert (box.data / second["flac_path"]).exists(), "an id is carried out once, whatever comes with it"
    assert box.rows("SELECT by, reason FROM deletion") == [{"by": "cloud", "reason": "asked by the caller"}]


def test_a_clock_that_agrees_with_the_cloud_is_noted_and_told(box: Box, broker: Mosquitto, cloud: Cloud) -> None:
    box.configure(broker.port, NO_AUDIO)
    with recorder(box):
        box.start()
        fixed = "SELECT body FROM outbox_event WHERE type = 'clock.fixed'"
        eventually(lambda: any('"source":"cloud"' in row["body"] for row in box.rows(fixed)), 30, what="clock.fixed")
        assert box.rows("SELECT source FROM boot ORDER BY boot_no DESC LIMIT 1") == [{"source": "cloud"}]


def test_erasure_is_off_unless_the_owner_allows_it(box: Box, broker: Mosquitto, cloud: Cloud) -> None:
    box.calls(1)
    box.configure(broker.port, NO_AUDIO)
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", 30, what="ready")
    (recording,) = box.rows("SELECT id, flac_path FROM recording")
    cloud.command("e1", "recording.erase", recording=recording["id"])
    assert "allow_erase" in cloud.done("e1", "failed")["error"]
    assert (box.data / recording["flac_path"]).exists()
    cloud.command("late", "sync.pause", not_after_ms=1)
    cloud.done("late", "expired")
    cloud.command("c1", "config.get")
    assert "[sync]" in cloud.done("c1")["result"]["document"]
    cloud.command("r1", "cert.renew")
    assert "by hand" in cloud.done("r1", "failed")["error"]


def test_a_restart_is_wished_once_and_done_when_the_next_boot_is_there(
    box: Box, broker: Mosquitto, cloud: Cloud
) -> None:
    box.configure(broker.port, NO_AUDIO)
    box.calls(1)
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", 30, what="ready")
    cloud.command("b1", "box.reboot")
    cloud.done("b1", "running")
    wished(box, "reboot")
    assert json.loads(wish(box, "reboot").read_text())["id"] == "b1"
    box.kill()
    wish(box, "reboot").unlink()  # systemd restarts the machine; its folder is empty afterwards
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", 30, what="ready again, in the same boot")
    cloud.command("b1", "box.reboot")
    time.sleep(3)
    assert not wish(box, "reboot").exists(), "the same command wishes only once"
    box.kill()
    writer = SecondWriter(box.data / "offhook.db", SystemClock(), boot_name="the-next-boot")
    writer.write(lambda tx: None)
    writer.close()
    box.start()
    cloud.done("b1", "done", 30)
    assert not wish(box, "reboot").exists()


def test_an_update_is_the_updaters_business(box: Box, broker: Mosquitto, cloud: Cloud) -> None:
    box.configure(broker.port, NO_AUDIO)
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", 30, what="ready")
    cloud.command("u1", "update.install", version="2.0.0", url="https://updates.example/x.raucb")
    path = wish(box, "update-install")
    wished(box, "update-install")
    assert json.loads(path.read_text()) == {
        "id": "u1",
        "version": "2.0.0",
        "url": "https://updates.example/x.raucb",
    }
    path.unlink()
    answers = box.data / "update"
    answers.mkdir()
    (answers / "answer-u1.json").write_text(json.dumps({"id": "u1", "state": "running"}))
    box.kill()  # the new system starts
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", 30, what="ready")
    assert cloud.last("u1")["state"] == "running"
    (answers / "answer-u1.json").write_text(
        json.dumps({"id": "u1", "state": "done", "result": {"current": "2.0.0"}, "error": None})
    )
    assert cloud.done("u1")["result"] == {"current": "2.0.0"}
    assert not (answers / "answer-u1.json").exists()
    cloud.command("u2", "update.install", url=5)
    assert "url" in cloud.done("u2", "failed")["error"]


def test_a_box_without_an_updater_says_so(tmp_path: Path) -> None:
    from sync import wire  # noqa: PLC0415
    from sync.longer import Longer  # noqa: PLC0415
    from sync.renewal import Renewal  # noqa: PLC0415

    renewal = Renewal(None, send=lambda _request: None, reconnect=lambda: None)
    longer = Longer(tmp_path, tmp_path / "wishes", 1, renewal)
    kept = longer.begin(wire.Command(id="u1", op="update.check", not_after_ms=9), 0)
    assert longer.drive("u1", "update.check", kept, 0) is None
    assert (tmp_path / "wishes" / "update-check").exists()
    result = longer.drive("u1", "update.check", kept, 61_000)
    assert result is not None
    assert (result.state, result.error) == ("failed", "this box has no updater")
    assert not (tmp_path / "wishes" / "update-check").exists()


def test_the_log_is_a_file_in_the_cloud(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    tools = box.data.parent / "bin"
    tools.mkdir()
    journal = tools / "journalctl"
    journal.write_text('#!/bin/sh\necho "2026-11-30T12:00:00 offhook-recorder: $*"\n')
    journal.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{tools}:{before}"
    try:
        box.configure(broker.port)
        box.start()
    finally:
        os.environ["PATH"] = before
    eventually(lambda: box.status()["phase"] == "ready", 30, what="ready")
    receiver.run("command", "box-1", "log.upload")
    stored = "SELECT state, path FROM outbox_file WHERE recording_id LIKE 'log:%'"
    eventually(lambda: [row["state"] for row in box.rows(stored)] == ["stored"], 30, what="the log stored")
    (log,) = [path for path in receiver.data.rglob("*.gz") if "part" not in path.parts]
    assert "--unit=offhook-*" in gzip.decompress(log.read_bytes()).decode()
    eventually(lambda: not (box.data / box.rows(stored)[0]["path"]).exists(), what="the local copy gone")
