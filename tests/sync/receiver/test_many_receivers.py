"""Several receivers over one PostgreSQL and one S3: any takes any message, and each file is finalised once."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sync.receiver.core import Limits, Receiver
from sync.receiver.engine import Delivery, Engine
from sync.receiver.intake import GroupCommit, Intake
from sync.receiver.opening import open_storage
from sync.receiver.postgres_storage import PostgresStorage
from sync.receiver.storage import Storage
from sync.receiver.suspects import Suspects
from tests.sync.receiver import box
from tests.sync.receiver.cloud import ScaledCloud, hashes
from tests.sync.receiver.engines import Engines

SOUND = random.Random(1).randbytes(200_000)
WAIT_S = 60.0


@pytest.fixture
def cloud(tmp_path: Path, engines: Engines) -> Iterator[ScaledCloud]:
    cloud = ScaledCloud(tmp_path / "cloud", engines)
    yield cloud
    cloud.close()


class Receivers:
    """As the processes have them: threads with a storage each, and a broker that hands each message to any of them."""

    def __init__(self, cloud: ScaledCloud, folder: Path, *, count: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self.answers: list[dict[str, object]] = []
        self._storages: list[Storage] = [open_storage(cloud.settings, worker=n) for n in range(count)]
        self._intakes = []
        for n, storage in enumerate(self._storages):
            (folder / str(n)).mkdir(parents=True)
            engine = Engine(storage, Receiver(Limits()), suspects=Suspects(folder / str(n)), now_ms=lambda: cloud.at_ms)
            self._intakes.append(
                Intake(
                    engine,
                    publish=lambda replies: self.answers.extend(json.loads(reply.payload) for reply in replies),
                    idle=tuple,
                    group=GroupCommit(wait_s=0.005, messages=8),
                )
            )
            self._intakes[-1].start()

    def say(self, *messages: tuple[str, bytes]) -> None:
        for message in messages:
            self._rng.choice(self._intakes).put(Delivery(*message))

    def wait(self, stored: int) -> None:
        """Until so many files have been told to be stored."""
        end = time.monotonic() + WAIT_S
        while len({answer["f"] for answer in self.answers if answer.get("state") == "stored"}) < stored:
            assert time.monotonic() < end, self.answers[-5:]
            time.sleep(0.05)

    def stop(self) -> None:
        for intake in self._intakes:
            intake.stop()
        for storage in self._storages:
            storage.close()


def test_chunks_shuffled_and_doubled_over_four_receivers_end_in_each_file_once(
    cloud: ScaledCloud, tmp_path: Path
) -> None:
    rng = random.Random(5)
    files = {f"oh-{n % 5}": [] for n in range(5)}  # type: dict[str, list[bytes]]
    for n in range(30):
        files[f"oh-{n % 5}"].append(rng.randbytes(rng.randrange(1000, 60_000)))
    receivers = Receivers(cloud, tmp_path / "receivers", count=4, seed=5)
    try:
        everything = [(dev, data) for dev, contents in files.items() for data in contents]
        receivers.say(*(box.init(data, dev=dev) for dev, data in everything))
        while cloud.rows("SELECT count(*) FROM file") != [(30,)]:
            time.sleep(0.05)
        pieces = [piece for dev, data in everything for piece in box.chunks(data, 8192, dev=dev)]
        messages = [*pieces, *rng.sample(pieces, len(pieces) // 2)]
        messages += [box.fin(data, dev=dev) for dev, data in everything for _ in range(3)]
        rng.shuffle(messages)
        receivers.say(*messages)
        receivers.wait(30)
    finally:
        receivers.stop()
    assert cloud.rows("SELECT count(*), min(stored_times), max(stored_times) FROM file WHERE state = 'stored'") == [
        (30, 1, 1)
    ]
    assert cloud.stored() == hashes(*(data for _dev, data in everything))
    assert cloud.staged() == 0
    assert [one for one in cloud.findings() if one.code != "unannounced"] == []


def test_records_of_one_box_over_four_receivers_leave_no_gap_and_no_double(cloud: ScaledCloud, tmp_path: Path) -> None:
    receivers = Receivers(cloud, tmp_path / "receivers", count=4, seed=6)
    try:
        messages = [box.records_message(box.record(n)) for n in range(1, 101) for _ in range(2)]
        random.Random(6).shuffle(messages)
        receivers.say(*messages)
        end = time.monotonic() + WAIT_S
        while cloud.rows("SELECT dense_upto FROM epoch") != [(100,)]:
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        receivers.stop()
    assert cloud.rows("SELECT count(*), count(DISTINCT seq) FROM record") == [(100, 100)]


def test_others_do_not_wait_for_whoever_puts_a_file_into_its_place(cloud: ScaledCloud) -> None:
    """The row is locked as long as the object store takes; whoever asks meanwhile is told what is held."""
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536))
    finaliser = open_storage(cloud.settings, worker=9)
    with finaliser.transaction() as tx:
        assert tx.file_to_finish("oh-1", box.fid_of(SOUND)) is not None
        for message in (box.init(SOUND), box.chunk(SOUND, 0, 1000)):
            assert cloud.one(message)["have"] == [[0, 200_000]]
        assert cloud.one(box.records_message(box.record(1)))["seq"] == [1]
    finaliser.close()
    assert cloud.one(box.fin(SOUND))["state"] == "stored"


def test_two_that_finish_at_once_finish_once(cloud: ScaledCloud, tmp_path: Path) -> None:
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536))
    receivers = Receivers(cloud, tmp_path / "receivers", count=3, seed=1)
    try:
        receivers.say(*[box.fin(SOUND)] * 12)
        receivers.wait(1)
    finally:
        receivers.stop()
    assert cloud.rows("SELECT stored_times FROM file") == [(1,)]
    assert cloud.stored() == hashes(SOUND)


def test_killed_between_the_object_and_the_commit(cloud: ScaledCloud) -> None:
    """The object is there, the row says receiving: the next fin puts the same bytes to the same key again."""
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536))
    storage = cloud.any_storage

    def dies() -> None:
        with storage.transaction() as tx:
            row = tx.file_to_finish("oh-1", box.fid_of(SOUND))
            assert row is not None
            assert tx.assembled(row) == row.sha256
            tx.keep(row)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    assert cloud.rows("SELECT state FROM file") == [("receiving",)]
    assert cloud.stored() == hashes(SOUND)
    again = cloud.again()
    assert again.one(box.fin(SOUND))["state"] == "stored"
    assert again.stored() == hashes(SOUND)
    assert again.rows("SELECT stored_times FROM file") == [(1,)]
    assert again.staged() == 0
    again.close()


def test_lost_row_is_made_of_the_object_in_place(cloud: ScaledCloud) -> None:
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536), box.fin(SOUND))
    with psycopg.connect(cloud.kept_in[0].conninfo or "", autocommit=True) as connection:
        connection.execute("DELETE FROM file")
    assert cloud.one(box.init(SOUND))["state"] == "stored"
    assert cloud.stored() == hashes(SOUND)


def test_the_database_goes_away_and_comes_back(cloud: ScaledCloud) -> None:
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536)[:2])
    cloud.engines.postgres.kill()
    assert cloud.say(box.records_message(box.record(1)), box.chunks(SOUND, 65536)[2]) == []
    cloud.engines.postgres.start()
    assert cloud.one(box.records_message(box.record(1)))["seq"] == [1]
    assert cloud.one(box.init(SOUND))["have"] == [[0, 131_072]]
    cloud.say(*box.chunks(SOUND, 65536)[2:])
    assert cloud.one(box.fin(SOUND))["state"] == "stored"


def test_without_the_object_store_files_wait_and_records_do_not(cloud: ScaledCloud) -> None:
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536))
    cloud.engines.s3.stop()
    answers = cloud.say(box.fin(SOUND), box.records_message(box.record(1)), box.init(SOUND, n=1))
    by_file = {answer["f"]: (answer["rc"], answer["retry_s"]) for answer in answers if answer["t"] == "f"}
    assert by_file == {box.fid_of(SOUND): (0x97, 60), box.fid_of(SOUND, 1): (0x97, 60)}
    assert [answer["seq"] for answer in answers if answer["t"] == "ev"] == [[1]]
    cloud.engines.s3.start()
    assert cloud.one(box.fin(SOUND))["state"] == "stored"


def test_what_boxes_may_have_on_their_way_together_is_bounded(cloud: ScaledCloud) -> None:
    storage = cloud.any_storage
    assert isinstance(storage, PostgresStorage)
    storage._staged_bytes = 300_000
    assert cloud.one(box.init(SOUND))["rc"] == 0
    assert cloud.one(box.init(SOUND, n=1))["rc"] == 0x97
    cloud.say(*box.chunks(SOUND, 65536), box.fin(SOUND))
    assert cloud.one(box.init(SOUND, n=1))["rc"] == 0


def test_a_database_that_was_read_back_has_a_new_epoch(cloud: ScaledCloud) -> None:
    first = cloud.one(box.hello())["store"]
    same = cloud.again()
    assert same.one(box.hello())["store"] == first
    with psycopg.connect(cloud.kept_in[0].conninfo or "", autocommit=True) as connection:
        # As in a cluster of another identity, or on another timeline after a recovery to a moment in the past.
        connection.execute("UPDATE meta SET value = split_part(value, '.', 1) || '.abc.7' WHERE key = 'store'")
    moved = same.again()
    assert moved.one(box.hello())["store"] not in (first, "")
    moved.close()


def test_a_commit_is_on_the_disk_whatever_the_server_is_set_to(cloud: ScaledCloud) -> None:
    conninfo = cloud.kept_in[0].conninfo or ""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("ALTER DATABASE offhook SET synchronous_commit = off")
    try:
        again = cloud.again()
        storage = again.any_storage
        assert isinstance(storage, PostgresStorage)
        with storage.transaction() as tx:
            assert tx._rows.run("SHOW synchronous_commit") == [("on",)]
        again.close()
    finally:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("ALTER DATABASE offhook RESET synchronous_commit")


def test_receivers_that_start_together_make_the_tables_once(cloud: ScaledCloud) -> None:
    with psycopg.connect(cloud.kept_in[0].conninfo or "", autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    opened: list[Storage] = []
    threads = [
        threading.Thread(target=lambda n=n: opened.append(open_storage(cloud.settings, worker=n))) for n in (1, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len({storage.store_epoch for storage in opened}) == 1
    assert len(opened) == 3
    for storage in opened:
        storage.close()
