"""A card that fills up: the oldest sound goes, never the list, and never in silence."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from firmware import janitor
from firmware.config_retention import RetentionSettings
from firmware.effects import SaveCall
from firmware.model import Call
from firmware.store import queries, settings
from firmware.store.retention import finish_deletions, make_room
from firmware.store.retention_plan import Space
from firmware.store.scrub import scrub
from firmware.store.second_writer import SecondWriter
from tests.store.world import World, opened, outbox, ringing, sealed_files, talking, whole_call

TEN_PERCENT = RetentionSettings()
SIZE = 1024 * 1024
TOTAL = 100 * SIZE


class Card:
    """A disk of 100 MiB of which everything but ``other`` holds recordings."""

    def __init__(self, data_dir: Path, *, other_bytes: int) -> None:
        self._folder = data_dir / "recordings"
        self._other = other_bytes

    def __call__(self, _folder: Path) -> Space:
        used = sum(path.stat().st_size for path in self._folder.rglob("*.flac"))
        used += sum(path.stat().st_size for path in self._folder.rglob("*.opus"))
        return Space(TOTAL, TOTAL - self._other - used)


def _writer(world: World) -> SecondWriter:
    return SecondWriter(world.path, world.clock, boot_name=world.boot_name)


def _sound(world: World) -> dict[str, str]:
    return {row["id"]: row["status"] for row in world.rows("SELECT call_id AS id, status FROM recording")}


def _files(world: World, call: Call) -> list[str]:
    return sorted(path.name.removeprefix(call.id) for path in (world.data_dir / "recordings").rglob(f"{call.id}.*"))


def test_the_oldest_sound_goes_until_there_is_room_and_the_list_stays(world: World) -> None:
    calls = [whole_call(world, size=SIZE) for _ in range(6)]
    card = Card(world.data_dir, other_bytes=TOTAL - 12 * SIZE - 7 * SIZE)  # 7 % are free
    writer = _writer(world)
    done = make_room(writer, world.data_dir, rules=TEN_PERCENT, space=card)
    assert (done.recordings, done.enough) == (2, True)
    status = _sound(world)
    assert [status[call.id] for call in calls] == ["deleted"] * 2 + ["sealed"] * 4
    assert _files(world, calls[0]) == []
    assert _files(world, calls[2]) == [".p1.chain.jsonl", ".p1.flac", ".p1.opus", ".p1.peaks.json"]
    assert len(queries.list_calls(world.read())) == 6
    assert queries.list_calls(world.read())[-1]["note"]["en"] == "the sound was deleted"
    assert queries.ledger(world.read())["balanced"]
    (alarm,) = queries.standing_alarms(world.read())
    assert (alarm["key"], alarm["severity"]) == ("retention_deleted", "info")
    assert "2 recordings" in alarm["text"]["en"]
    told = [body for _, kind, body in outbox(world) if kind == "recording.deleted"]
    assert [(body["call_id"], body["stored"]) for body in told] == [(calls[0].id, False), (calls[1].id, False)]
    assert {row["recording_id"] for row in world.rows("SELECT recording_id FROM outbox_file")} == {
        f"{call.id}.p1" for call in calls[2:]
    }
    assert make_room(writer, world.data_dir, rules=TEN_PERCENT, space=card).recordings == 0


def test_what_the_cloud_has_goes_first(world: World) -> None:
    calls = [whole_call(world, size=SIZE) for _ in range(3)]
    writer = _writer(world)
    writer.write(
        lambda tx: tx.execute("UPDATE outbox_file SET state = 'stored' WHERE recording_id = ?", (f"{calls[1].id}.p1",))
    )
    card = Card(world.data_dir, other_bytes=TOTAL - 6 * SIZE - 9 * SIZE)
    assert make_room(writer, world.data_dir, rules=TEN_PERCENT, space=card).recordings == 1
    assert _sound(world) == {calls[0].id: "sealed", calls[1].id: "deleted", calls[2].id: "sealed"}


def test_open_and_unsealed_recordings_are_never_touched_and_the_admin_is_told(world: World) -> None:
    at = world.clock.now()
    call = talking(ringing(at), at)
    world.store([SaveCall(call=call)], [opened(call, at)])
    raw = world.data_dir / "spool" / f"{call.id}.p1.raw"
    raw.parent.mkdir()
    raw.write_bytes(b"\0" * SIZE)
    writer = _writer(world)
    done = make_room(writer, world.data_dir, rules=TEN_PERCENT, space=lambda _: Space(TOTAL, SIZE))
    assert (done.recordings, done.enough) == (0, False)
    assert raw.stat().st_size == SIZE
    (alarm,) = queries.standing_alarms(world.read())
    assert (alarm["key"], alarm["severity"]) == ("retention_exhausted", "critical")
    assert "1.0 %" in alarm["text"]["en"]
    make_room(writer, world.data_dir, rules=TEN_PERCENT, space=lambda _: Space(TOTAL, 50 * SIZE))
    assert queries.standing_alarms(world.read()) == []


def test_a_disk_that_gives_nothing_back_does_not_cost_all_recordings(world: World) -> None:
    for _ in range(30):
        whole_call(world, size=SIZE)
    done = make_room(_writer(world), world.data_dir, rules=TEN_PERCENT, space=lambda _: Space(TOTAL, 9 * SIZE))
    assert not done.enough
    assert done.recordings <= 8


def test_a_deletion_that_was_cut_off_is_finished(world: World) -> None:
    call = whole_call(world)
    writer = _writer(world)
    writer.write(lambda tx: tx.execute("UPDATE recording SET status = 'deleted'"))
    assert len(_files(world, call)) == 4
    assert finish_deletions(writer, world.data_dir) == 1
    assert _files(world, call) == []
    assert finish_deletions(writer, world.data_dir) == 0


def test_scrub_finds_a_flipped_bit_a_short_file_and_a_missing_one(world: World) -> None:
    calls = [whole_call(world) for _ in range(4)]
    folder = world.data_dir / "recordings" / "2026" / "11" / "18"
    flipped = folder / f"{calls[0].id}.p1.flac"
    good = flipped.read_bytes()
    flipped.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    os.truncate(folder / f"{calls[1].id}.p1.opus", 10)
    (folder / f"{calls[2].id}.p1.flac").unlink()
    writer = _writer(world)
    assert scrub(writer, world.data_dir) == 3
    found = {alarm["subject"]: alarm["text"]["en"] for alarm in queries.standing_alarms(world.read())}
    assert set(found) == {f"{call.id}.p1" for call in calls[:3]}
    assert "SHA-256" in found[f"{calls[0].id}.p1"]
    assert "10 bytes instead of" in found[f"{calls[1].id}.p1"]
    assert "missing" in found[f"{calls[2].id}.p1"]
    flipped.write_bytes(good)
    scrub(writer, world.data_dir)  # comes to the end
    assert scrub(writer, world.data_dir) == 2
    assert len(queries.standing_alarms(world.read())) == 2


def test_a_run_backs_up_keeps_two_and_leaves_a_complete_copy(world: World) -> None:
    whole_call(world)
    for _ in range(3):
        assert janitor.run(world.data_dir, world.clock) == 0
        for copy in (world.data_dir / "backup").glob("*.db"):
            os.utime(copy, (copy.stat().st_mtime - 86_400,) * 2)
        world.clock.pass_s(86_400)
    copies = sorted((world.data_dir / "backup").iterdir())
    assert len(copies) == 2
    assert sqlite3.connect(copies[-1]).execute("SELECT count(*) FROM call").fetchone()[0] == 1


def test_a_second_run_the_same_day_makes_no_second_backup(world: World) -> None:
    world.clock.set_wall_ms(time.time_ns() // 1_000_000)
    janitor.run(world.data_dir, world.clock)
    world.clock.pass_s(60)
    janitor.run(world.data_dir, world.clock)
    assert len(list((world.data_dir / "backup").iterdir())) == 1


@pytest.mark.parametrize(
    ("document", "percent"),
    [
        ("", 10),
        ("[retention]\nmin_free_percent = 25\n", 25),
        ("[retention]\nmin_free_percent = 'much'\n", 10),
        ("[", 10),
    ],
)
def test_the_settings_say_how_much_stays_free(world: World, document: str, percent: int) -> None:
    writer = _writer(world)
    writer.write(lambda tx: settings.apply(tx, base_version=0, document=document, by="anna"))
    assert janitor.rules_in_force(writer)[0].min_free_percent == percent


def test_it_works_beside_a_recorder_that_writes(world: World) -> None:
    whole_call(world, size=SIZE)
    recorder = world.writer()
    recorder.start()
    for _ in range(50):
        recorder.submit([SaveCall(call=ringing(world.clock.pass_s(1)))])
    make_room(_writer(world), world.data_dir, rules=TEN_PERCENT, space=lambda _: Space(TOTAL, 9 * SIZE))
    recorder.stop(10)
    told = outbox(world)
    assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))
    assert sum(kind == "call.started" for _, kind, _ in told) == 51
    assert json.dumps(told)


def test_a_recording_sealed_again_after_its_deletion_is_listed_again(world: World) -> None:
    call = whole_call(world)
    _writer(world).write(lambda tx: tx.execute("UPDATE recording SET status = 'deleted', flac_path = NULL"))
    world.store([sealed_files(world, call, world.clock.now())])
    assert _sound(world) == {call.id: "sealed"}
