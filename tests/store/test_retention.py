"""The rules of keeping sound: days, free space per line, protection, the cloud, and the question before much goes."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from firmware.config_retention import CloudCopy, LineRetention, RetentionSettings, retention_part
from firmware.effects import SaveCall
from firmware.errors import RequestError
from firmware.model import Call, CallFlag, LineId
from firmware.store import queries, retention_ask
from firmware.store.deletion import SEALED, Rule, mark_deleted
from firmware.store.retention import make_room
from firmware.store.retention_forecast import forecast
from firmware.store.retention_plan import DAY_MS, Space, plan
from firmware.store.second_writer import SecondWriter
from firmware.store.transaction import fetch
from tests.store.world import World, closed, ended, opened, outbox, ring, ringing, sealed_files, talking, whole_call

MIB = 1024 * 1024
PLENTY = Space(100 * MIB, 50 * MIB)


@pytest.fixture
def writer(world: World) -> SecondWriter:
    return SecondWriter(world.path, world.clock, boot_name=world.boot_name)


def _call(world: World, line: str = "fxo-1", *, size: int = 2000) -> Call:
    at = world.clock.pass_s(60)
    call = ringing(at, line=LineId(line))
    up = talking(call, at.plus_s(2))
    world.store(
        [SaveCall(call=call), ring(call, at)],
        [SaveCall(call=up), opened(call, at)],
        [SaveCall(call=ended(up, at.plus_s(12))), closed(call, at.plus_s(12), seconds=2)],
        [sealed_files(world, call, at, size=size)],
    )
    return call


def _gone(world: World) -> set[str]:
    return {row["call_id"] for row in world.rows("SELECT call_id FROM recording WHERE status = 'deleted'")}


def _stored(writer: SecondWriter, *calls: Call) -> None:
    for call in calls:
        writer.write(
            lambda tx, c=call: tx.execute(  # type: ignore[misc]
                "UPDATE outbox_file SET state = 'stored' WHERE recording_id = ?", (f"{c.id}.p1",)
            )
        )


def _protect(writer: SecondWriter, call: Call) -> None:
    writer.write(
        lambda tx: tx.execute("INSERT INTO call_protection (call_id, by, at_utc_ms) VALUES (?, 'anna', 1)", (call.id,))
    )


def _run(writer: SecondWriter, world: World, rules: RetentionSettings, space: Space = PLENTY, **more: object):
    return make_room(writer, world.data_dir, rules=rules, space=lambda _: space, **more)  # type: ignore[arg-type]


def test_sound_older_than_its_lines_days_goes_and_the_log_says_why(world: World, writer: SecondWriter) -> None:
    old, of_another_line = _call(world), _call(world, "fxo-2")
    world.clock.pass_s(31 * 86_400)
    young = _call(world)
    rules = RetentionSettings(days=30, lines={"fxo-2": LineRetention(days=0)})
    assert _run(writer, world, rules).recordings == 1
    assert _gone(world) == {old.id}
    (row,) = world.rows("SELECT * FROM deletion")
    assert (row["call_id"], row["rule"], row["by"], row["line"], row["stored"]) == (
        old.id, "days", "retention", "fxo-1", 0,
    )  # fmt: skip
    assert young.id not in _gone(world)
    assert of_another_line.id not in _gone(world)
    assert [b["reason"] for _, kind, b in outbox(world) if kind == "recording.deleted"] == ["retention"]


def test_a_line_with_a_higher_part_goes_earlier(world: World, writer: SecondWriter) -> None:
    _call(world, "fxo-1", size=MIB)
    second = _call(world, "fxo-2", size=MIB)
    rules = RetentionSettings(min_free_percent=10, lines={"fxo-2": LineRetention(min_free_percent=20)})
    _run(writer, world, rules, Space(100 * MIB, 19 * MIB))
    assert _gone(world) == {second.id}


def test_protection_beats_every_rule(world: World, writer: SecondWriter) -> None:
    protected, other = _call(world, size=MIB), _call(world, size=MIB)
    _protect(writer, protected)
    world.clock.pass_s(100 * 86_400)
    rules = RetentionSettings(days=1)
    seen = plan(writer.db, rules, cloud=CloudCopy.NOTHING, space=PLENTY, now_utc_ms=world.clock.now().utc_ms)
    assert (len(seen.victims), seen.protected) == (1, 1)
    _run(writer, world, rules, Space(100 * MIB, 1))
    assert _gone(world) == {other.id}
    rows = fetch(writer.db, f"{SEALED} AND r.call_id = ?", (protected.id,))
    assert writer.write(lambda tx: mark_deleted(tx, rows, rule=Rule.PERSON, by="anna", reason="x")) == 0
    assert protected.id not in _gone(world)


def test_what_the_cloud_does_not_have_stays_unless_chosen_beforehand(world: World, writer: SecondWriter) -> None:
    here_only, in_cloud = _call(world, size=MIB), _call(world, size=MIB)
    _stored(writer, in_cloud)
    full = Space(100 * MIB, MIB)
    done = _run(writer, world, RetentionSettings(), full, cloud=CloudCopy.FLAC)
    assert (_gone(world), done.enough) == ({in_cloud.id}, False)
    (alarm,) = [a for a in queries.standing_alarms(world.read()) if a["key"] == "retention_unsynced"]
    assert "1 recordings" in alarm["text"]["en"]
    _run(writer, world, RetentionSettings(keep_until_in_cloud=False), full, cloud=CloudCopy.FLAC)
    assert _gone(world) == {here_only.id, in_cloud.id}


def test_where_only_opus_goes_to_the_cloud_opus_there_is_enough(world: World, writer: SecondWriter) -> None:
    call = _call(world, size=MIB)
    writer.write(lambda tx: tx.execute("UPDATE outbox_file SET state = 'stored' WHERE path LIKE '%.opus'"))
    full = Space(100 * MIB, MIB)
    _run(writer, world, RetentionSettings(), full, cloud=CloudCopy.FLAC)
    assert _gone(world) == set()
    _run(writer, world, RetentionSettings(), full, cloud=CloudCopy.OPUS)
    assert _gone(world) == {call.id}
    assert world.rows("SELECT stored FROM deletion") == [{"stored": 1}]


def test_a_run_that_would_delete_much_asks_and_deletes_nothing(world: World, writer: SecondWriter) -> None:
    for _ in range(5):
        whole_call(world)
    world.clock.pass_s(31 * 86_400)
    rules = RetentionSettings(days=30)
    done = _run(writer, world, rules, settings_version=3)
    assert (done.recordings, done.asked) == (0, True)
    _run(writer, world, rules, settings_version=3)
    question = retention_ask.open_question(writer.db)
    assert question is not None
    assert (question["recordings"], question["kept"]) == (5, 5)
    (alarm,) = [a for a in queries.standing_alarms(world.read()) if a["key"] == "retention_asks"]
    assert (alarm["count"], "100 %" in alarm["text"]["en"]) == (1, True)
    writer.write(lambda tx: retention_ask.decide(tx, ask=question["id"], yes=True, by="anna"))
    assert _run(writer, world, rules, settings_version=3).recordings == 5
    assert queries.ledger(world.read())["balanced"]
    assert retention_ask.open_question(writer.db) is None


def test_a_yes_counts_once_and_for_nothing_newer_than_was_shown(world: World, writer: SecondWriter) -> None:
    for _ in range(5):
        whole_call(world)
    world.clock.pass_s(31 * 86_400)
    rules = RetentionSettings(days=30)
    _run(writer, world, rules)
    question = retention_ask.open_question(writer.db)
    assert question is not None
    writer.write(lambda tx: retention_ask.decide(tx, ask=question["id"], yes=True, by="anna"))
    for _ in range(5):
        whole_call(world)
    world.clock.pass_s(31 * 86_400)
    assert _run(writer, world, rules).asked
    assert _gone(world) == set()
    with pytest.raises(RequestError, match="not open"):
        writer.write(lambda tx: retention_ask.decide(tx, ask=question["id"], yes=True, by="anna"))


def test_a_no_holds_until_the_rules_change(world: World, writer: SecondWriter) -> None:
    for _ in range(5):
        whole_call(world, size=MIB)
    world.clock.pass_s(31 * 86_400)
    rules = RetentionSettings(days=30)
    _run(writer, world, rules, settings_version=1)
    question = retention_ask.open_question(writer.db)
    assert question is not None
    writer.write(lambda tx: retention_ask.decide(tx, ask=question["id"], yes=False, by="anna"))
    done = _run(writer, world, rules, Space(100 * MIB, MIB), settings_version=1)
    assert (done.recordings, _gone(world)) == (0, set())
    assert {a["key"] for a in queries.standing_alarms(world.read())} == {"retention_exhausted"}
    _run(writer, world, rules, settings_version=2)
    assert retention_ask.open_question(writer.db) is not None


def test_while_nobody_answers_recording_goes_on(world: World, writer: SecondWriter) -> None:
    calls = [whole_call(world, size=MIB) for _ in range(8)]
    rules = RetentionSettings(min_free_percent=20)
    done = _run(writer, world, rules, Space(100 * MIB, MIB))  # 19 MiB are wanted, 1 MiB keeps recording alive
    assert done.asked
    assert _gone(world) == {calls[0].id}


def test_a_clock_that_jumps_by_ten_years_deletes_nothing(world: World, writer: SecondWriter) -> None:
    for _ in range(5):
        whole_call(world)
    world.clock.set_wall_ms(world.clock.now().utc_ms + 3650 * DAY_MS)
    assert _run(writer, world, RetentionSettings(days=365)).asked
    assert _gone(world) == set()


def test_calls_of_a_boot_with_a_wrong_clock_are_as_old_as_they_really_are(world: World, writer: SecondWriter) -> None:
    right_ms = world.clock.now().utc_ms
    world.clock.set_wall_ms(0)  # a Pi without a clock comes up in 1970
    world.reboot(off_s=60, wall_ms=0)
    whole_call(world)
    world.clock.set_wall_ms(right_ms)
    recorder = SecondWriter(world.path, world.clock, boot_name=world.boot_name)
    from firmware.store import boot  # noqa: PLC0415

    recorder.write(lambda tx: boot.follow_clock(tx, source="ntp"))
    assert _run(recorder, world, RetentionSettings(days=30)).recordings == 0


def test_the_log_of_deletions_cannot_be_changed(world: World, writer: SecondWriter) -> None:
    _call(world)
    world.clock.pass_s(10 * 86_400)
    _run(writer, world, RetentionSettings(days=1))
    for sql in ("DELETE FROM deletion", "UPDATE deletion SET by = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError, match="never changes"):
            writer.db.conn.execute(sql)


def test_the_forecast_names_days_and_the_next_deletion(world: World, writer: SecondWriter) -> None:
    first = [_call(world, size=MIB) for _ in range(2)]
    world.clock.pass_s(2 * 86_400)
    _call(world, size=MIB)
    _stored(writer, first[0])
    now_ms = world.clock.now().utc_ms
    zone = ZoneInfo("Asia/Shanghai")
    by_space = forecast(
        writer.db, RetentionSettings(), cloud=CloudCopy.FLAC, space=Space(100 * MIB, 20 * MIB), now_utc_ms=now_ms,
        zone=zone,
    )  # fmt: skip
    assert by_space.bytes == 6 * MIB
    assert by_space.bytes_per_day == pytest.approx(3 * MIB, rel=0.01)
    assert by_space.days_until_full == pytest.approx(10 / 3, rel=0.01)
    assert by_space.next is not None
    assert (by_space.next.calls, by_space.next.in_cloud) == (2, 1)
    assert by_space.not_in_cloud == 2
    by_days = forecast(
        writer.db, RetentionSettings(days=3), cloud=CloudCopy.NOTHING, space=PLENTY, now_utc_ms=now_ms, zone=zone
    )
    assert by_days.next is not None
    assert by_days.next.due_utc_ms == pytest.approx(now_ms + DAY_MS, abs=300_000)


def test_an_empty_box_has_no_forecast_and_asks_nothing(world: World, writer: SecondWriter) -> None:
    ahead = forecast(
        writer.db, RetentionSettings(), cloud=CloudCopy.NOTHING, space=PLENTY,
        now_utc_ms=world.clock.now().utc_ms, zone=ZoneInfo("UTC"),
    )  # fmt: skip
    assert (ahead.days_until_full, ahead.next, ahead.oldest_utc_ms) == (None, None, None)
    assert not _run(writer, world, RetentionSettings(days=1)).asked


@pytest.mark.parametrize(
    ("document", "days", "cloud"),
    [
        ("", 0, CloudCopy.NOTHING),
        ("[retention]\ndays = 9\n[sync]\nenabled = true\nhost = 'h'\n", 9, CloudCopy.FLAC),
        ("[sync]\nenabled = true\nhost = 'h'\naudio = 'opus'\n", 0, CloudCopy.OPUS),
        ("[sync]\nenabled = true\nhost = 'h'\naudio = 'none'\n", 0, CloudCopy.NOTHING),
        ("[retention]\ndays = -4\n", 0, CloudCopy.NOTHING),
        ("][", 0, CloudCopy.NOTHING),
    ],
)
def test_only_two_tables_of_the_settings_are_read(document: str, days: int, cloud: CloudCopy) -> None:
    rules, to_cloud = retention_part(document)
    assert (rules.days, to_cloud) == (days, cloud)


def test_files_of_a_deleted_recording_go(world: World, writer: SecondWriter, tmp_path: Path) -> None:
    call = _call(world)
    world.clock.pass_s(10 * 86_400)
    _run(writer, world, RetentionSettings(days=1))
    assert list((world.data_dir / "recordings").rglob(f"{call.id}*")) == []


def test_the_sound_of_a_call_that_the_rules_leave_out_is_thrown_away(world: World, writer: SecondWriter) -> None:
    at = world.clock.pass_s(60)
    call = ringing(at)
    up = talking(call, at.plus_s(2), parts=2)
    left_out = replace(ended(up, at.plus_s(12)), flags=frozenset({CallFlag.NOT_TO_BE_RECORDED}))
    world.store(
        [SaveCall(call=call), ring(call, at)],
        [SaveCall(call=up), opened(call, at)],
        [closed(call, at.plus_s(4), seconds=2)],
        [sealed_files(world, call, at)],
        [opened(call, at.plus_s(6), part=2)],
        [SaveCall(call=left_out), closed(call, at.plus_s(12), part=2, seconds=2)],
        [sealed_files(world, call, at, part=2)],
    )
    assert {row["status"] for row in world.rows("SELECT status FROM recording")} == {"deleted"}
    assert world.rows("SELECT * FROM outbox_file") == []
    assert {row["rule"] for row in world.rows("SELECT rule FROM deletion")} == {"not_to_be_recorded"}
    _run(writer, world, RetentionSettings())
    assert list((world.data_dir / "recordings").rglob(f"{call.id}*.flac")) == []
    (listed,) = queries.list_calls(world.read())
    assert listed["note"]["en"] == "not recorded, by the recording rules"
