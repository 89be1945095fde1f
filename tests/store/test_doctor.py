"""The doctor sees what is wrong, changes nothing unless asked, and loses nothing when asked."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware import doctor
from firmware.effects import Account, SaveCall
from firmware.model import Call, recording_id
from firmware.store import queries
from firmware.store.database import open_writer
from firmware.store.migrate import migrate
from tests.store.world import LINE, World, chain_of, ended, opened, ringing, sealed_files, talking, whole_call


def codes(report: doctor.Report) -> list[str]:
    return sorted(finding.code.value for finding in report.findings)


def change(world: World, sql: str, *parameters: object) -> None:
    db = sqlite3.connect(world.path, isolation_level=None)  # without foreign keys: damage knows no rules
    db.execute(sql, parameters)
    db.close()


def test_a_healthy_box_is_well_and_nothing_is_written(world: World) -> None:
    whole_call(world)
    before = {path: path.stat().st_mtime_ns for path in world.data_dir.rglob("*.flac")} | {
        world.path: world.path.stat().st_mtime_ns
    }
    report = doctor.examine(world.data_dir)
    assert report.as_json()["findings"] == []
    assert report.as_json()["ok"] is True
    assert report.rows_before["call"] == 1
    assert report.rows_before["ledger"] == 3
    assert report.rows_after is None
    assert {path: path.stat().st_mtime_ns for path in before} == before


def _missing_flac(world: World, call: Call) -> None:
    next(world.data_dir.rglob("*.flac")).unlink()


def _short_flac(world: World, call: Call) -> None:
    os.truncate(next(world.data_dir.rglob("*.flac")), 100)


def _flipped_opus(world: World, call: Call) -> None:
    path = next(world.data_dir.rglob("*.opus"))
    path.write_bytes(b"x" + path.read_bytes()[1:])


def _unknown_word(world: World, call: Call) -> None:
    up = ringing(world.clock.pass_s(60))
    world.store([SaveCall(call=ended(up, world.clock.now()))])
    db = open_writer(world.path)
    db.execute("DROP TRIGGER call_ended_never_changes")
    db.execute("UPDATE call SET outcome = 'abducted' WHERE id = ?", [up.id])
    db.close()


def _open_call(world: World, call: Call) -> None:
    world.store([SaveCall(call=ringing(world.clock.pass_s(60)))])


def _raw_gone(world: World, call: Call) -> None:
    up = ringing(world.clock.pass_s(60))
    world.store([SaveCall(call=ended(up, world.clock.now()))], [opened(up, world.clock.now())])


def _raw_waits(world: World, call: Call) -> None:
    _raw_gone(world, call)
    (row,) = world.rows("SELECT raw_path FROM recording WHERE raw_path IS NOT NULL")
    path = world.data_dir / row["raw_path"]
    path.parent.mkdir()
    path.write_bytes(b"\0" * 100)


def _never_recorded(world: World, call: Call) -> None:
    up = talking(ringing(world.clock.pass_s(60)), world.clock.now())
    world.store([SaveCall(call=ended(up, world.clock.now()))])


def _unexplained(world: World, call: Call) -> None:
    world.store([Account(line=LINE, at=world.clock.now(), kind="ring")])


def _hole(world: World, call: Call) -> None:
    change(world, "DELETE FROM outbox_event WHERE seq = 2")


def _refused(world: World, call: Call) -> None:
    world.store([opened(ringing(world.clock.pass_s(99)), world.clock.now())])


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (_missing_flac, "row_without_file"),
        (_short_flac, "file_damaged"),
        (_flipped_opus, "file_damaged"),
        (_unknown_word, "unknown_value"),
        (_open_call, "open_call_without_recorder"),
        (_raw_gone, "raw_file_missing"),
        (_raw_waits, "recording_not_sealed"),
        (_never_recorded, "call_without_recording"),
        (_unexplained, "ledger_unexplained"),
        (_hole, "outbox_hole"),
        (_refused, "fact_put_aside"),
    ],
)
def test_what_a_person_must_look_at_is_found_and_left_alone(
    world: World, harm: Callable[[World, Call], None], code: str
) -> None:
    harm(world, whole_call(world))
    report = doctor.examine(world.data_dir)
    assert codes(report) == [code]
    assert not report.ok
    assert report.findings[0].repair is None
    repaired = doctor.repair(world.data_dir, world.clock)
    assert not repaired.ok
    assert repaired.rows_after == repaired.rows_before
    assert not (world.data_dir / "backup").exists()


def test_a_running_recorder_makes_open_calls_and_raw_files_normal(world: World) -> None:
    up = talking(ringing(world.clock.now()), world.clock.now())
    world.store([SaveCall(call=up)], [opened(up, world.clock.now())])
    with (world.data_dir / "recorder.lock").open("w") as lock:
        assert codes(doctor.examine(world.data_dir)) == ["open_call_without_recorder", "raw_file_missing"]
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert doctor.examine(world.data_dir).ok


def test_files_without_a_row_are_taken_in_with_their_call(world: World) -> None:
    known = whole_call(world)
    at = world.clock.pass_s(60)
    lost, cut = ringing(at), ringing(at.plus_s(100))
    sealed_files(world, lost, at)
    name = recording_id(cut.id, 1)
    spool = world.data_dir / "spool"
    spool.mkdir()
    (spool / f"{name}.raw").write_bytes(b"\1\0" * 8000)
    (spool / f"{name}.jsonl").write_bytes(
        chain_of(name, cut, at.plus_s(100), part=1, seconds=1, boot_name="boot-1")[:-40]
    )
    found = doctor.examine(world.data_dir)
    assert codes(found) == ["file_without_row", "file_without_row"]
    assert all(finding.repair for finding in found.findings)

    report = doctor.repair(world.data_dir, world.clock)
    assert codes(report) == ["file_without_row", "file_without_row"]
    assert report.rows_after is not None
    assert (report.rows_before["call"], report.rows_after["call"]) == (1, 3)
    assert (report.rows_before["recording"], report.rows_after["recording"]) == (1, 3)
    assert [finding.code.value for finding in report.left] == ["recording_not_sealed"]
    listed = queries.list_calls(world.read())
    assert [row["id"] for row in listed] == [cut.id, lost.id, known.id]
    assert listed[1]["recordings"][0]["duration_ms"] == 2000
    assert len(list((world.data_dir / "backup").glob("before-repair-*.db"))) == 1


def test_a_file_without_its_sidecar_is_reported_and_kept(world: World) -> None:
    stray = world.data_dir / "recordings" / "stray.flac"
    stray.parent.mkdir()
    stray.write_bytes(b"fLaC")
    report = doctor.repair(world.data_dir, world.clock)
    assert codes(report) == ["file_without_row"]
    assert report.findings[0].repair is None
    assert stray.exists()


def test_a_gap_of_no_recording_is_set_aside_not_lost(world: World) -> None:
    whole_call(world)
    change(world, "INSERT INTO gap VALUES ('nobody.p1', 100, 5, 'overrun')")
    assert codes(doctor.examine(world.data_dir)) == ["orphan_row"]
    report = doctor.repair(world.data_dir, world.clock)
    assert report.ok
    assert report.rows_after is not None
    assert (report.rows_before["gap"], report.rows_after["gap"]) == (1, 0)
    (row,) = world.rows("SELECT * FROM quarantine")
    assert "nobody.p1" in row["ref"]


def test_damage_is_reported_with_what_to_do(world: World) -> None:
    whole_call(world)
    (index,) = world.rows("SELECT rootpage FROM sqlite_master WHERE name = 'ledger_call'")
    with world.path.open("r+b") as file:
        file.seek((index["rootpage"] - 1) * 4096)
        file.write(b"\xff" * 4096)
    for look in (doctor.examine, doctor.repair):
        report = look(world.data_dir)
        assert set(codes(report)) == {"database_damaged"}
        assert "offhook migrate" in report.findings[0].message
    world.path.write_bytes(b"garbage" * 1000)
    assert codes(doctor.examine(world.data_dir)) == ["database_damaged"]
    world.path.unlink()
    assert codes(doctor.examine(world.data_dir)) == ["database_missing"]
    migrate(world.path, world.clock)
    assert doctor.examine(world.data_dir).ok


def test_another_schema_is_a_finding(world: World) -> None:
    change(world, "PRAGMA user_version = 99")
    change(world, "UPDATE meta SET value = '99' WHERE key = 'works_since'")
    assert codes(doctor.examine(world.data_dir)) == ["schema"]


def test_hashing_tells_how_far_it_is_and_can_be_left_out(world: World) -> None:
    for _ in range(3):
        whole_call(world)
    steps: list[tuple[int, int]] = []
    doctor.examine(world.data_dir, progress=lambda done, of: steps.append((done, of)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    path = next(world.data_dir.rglob("*.flac"))
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert doctor.examine(world.data_dir, hashes=False).ok
    assert not doctor.examine(world.data_dir).ok


def test_a_call_with_two_parts_and_one_row_misses_one(world: World) -> None:
    call = whole_call(world)
    change(world, "DROP TRIGGER call_ended_never_changes")
    change(world, "UPDATE call SET parts = 2 WHERE id = ?", replace(call).id)
    assert codes(doctor.examine(world.data_dir)) == ["call_without_recording"]
