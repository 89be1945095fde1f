"""The sync process against Debian's mosquitto and the real receiver."""

from __future__ import annotations

import json

from tests.sync.box.box import Box, Receiver, eventually
from tests.sync.faults.mosquitto import Mosquitto


def test_calls_arrive_byte_for_byte_and_sound_stays_on_the_box(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(3, size=150_016)
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.waits() == 0, what="everything stored")
    assert receiver.stored() == box.masters()
    (seqs,) = receiver.rows("SELECT count(*), max(seq) FROM record")
    assert seqs[0] == seqs[1] == box.rows("SELECT max(seq) AS n FROM outbox_event")[0]["n"]
    assert len(box.masters()) == 3
    # What happens from now on arrives, too.
    box.calls(1)
    eventually(lambda: box.waits() == 0, 10, what="the new call stored")
    assert box.stop() == 0


def test_a_killed_process_goes_on_where_it_was(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(2, size=800_000)
    box.configure(broker.port, "limit_kbps = 8000\n")
    for _ in range(3):
        box.start()
        eventually(lambda: box.status()["phase"] == "ready", what="ready")
        box.kill()
        (box.run_dir / "sync" / "status.json").unlink()
    box.start()
    eventually(lambda: box.waits() == 0, what="everything stored")
    assert receiver.stored() == box.masters()


def test_a_broker_that_forgets_everything_loses_nothing(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(5, size=500_000)
    box.configure(broker.port, "limit_kbps = 8000\n")
    box.start()
    for _ in range(3):
        eventually(lambda: box.status()["phase"] == "ready", what="ready")
        broker.kill()
        broker.start()
    eventually(lambda: box.waits() == 0, 40, what="everything stored")
    assert receiver.stored() == box.masters()


def test_without_a_receiver_everything_waits_and_the_box_says_why(box: Box, broker: Mosquitto) -> None:
    box.calls(1)
    before = box.waits()
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.status()["phase"] == "away", what="away")
    eventually(lambda: bool(box.status()["last_error"]), what="an error")
    assert box.waits() >= before
    shown = json.loads(box.offhook("sync", "status", "--json").stdout)
    assert shown["records"] > 0
    assert shown["oldest_s"] is not None


def test_the_test_proves_the_whole_path(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(1)
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", what="ready")
    found = box.offhook("sync", "test", "--json")
    answer = json.loads(found.stdout)
    assert found.returncode == 0, answer
    assert answer["ok"]
    assert answer["file_bytes"] == 1_000_000
    assert answer["records"] >= 1
    assert answer["read_back"]
    assert receiver.rows("SELECT count(*) FROM record WHERE type = 'sync.test'") == [(1,)]
    assert box.status()["test"]["ok"]


def test_the_test_says_what_does_not_work(box: Box) -> None:
    assert box.offhook("sync", "test").returncode == 3, "no process runs"
    box.start()
    eventually(lambda: box.status()["phase"] == "off", what="status")
    found = box.offhook("sync", "now")
    assert found.returncode == 4
    assert "no cloud is configured" in found.stderr


def test_a_pause_outlives_the_process_and_records_go_on(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(1, size=50_016)
    box.configure(broker.port)
    box.world.rows("SELECT 1")
    box.start()
    eventually(lambda: box.waits() == 0, what="the first call stored")
    assert box.offhook("sync", "pause").returncode == 0
    box.stop()
    box.start()
    box.calls(1, size=50_016)
    eventually(lambda: box.waits() == 1, what="only the recording waits")
    assert len(receiver.stored()) == 1
    assert box.offhook("sync", "resume").returncode == 0
    eventually(lambda: box.waits() == 0, what="the recording stored")


def test_commands_of_the_cloud_are_carried_out_once(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(1)
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.waits() == 0, what="everything stored")
    asked = {op: receiver.run("command", "box-1", op).stdout.strip() for op in ("status.get", "sync.pause", "reboot")}
    late = receiver.run("command", "box-1", "sync.now", "--hours", "0").stdout.strip()

    def states() -> dict[str, str]:
        return {row["id"]: row["state"] for row in box.rows("SELECT id, state FROM sync_command")}

    wanted = {asked["status.get"]: "done", asked["sync.pause"]: "done", asked["reboot"]: "unsupported"}
    eventually(lambda: wanted.items() <= states().items(), what="results")
    assert states().get(late, "expired") == "expired"


def test_other_settings_take_effect_without_a_restart(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(1)
    box.start()
    eventually(lambda: box.status()["phase"] == "off", what="idle")
    pid = box.pid
    box.configure(broker.port)
    eventually(lambda: box.waits() == 0, what="everything stored")
    assert box.pid == pid


def test_a_lost_file_is_told_and_the_others_go(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(3)
    lost, damaged, _ = sorted((box.data / "recordings").rglob("*.flac"))
    lost.unlink()
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.waits() == 0, 30, what="everything else stored")
    aside = box.rows("SELECT path, last_err FROM outbox_file WHERE state = 'quarantined' AND path LIKE '%.flac'")
    assert {row["path"].rsplit("/", 1)[1] for row in aside} == {lost.name, damaged.name}
    assert len(receiver.stored()) == 1
    eventually(lambda: box.status()["phase"] == "ready", what="ready")
