"""The database's file: made, upgraded, refused, replaced when damaged, readable for the other users of the box."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from firmware.effects import SaveCall
from firmware.errors import StoreError
from firmware.store import queries
from firmware.store.database import SCHEMA_VERSION, open_reader, open_writer
from firmware.store.migrate import migrate
from firmware.store.migrations import migrations
from firmware.store.recovery import open_calls_as_stored
from tests.store.world import World, outbox, ring, ringing, talking, whole_call


def test_a_new_database_is_whole_durable_and_writable_for_the_group_only(tmp_path: Path) -> None:
    path = tmp_path / "offhook.db"
    old = os.umask(0o077)
    try:
        assert migrate(path).created
    finally:
        os.umask(old)
    db = open_writer(path)
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    db.execute("INSERT INTO meta VALUES ('x', 'y')")
    for name in ("offhook.db", "offhook.db-wal", "offhook.db-shm"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o660, name
    assert not migrate(path).created


def test_a_reader_cannot_write(world: World) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        world.read().execute("DELETE FROM meta")


@pytest.fixture
def box() -> Iterator[Path]:
    """A data folder that other users can reach; pytest's own folders are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        folder = Path(name) / "box"
        folder.mkdir()
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming other users takes root")
def test_another_user_of_the_group_reads_after_a_clean_close_and_the_writer_goes_on(box: Path) -> None:
    group, recorder, page = 54000, 54001, 54002
    os.chown(box, recorder, group)
    box.chmod(0o2770)

    def as_user(user: int, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, str(box / "offhook.db")],
            user=user,
            group=group,
            extra_groups=[],
            umask=0o007,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    write = (
        "import sys; from pathlib import Path; from firmware.store.migrate import migrate; "
        "from firmware.store.database import open_writer; p = Path(sys.argv[1]); migrate(p); d = open_writer(p); "
        "d.execute(\"INSERT INTO meta VALUES (hex(randomblob(8)), '1')\"); "
        "print(d.execute('SELECT count(*) FROM meta WHERE value = 1').fetchone()[0]); d.close()"
    )
    read = (
        "import sys; from pathlib import Path; from firmware.store.database import open_reader; "
        "print(open_reader(Path(sys.argv[1])).execute('SELECT count(*) FROM meta WHERE value = 1').fetchone()[0])"
    )
    try:
        as_user(page, "import firmware")
    except (AssertionError, PermissionError):
        pytest.skip("this checkout is closed to other users")
    assert as_user(recorder, write) == "1"
    assert as_user(page, read) == "1"
    assert as_user(recorder, write) == "2"
    assert as_user(page, read) == "2"


def test_a_newer_schema_that_only_added_is_worked_on(world: World) -> None:
    """An update of the box went back: the older version goes on recording into what the newer one made."""
    db = open_writer(world.path)
    db.conn.execute("CREATE TABLE of_tomorrow (x TEXT)")
    db.conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    assert migrate(world.path).from_version == SCHEMA_VERSION + 1
    for opened in (open_reader(world.path), open_writer(world.path)):
        assert opened.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION + 1
        opened.close()


def test_a_newer_schema_is_refused_with_what_to_do(world: World) -> None:
    db = open_writer(world.path)
    db.conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.conn.execute("UPDATE meta SET value = ? WHERE key = 'works_since'", (str(SCHEMA_VERSION + 1),))
    db.close()
    for refuse in (migrate, open_reader, open_writer):
        with pytest.raises(StoreError, match=r"newer Offhook wrote it.*restore the backup"):
            refuse(world.path)


def test_an_older_schema_is_backed_up_and_upgraded_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "offhook.db"
    db = Database(path)
    migrations.apply(db, stop_before="m0002_moments_of_another_boot")
    db.execute("INSERT INTO boot (boot_id, first_utc_ms, first_boot_ns) VALUES ('b', 1, 1)")
    db.execute("INSERT INTO meta VALUES ('epoch', 'first')")
    db.conn.execute("PRAGMA user_version = 1")
    db.close()
    with pytest.raises(StoreError, match="run `offhook migrate`"):
        open_reader(path)
    done = migrate(path)
    assert (done.from_version, done.created) == (1, False)
    assert done.backup is not None
    assert sqlite3.connect(done.backup).execute("PRAGMA user_version").fetchone()[0] == 1
    db = open_reader(path)
    assert queries.epoch(db) == "first"
    assert db.execute("SELECT count(*) FROM boot").fetchone()[0] == 1


def test_a_step_that_fails_halfway_leaves_the_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "offhook.db"
    db = Database(path)
    db.execute("CREATE TABLE quarantine (x)")  # the last statement of the first step will fail
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrations.apply(db)
    assert "call" not in db.table_names()


def _damage(path: Path, *, first: int, pages: int) -> None:
    with path.open("r+b") as file:
        file.seek(first * 4096)
        file.write(os.urandom(4096 * pages))


def test_a_database_of_garbage_is_kept_aside_and_the_recordings_come_back(world: World) -> None:
    calls = [whole_call(world) for _ in range(3)]
    epoch = queries.epoch(world.read())
    world.path.write_bytes(os.urandom(40_000))
    done = migrate(world.path, world.clock)
    assert done.created
    assert done.damaged is not None
    assert done.damaged.stat().st_size == 40_000
    assert done.adopted == 3
    db = world.read()
    assert queries.epoch(db) != epoch
    listed = queries.list_calls(db)
    assert [row["id"] for row in reversed(listed)] == [call.id for call in calls]
    assert {row["recordings"][0]["status"] for row in listed} == {"sealed"}
    assert abs(listed[0]["started_utc_ms"] - calls[-1].started.utc_ms) <= 1
    (alarm,) = queries.standing_alarms(db)
    assert alarm["key"] == "database_replaced"
    assert "3 recordings" in alarm["text"]["en"]
    told = outbox(world)
    assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][1] == "database.replaced"
    assert len(world.rows("SELECT * FROM outbox_file")) == 6


def test_what_can_be_read_of_a_damaged_database_is_kept(world: World) -> None:
    at = world.clock.now()
    for number in range(400):
        call = ringing(at.plus_s(number), number=str(number))
        world.clock.at = call.started
        if number % 100 == 0:
            world.store([SaveCall(call=call), ring(call, call.started)])
    up = talking(ringing(world.clock.pass_s(9)), world.clock.now())
    world.store([SaveCall(call=up)])
    whole_call(world)
    before = world.rows("SELECT id, number FROM call ORDER BY id")
    pending = len(outbox(world))
    (ledger_root,) = world.rows("SELECT rootpage FROM sqlite_master WHERE name = 'ledger_at'")
    _damage(world.path, first=ledger_root["rootpage"] - 1, pages=1)
    done = migrate(world.path, world.clock)
    assert done.damaged is not None
    assert done.adopted == 0
    assert world.rows("SELECT id, number FROM call ORDER BY id") == before
    assert len(queries.ledger(world.read())["entries"]) == 7
    told = outbox(world)
    assert [kind for _, kind, _ in told[:pending]].count("call.started") == 6
    assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))


def test_a_lost_database_is_made_again_from_the_recordings(world: World) -> None:
    call = whole_call(world)
    for path in world.data_dir.glob("offhook.db*"):
        path.unlink()
    assert migrate(world.path, world.clock).adopted == 1
    (listed,) = queries.list_calls(world.read())
    assert listed["id"] == call.id
    assert (listed["direction"], listed["outcome"], listed["end_reason"]) == ("unknown", "answered", "not_seen_to_end")
    assert listed["ended_utc_ms"] - listed["started_utc_ms"] == 2000


def test_a_word_of_another_version_does_not_keep_the_recorder_from_starting(world: World) -> None:
    at = world.clock.now()
    odd, good = ringing(at), ringing(at.plus_s(1))
    world.store([SaveCall(call=odd)], [SaveCall(call=good)])
    db = open_writer(world.path)
    db.execute("UPDATE call SET status = 'teleported' WHERE id = ?", [odd.id])
    db.close()
    assert [known.call.id for known in open_calls_as_stored(world.read())] == [good.id]
    assert [row["status"] for row in queries.list_calls(world.read())] == ["ringing", "teleported"]
