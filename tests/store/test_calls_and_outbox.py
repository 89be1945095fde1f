"""What is told to the store is what the list, the ledger and the cloud get, once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from firmware.effects import Account, Fault, RaiseAlarm, ResolveAlarm, SaveCall
from firmware.errors import ConflictError, RequestError
from firmware.model import CallFlag, CallStatus, ChannelRole, LineId, Outcome
from firmware.ports import Gap, GapCause, RecordingFailed, SealFailed
from firmware.store import alarms, queries, settings
from firmware.store.facts import HoleBegun, HoleEnded
from firmware.store.notes import cut_short_note
from firmware.store.recovery import open_calls_as_stored
from firmware.store.transaction import Committed, Transaction
from tests.store.world import (
    LINE,
    World,
    closed,
    ended,
    opened,
    outbox,
    ring,
    ringing,
    sealed_files,
    talking,
    whole_call,
)


def test_a_call_is_listed_as_docs_interfaces_says(world: World) -> None:
    call = whole_call(world)
    (listed,) = queries.list_calls(world.read())
    assert (listed["id"], listed["outcome"], listed["number"]) == (call.id, "answered", "0211234567")
    assert listed["ended_utc_ms"] - listed["answered_utc_ms"] == 10_000
    assert listed["note"] is None
    (recording,) = listed["recordings"]
    assert (recording["status"], recording["duration_ms"], recording["roles"]) == ("sealed", 2000, ["mixed"])
    assert (world.data_dir / recording["flac_path"]).exists()


def test_each_change_is_one_record_for_the_cloud_and_the_same_value_again_is_none(world: World) -> None:
    call = whole_call(world)
    told = [kind for _, kind, _ in outbox(world)]
    assert told == ["call.started", "call.updated", "call.ended", "recording.sealed"]
    world.store([SaveCall(call=call)])
    assert [kind for _, kind, _ in outbox(world)] == told


def test_a_sealed_recording_queues_flac_and_opus_with_content_bound_ids(world: World) -> None:
    whole_call(world)
    files = world.rows("SELECT fid, path, sha256, prio, state FROM outbox_file ORDER BY path")
    assert [row["path"].rsplit(".")[-1] for row in files] == ["flac", "opus"]
    for row in files:
        assert len(row["fid"]) == 26 + 1 + 16
        assert row["fid"].endswith(row["sha256"][:16])
        assert (row["prio"], row["state"]) == (3, "pending")


def test_an_ended_call_never_changes_and_the_rest_of_the_transaction_is_kept(world: World) -> None:
    call = whole_call(world)
    world.store(
        [SaveCall(call=replace(call, number="666")), ring(call, call.started.plus_s(1), kind="polarity_reversed")]
    )
    (listed,) = queries.list_calls(world.read())
    assert listed["number"] == "0211234567"
    assert len(queries.ledger(world.read())["entries"]) == 4
    assert [alarm["key"] for alarm in queries.standing_alarms(world.read())] == ["fact_refused"]


def test_the_ledger_knows_what_every_event_became(world: World) -> None:
    answered = whole_call(world)
    missed = whole_call(world, outcome=Outcome.MISSED)
    at = world.clock.pass_s(60)
    up = ringing(at)
    world.store(
        [SaveCall(call=up), ring(up, at)],
        [Account(line=LINE, at=at.plus_s(1), kind="polarity_reversed", fault=Fault.REVERSAL_WITHOUT_CALL)],
        [HoleBegun(line=LINE, since=at.plus_s(2))],
        [HoleEnded(line=LINE, until=at.plus_s(9))],
    )
    ledger = queries.ledger(world.read())
    assert ledger["balance"] == {"call": 3, "missed": 3, "fault": 2, "open": 1, "unexplained": 0}
    assert ledger["balanced"]
    assert {entry["call_id"] for entry in ledger["entries"]} == {answered.id, missed.id, up.id, None}
    assert [fault["fault"] for fault in ledger["faults"]] == ["recorder_was_down", "reversal_without_call"]
    hole = ledger["entries"][-1]
    assert hole["until_utc_ms"] - hole["at_utc_ms"] == 7000
    assert ledger["faults"][0]["text"]["zh"]
    period = queries.Period(since_utc_ms=at.utc_ms, until_utc_ms=at.utc_ms + 1)
    assert [entry["disposition"] for entry in queries.ledger(world.read(), period=period)["entries"]] == ["open"]


def test_a_fault_that_a_call_claims_later_stays_one_entry_and_the_cloud_is_told_again(world: World) -> None:
    first = whole_call(world)
    at = world.clock.pass_s(5)
    knock = Account(line=LINE, at=at, kind="waiting_call", fault=Fault.WAITING_CALL_NOT_TAKEN)
    world.store([knock])
    taken = ringing(at.plus_s(10))
    world.store([SaveCall(call=taken), replace(knock, call=taken.id, fault=None, claims=True)])
    (entry,) = [e for e in queries.ledger(world.read())["entries"] if e["kind"] == "waiting_call"]
    assert (entry["call_id"], entry["fault"], entry["disposition"]) == (taken.id, None, "open")
    assert first.id != taken.id
    rows = world.read().query("SELECT body FROM outbox_event WHERE type = 'ledger.fault' ORDER BY seq")
    told = [json.loads(row["body"]) for row in rows]
    assert [(one["id"], one["fault"]) for one in told] == [(entry["id"], "waiting_call_not_taken"), (entry["id"], None)]


@pytest.mark.parametrize("outcome", [Outcome.BUSY, Outcome.NO_ANSWER, Outcome.FAILED, Outcome.ABANDONED])
def test_only_incoming_calls_are_missed(world: World, outcome: Outcome) -> None:
    whole_call(world, outcome=outcome)
    assert queries.ledger(world.read())["balance"]["call"] == 3


def test_an_event_that_belongs_to_nothing_raises_an_alarm(world: World) -> None:
    at = world.clock.now()
    nobodys = ringing(at.plus_s(1))
    world.store([Account(line=LINE, at=at, kind="ring")], [ring(nobodys, at.plus_s(1))])
    ledger = queries.ledger(world.read())
    assert (ledger["balance"]["unexplained"], ledger["balanced"]) == (2, False)
    (alarm,) = queries.standing_alarms(world.read())
    assert (alarm["key"], alarm["severity"], alarm["count"]) == ("ledger_unexplained", "critical", 2)
    assert nobodys.id in alarm["text"]["en"]


def test_the_same_entry_again_is_one_and_another_one_at_the_same_moment_is_two(world: World) -> None:
    call = ringing(world.clock.now())
    entry = ring(call, world.clock.now())
    world.store([SaveCall(call=call), entry], [entry], [replace(entry, detail="the other burst")])
    assert len(queries.ledger(world.read())["entries"]) == 2


def test_an_alarm_stands_once_is_counted_acknowledged_and_resolved(world: World) -> None:
    writer = world.writer()
    writer.start()
    at = world.clock.now()
    alarm = RaiseAlarm(key="line_down", subject=LINE, at=at, params={"reason": "unplugged"})
    writer.submit([alarm])
    writer.submit([alarm])
    writer.flush(5)
    (standing,) = queries.standing_alarms(world.read())
    assert (standing["count"], standing["severity"]) == (2, "critical")
    assert standing["text"] == {
        "en": "Line fxo-1 is out of sight: unplugged",
        "zh": "线路 fxo-1 已失去连接：unplugged",
    }
    number = standing["id"]
    acknowledged = writer.call(lambda tx: alarms.acknowledge(tx, alarm=number, by="anna"))
    assert acknowledged["acknowledged_utc_ms"] == at.utc_ms
    with pytest.raises(RequestError, match="no alarm 99"):
        writer.call(lambda tx: alarms.acknowledge(tx, alarm=99, by="anna"))
    writer.submit([ResolveAlarm(key="line_down", subject=LINE, at=at.plus_s(5))])
    writer.submit([alarm])
    writer.stop(5)
    assert [(a["count"], a["resolved_utc_ms"] is None) for a in queries.alarm_history(world.read())] == [
        (1, True),
        (2, False),
    ]
    assert [kind for _, kind, _ in outbox(world)] == [
        "alarm.raised", "alarm.repeated", "alarm.acknowledged", "alarm.resolved", "alarm.raised",
    ]  # fmt: skip


def test_settings_change_only_on_the_version_in_force(world: World) -> None:
    writer = world.writer()
    writer.start()
    assert writer.call(lambda tx: settings.apply(tx, base_version=0, document="a = 1", by="anna")) == 1
    with pytest.raises(ConflictError, match="version 1 is in force"):
        writer.call(lambda tx: settings.apply(tx, base_version=0, document="a = 2", by="bert"))
    assert writer.call(lambda tx: settings.apply(tx, base_version=1, document="a = 2", by="bert")) == 2
    writer.stop(5)
    newest = settings.newest(world.read())
    assert newest is not None
    assert (newest.version, newest.document, newest.applied_by) == (2, "a = 2", "bert")


def test_the_outbox_has_no_holes_whatever_is_rolled_back_or_refused(world: World) -> None:
    writer = world.writer()
    writer.start()

    def changes_its_mind(tx: Transaction) -> None:
        alarms.raise_alarm(tx, key="line_down", subject="x", at=tx.now)
        raise RuntimeError("no")

    nobodys = opened(ringing(world.clock.now(), line=LineId("sim-9")), world.clock.now())
    for number in range(20):
        call = ringing(world.clock.pass_s(1))
        with pytest.raises(RuntimeError, match="no"):
            writer.call(changes_its_mind)
        writer.submit([SaveCall(call=call), nobodys, SaveCall(call=ended(call, world.clock.now(), Outcome.MISSED))])
        writer.submit([SaveCall(call=replace(call, number=str(number)))])
    writer.stop(10)
    told = outbox(world)
    assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))
    assert sum(kind == "call.ended" for _, kind, _ in told) == 20
    assert not any(body.get("key") == "line_down" for _, _, body in told)
    assert world.rows("SELECT count(*) AS n FROM quarantine")[0]["n"] == 20


def test_a_fact_that_fails_halfway_is_undone_as_a_whole(world: World) -> None:
    at = world.clock.now()
    call = talking(ringing(at), at)
    impossible = closed(call, at, gaps=(Gap(8000, 2**70, GapCause.OVERRUN),))
    world.store([SaveCall(call=call)], [opened(call, at)], [impossible, ring(call, at)])
    (listed,) = queries.list_calls(world.read())
    assert [recording["status"] for recording in listed["recordings"]] == ["recording"]
    assert len(queries.ledger(world.read())["entries"]) == 1
    assert [alarm["key"] for alarm in queries.standing_alarms(world.read())] == ["fact_refused"]


def test_listeners_hear_only_what_is_committed_and_on_the_writers_thread(world: World) -> None:
    heard: list[tuple[str, str]] = []

    def listen(committed: list[Committed]) -> None:
        db = world.read()
        stored = {row["key"] for row in queries.standing_alarms(db)}
        heard.extend((told.type, threading.current_thread().name) for told in committed if told.body["key"] in stored)

    writer = world.writer(on_commit=listen)
    writer.start()
    writer.submit([RaiseAlarm(key="line_down", subject=LINE, at=world.clock.now())])
    writer.stop(5)
    assert heard == [("alarm.raised", "store-writer")]


def test_recordings_tell_their_gaps_their_silence_and_their_end(world: World) -> None:
    at = world.clock.now()
    both = (ChannelRole.REMOTE, ChannelRole.LOCAL)
    call = talking(ringing(at), at)
    world.store(
        [SaveCall(call=call)],
        [opened(call, at, roles=both)],
        [
            closed(
                call,
                at,
                seconds=192,
                active_s=(0.0, 60.0),
                gaps=(Gap(8000, 40, GapCause.OVERRUN), Gap(16000, None, GapCause.QUEUE_FULL)),
                cut_short=True,
            )
        ],
    )
    (listed,) = queries.list_calls(world.read())
    (recording,) = listed["recordings"]
    assert recording["gaps"] == [
        {"at_ms": 1000, "missing_ms": 40, "cause": "overrun"},
        {"at_ms": 2000, "missing_ms": None, "cause": "queue_full"},
    ]
    assert (recording["one_way"], recording["silent"], recording["cut_short"]) == (True, False, True)
    assert listed["note"] == {
        "en": "cut short at 00:03:12; only one side is heard",
        "zh": "在 00:03:12 处中断；只有一方有声音",
    }
    assert cut_short_note(3_661_999)["en"] == "cut short at 01:01:01"


def test_the_hole_between_two_parts_is_a_gap_of_the_second(world: World) -> None:
    at = world.clock.now()
    call = talking(ringing(at), at)
    world.store(
        [SaveCall(call=call)],
        [opened(call, at)],
        [SaveCall(call=replace(call, parts=2, flags=frozenset({CallFlag.INTERRUPTED})))],
        [opened(call, at.plus_s(14), part=2)],
        [closed(call, at.plus_s(15), seconds=10, cut_short=True)],
    )
    hole = {"at_ms": 0, "missing_ms": 4000, "cause": "recorder_down"}
    (listed,) = queries.list_calls(world.read())
    assert [recording["gaps"] for recording in listed["recordings"]] == [[], [hole]]
    late = Gap(8000, 40, GapCause.OVERRUN)
    world.store([closed(call, at.plus_s(20), part=2, seconds=6, gaps=(late,))])
    (listed,) = queries.list_calls(world.read())
    assert listed["recordings"][1]["gaps"] == [hole, {"at_ms": 1000, "missing_ms": 40, "cause": "overrun"}]


def test_a_recording_that_never_began_is_listed_as_failed(world: World) -> None:
    at = world.clock.now()
    call = talking(ringing(at), at)
    failure = RecordingFailed(
        line=LINE,
        at=at,
        recording=opened(call, at).recording,
        call=call.id,
        part=1,
        cause=GapCause.DEVICE_LOST,
        reason="no such device",
    )
    world.store([SaveCall(call=call)], [failure], [failure])
    (listed,) = queries.list_calls(world.read())
    assert listed["recordings"][0]["status"] == "failed"
    assert listed["note"]["en"] == "could not be recorded"
    assert [kind for _, kind, _ in outbox(world)] == ["call.started", "recording.failed"]


def test_sealing_again_after_a_power_cut_is_told_to_the_recorder_but_not_to_the_cloud(world: World) -> None:
    at = world.clock.now()
    call = talking(ringing(at), at)
    told: list[Committed] = []
    world.store([SaveCall(call=call)], [opened(call, at)], [closed(call, at)])
    writer = world.writer(on_commit=told.extend)
    writer.start()
    done = sealed_files(world, call, at)
    writer.submit([SealFailed(line=LINE, at=at, recording=done.recording, reason="disk full")])
    writer.submit([done])
    writer.submit([done])
    writer.submit([replace(done, opus=replace(done.opus, sha256="0" * 64))])
    writer.stop(5)
    assert [committed.type for committed in told].count("recording.sealed") == 3
    assert [kind for _, kind, _ in outbox(world)].count("recording.sealed") == 2
    files = world.rows("SELECT sha256 FROM outbox_file")
    assert {row["sha256"] for row in files} == {done.flac.sha256, "0" * 64}


def test_open_calls_come_back_as_the_call_machine_knew_them(world: World) -> None:
    whole_call(world)
    at = world.clock.pass_s(60)
    call = replace(talking(ringing(at), at.plus_s(3)), flags=frozenset({CallFlag.INTERRUPTED}))
    world.store([SaveCall(call=call), ring(call, at)], [opened(call, at.plus_s(8))])
    (known,) = open_calls_as_stored(world.read())
    assert known.call == call
    assert (known.boot_id, known.last_known_boot_id) == ("boot-1", "boot-1")
    assert known.last_known == at.plus_s(8)
    world.store([SaveCall(call=known.call)])
    assert len(open_calls_as_stored(world.read())) == 1
    assert known.call.status is CallStatus.TALKING


def test_today_counts_calls_and_missed_ones(world: World) -> None:
    whole_call(world)
    midnight = world.clock.pass_s(3600)
    whole_call(world, outcome=Outcome.MISSED)
    assert queries.today(world.read(), midnight.utc_ms) == {"calls": 1, "missed": 1}
