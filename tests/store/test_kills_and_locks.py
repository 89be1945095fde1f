"""kill -9, a second writer with the lock, and a full disk: nothing that was told is lost, nothing is told twice."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.effects import SaveCall
from firmware.errors import StoreError
from firmware.model import Outcome
from firmware.store import alarms, queries
from firmware.store.ballast import Ballast
from firmware.store.database import integrity_faults
from firmware.store.migrate import migrate
from tests.store.world import HandClock, World, ended, outbox, ring, ringing, whole_call

KILLS = 20


@pytest.mark.slow
def test_twenty_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "offhook.db"
    chance = random.Random(20)
    committed: list[str] = []
    for number in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.killed_writer", str(path), f"line-{number}"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        committed.append(process.stdout.readline().strip())  # it has begun
        time.sleep(chance.uniform(0.0, 0.25))
        process.kill()
        committed += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.wait(10)
        process.stdout.close()
        world = World(tmp_path)
        assert not world.made.created
        db = world.read()
        assert integrity_faults(db) == []
        db.close()
    calls = {row["id"]: row["status"] for row in world.rows("SELECT id, status FROM call")}
    assert set(committed) <= set(calls)
    assert len(calls) <= len(committed) + KILLS
    told = outbox(world)
    assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))
    assert [body["id"] for _, kind, body in told if kind == "call.started"] == list(calls)
    assert {body["id"] for _, kind, body in told if kind == "call.ended"} == {
        name for name, status in calls.items() if status == "ended"
    }
    assert queries.ledger(world.read())["balance"]["unexplained"] == 0


def test_facts_wait_for_another_process_with_the_lock(world: World) -> None:
    other = sqlite3.connect(world.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer = world.writer()
    writer.start()
    call = ringing(world.clock.now())
    before = time.monotonic()
    writer.submit([SaveCall(call=call), ring(call, call.started)])
    writer.submit([SaveCall(call=ended(call, call.started.plus_s(9), Outcome.MISSED))])
    assert time.monotonic() - before < 0.1
    with pytest.raises(StoreError, match="did not take the change within"):
        writer.call(lambda tx: alarms.raise_alarm(tx, key="line_down", subject="x", at=tx.now), deadline_s=0.3)
    assert world.rows("SELECT count(*) AS n FROM call")[0]["n"] == 0
    other.execute("ROLLBACK")
    other.close()
    writer.flush(20)
    writer.stop(5)
    assert [kind for _, kind, _ in outbox(world)] == ["call.started", "call.ended"]


def test_what_waits_is_committed_together_and_in_order(world: World) -> None:
    """A call behind many reports must not wait for as many commits: a power cut takes what is not committed."""
    told: list[list[str]] = []
    writer = world.writer(on_commit=lambda committed: told.append([one.body["id"] for one in committed]))
    other = sqlite3.connect(world.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer.start()
    calls = [ringing(world.clock.pass_s(60)) for _ in range(40)]
    for call in calls:
        writer.submit([SaveCall(call=call), ring(call, call.started)])
    other.execute("ROLLBACK")
    other.close()
    writer.stop(20)
    assert [name for together in told for name in together] == [call.id for call in calls]
    assert len(told) <= 3  # the first ones may be taken before the others are there


def test_a_bug_in_one_submission_does_not_take_those_before_it_along(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: crash.set())
    writer = world.writer()
    call = ringing(world.clock.now())
    writer.submit([SaveCall(call=call)])
    writer.submit([object()])  # type: ignore[list-item]
    writer.start()
    assert crash.wait(10)  # the service ends the process on it
    assert [one["id"] for one in queries.list_calls(world.read())] == [call.id]


def test_a_stop_that_cannot_write_says_what_is_not_written(world: World) -> None:
    other = sqlite3.connect(world.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer = world.writer()
    writer.start()
    writer.submit([SaveCall(call=ringing(world.clock.now()))])
    with pytest.raises(StoreError, match="1 changes could not be written"):
        writer.stop(0.5)
    other.close()


def test_a_bug_in_one_call_is_raised_to_its_caller_and_the_writer_goes_on(world: World) -> None:
    writer = world.writer()
    writer.start()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        writer.call(lambda tx: tx.execute("SELECT * FROM nonsense"))
    writer.submit([SaveCall(call=ringing(world.clock.now()))])
    writer.stop(5)
    assert len(queries.list_calls(world.read())) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False).returncode
    ):
        pytest.skip("mounting a small file system takes root; run these tests as root to see the disk full")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as fill, contextlib.suppress(OSError):
        while fill.write(b"\0" * 4096):
            pass


def test_a_full_disk_delays_facts_but_loses_none_and_gives_an_alarm(small_disk: Path) -> None:
    world = World(small_disk)
    ballast = Ballast(small_disk, size_bytes=256 * 1024)
    writer = world.writer(ballast=ballast)
    writer.start()
    writer.flush(5)
    assert ballast.held
    filler = small_disk / "filler"
    _fill(filler)
    calls = []
    for _ in range(600):
        call = ringing(world.clock.pass_s(1))
        calls.append(call)
        writer.submit([SaveCall(call=call), ring(call, call.started)])
    deadline = time.monotonic() + 20
    while writer.blocked is None or ballast.held:
        assert time.monotonic() < deadline, "the disk never got full"
        time.sleep(0.01)
    time.sleep(1.0)
    assert writer.waiting > 0
    assert "disk is full" in str(writer.blocked)
    assert any(alarm["key"] == "disk_full" for alarm in queries.standing_alarms(world.read()))
    filler.unlink()
    writer.flush(30)
    assert writer.blocked is None
    assert [row["id"] for row in reversed(queries.list_calls(world.read()))] == [call.id for call in calls]
    told = outbox(world)
    assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))
    deadline = time.monotonic() + 15
    while queries.standing_alarms(world.read()):
        assert time.monotonic() < deadline, "the alarm does not go away"
        time.sleep(0.1)
    assert ballast.held
    writer.stop(5)


def test_the_recorder_starts_on_a_full_disk(small_disk: Path) -> None:
    world = World(small_disk)
    whole_call(world)
    ballast = Ballast(small_disk, size_bytes=256 * 1024)
    assert ballast.take()
    _fill(small_disk / "filler")
    writer = world.writer(ballast=ballast)
    writer.start()
    writer.submit([SaveCall(call=ringing(world.clock.pass_s(1)))])
    writer.flush(10)
    writer.stop(5)
    assert len(queries.list_calls(world.read())) == 2


def test_facts_of_many_threads_all_arrive(world: World) -> None:
    writer = world.writer()
    writer.start()
    clocks = [HandClock(world.clock.now().plus_s(1000 * number)) for number in range(8)]

    def tell(clock: HandClock) -> None:
        for _ in range(25):
            writer.submit([SaveCall(call=ringing(clock.pass_s(1)))])

    threads = [threading.Thread(target=tell, args=(clock,)) for clock in clocks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.stop(10)
    assert world.rows("SELECT count(*) AS n FROM call")[0]["n"] == 200


def test_migrate_says_who_is_in_the_way(tmp_path: Path) -> None:
    migrate(tmp_path / "offhook.db")
    with pytest.raises(StoreError, match="cannot open"):
        migrate(tmp_path)
