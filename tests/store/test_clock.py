"""A Pi without a clock battery: what was stored with the wrong time shows the right one once the clock is set."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import SaveCall
from firmware.model import CallStatus, EndReason, Outcome
from firmware.store import queries
from firmware.store.facts import ClockSet, HoleBegun, HoleEnded
from tests.store.world import LINE, START, World, ended, opened, outbox, ring, ringing, talking, whole_call

YEARS_MS = 20 * 365 * 86_400_000


def test_a_clock_set_in_mid_call_corrects_what_is_listed_and_changes_no_row(world: World) -> None:
    right_ms = world.clock.now().utc_ms
    world.clock.set_wall_ms(right_ms - YEARS_MS)
    before = whole_call(world)
    at = world.clock.pass_s(60)
    call = talking(ringing(at), at.plus_s(1))
    world.store([SaveCall(call=call), ring(call, at)], [opened(call, at)])
    world.clock.pass_s(5)
    world.clock.set_wall_ms(world.clock.now().utc_ms + YEARS_MS)
    now = world.clock.now()
    world.store([SaveCall(call=ended(call, now))])

    second, first = queries.list_calls(world.read())
    assert (first["id"], second["id"]) == (before.id, call.id)
    assert abs(first["started_utc_ms"] - right_ms - 60_000) <= 1
    assert abs(second["started_utc_ms"] - (now.utc_ms - 5000)) <= 1
    assert second["ended_utc_ms"] == now.utc_ms
    assert abs(second["recordings"][0]["started_utc_ms"] - (now.utc_ms - 5000)) <= 1
    entries = queries.ledger(world.read(), period=queries.Period(since_utc_ms=right_ms))["entries"]
    assert len(entries) == 4
    (stored,) = world.rows("SELECT started_utc_ms FROM call WHERE id = ?", before.id)
    assert stored["started_utc_ms"] == before.started.utc_ms
    (fixed,) = [body for _, kind, body in outbox(world) if kind == "clock.fixed"]
    assert (fixed["boot_id"], fixed["offset_ms"]) == ("boot-1", YEARS_MS)


def test_a_clock_that_jumps_there_and_back_leaves_the_times_as_they_were(world: World) -> None:
    call = whole_call(world)
    world.clock.set_wall_ms(world.clock.now().utc_ms - YEARS_MS)
    wrong = whole_call(world)
    world.clock.set_wall_ms(world.clock.now().utc_ms + YEARS_MS)
    after = whole_call(world)
    listed = {row["id"]: row["started_utc_ms"] for row in queries.list_calls(world.read())}
    assert listed == {
        call.id: call.started.utc_ms,
        wrong.id: wrong.started.utc_ms + YEARS_MS,
        after.id: after.started.utc_ms,
    }


def test_a_source_that_vouches_for_the_clock_is_kept(world: World) -> None:
    world.store([ClockSet(at=world.clock.now(), source="ntp")])
    (row,) = world.rows("SELECT source, offset_ms FROM boot")
    assert row == {"source": "ntp", "offset_ms": None}


def test_calls_keep_their_order_when_a_boot_comes_up_in_the_past(world: World) -> None:
    first = whole_call(world)
    world.reboot(off_s=600, wall_ms=START.utc_ms - YEARS_MS)
    second = whole_call(world)
    world.reboot(off_s=600)
    third = whole_call(world)
    assert [row["id"] for row in queries.list_calls(world.read())] == [third.id, second.id, first.id]


def test_a_call_that_outlives_a_reboot_ends_in_the_boot_that_saw_it(world: World) -> None:
    at = world.clock.now()
    call = talking(ringing(at), at.plus_s(1))
    world.store([SaveCall(call=call)])
    world.reboot(off_s=30, wall_ms=START.utc_ms - YEARS_MS)
    gone = replace(
        call,
        status=CallStatus.ENDED,
        ended=world.clock.now(),
        outcome=Outcome.ANSWERED,
        end_reason=EndReason.NOT_SEEN_TO_END,
    )
    world.store([SaveCall(call=gone)])
    world.clock.set_wall_ms(START.utc_ms + 40_000)
    world.store([ClockSet(at=world.clock.now(), source="ntp")])
    (listed,) = queries.list_calls(world.read())
    assert listed["started_utc_ms"] == START.utc_ms
    assert listed["ended_utc_ms"] == START.utc_ms + 40_000


def test_every_period_gives_what_its_rows_say(world: World) -> None:
    """The index only narrows: compared with every call and entry, over boots with right and wrong clocks."""
    for wall_ms in (None, START.utc_ms - YEARS_MS, None, START.utc_ms + YEARS_MS):
        whole_call(world)
        whole_call(world, outcome=Outcome.MISSED)
        here = world.clock.now()
        world.reboot(off_s=300, wall_ms=wall_ms)
        now = world.clock.now()
        since = replace(here, boot_ns=now.boot_ns - (now.utc_ns - here.utc_ns))
        world.store([HoleBegun(line=LINE, since=since), HoleEnded(line=LINE, until=now)])
    world.clock.set_wall_ms(START.utc_ms + 10_000_000)
    whole_call(world)
    db = world.read()
    calls, entries = queries.list_calls(db), queries.ledger(db)["entries"]
    assert (len(calls), len(entries)) == (9, 31)
    moments = sorted({row["started_utc_ms"] for row in calls} | {row["at_utc_ms"] for row in entries})
    for since_ms in (moments[0] - 1, *moments):
        assert queries.today(db, since_ms)["calls"] == sum(row["started_utc_ms"] >= since_ms for row in calls)
        for until_ms in (*moments[::3], moments[-1] + 1):
            period = queries.Period(since_utc_ms=since_ms, until_utc_ms=until_ms)
            assert [row["id"] for row in queries.list_calls(db, period=period)] == [
                row["id"] for row in calls if since_ms <= row["started_utc_ms"] < until_ms
            ]
            assert [row["id"] for row in queries.ledger(db, period=period)["entries"]] == [
                row["id"] for row in entries if since_ms <= row["at_utc_ms"] < until_ms
            ]
