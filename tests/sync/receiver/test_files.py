"""A recording comes in pieces, in any order, doubled, interrupted: it is stored once and unchanged."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.receiver.core import Limits
from tests.sync.receiver import box
from tests.sync.receiver.cloud import AnyCloud, Cloud, hashes

SOUND = random.Random(1).randbytes(200_000)


def test_happy_path(either: AnyCloud) -> None:
    assert either.one(box.init(SOUND)) == {
        "t": "f",
        "f": box.fid_of(SOUND),
        "state": "receiving",
        "have": [],
        "rc": 0,
    }
    parts = box.chunks(SOUND, 65536)
    assert either.one(*parts[:2])["have"] == [[0, 131072]]
    assert either.one(*parts[2:])["have"] == [[0, 200_000]]
    assert either.stored() == []
    answer = either.one(box.fin(SOUND))
    assert (answer["state"], answer["size"], answer["sha256"]) == ("stored", len(SOUND), box.sha(SOUND))
    assert either.stored() == hashes(SOUND)
    assert not either.staged()


def test_fin_before_the_last_chunk_asks_for_what_lacks(either: AnyCloud) -> None:
    parts = box.chunks(SOUND, 65536)
    either.say(box.init(SOUND), parts[0], parts[2])
    answer = either.one(box.fin(SOUND))
    assert (answer["state"], answer["have"]) == ("receiving", [[0, 65536], [131072, 196608]])
    either.say(parts[1], parts[3])
    assert either.one(box.fin(SOUND))["state"] == "stored"
    assert either.stored() == hashes(SOUND)


def test_fin_that_overtook_the_last_chunk_need_not_be_repeated(either: AnyCloud) -> None:
    """With several receivers the broker may hand out the last chunk after fin."""
    parts = box.chunks(SOUND, 65536)
    either.say(box.init(SOUND), *parts[:3])
    assert either.one(box.fin(SOUND))["state"] == "receiving"
    assert either.one(parts[3])["state"] == "stored"
    assert either.stored() == hashes(SOUND)


def test_everything_after_stored_is_answered_stored_and_changes_nothing(either: AnyCloud) -> None:
    either.say(box.init(SOUND), *box.chunks(SOUND, 65536), box.fin(SOUND))
    for message in (box.init(SOUND), box.chunk(SOUND, 0, 10), box.fin(SOUND)):
        assert either.one(message)["state"] == "stored"
    either.say(box.abort(SOUND))
    assert either.one(box.fin(SOUND))["state"] == "stored"
    assert either.stored() == hashes(SOUND)
    assert either.rows("SELECT stored_times FROM file") == [(1,)]


def test_chunks_of_another_size_after_a_reconnect(either: AnyCloud) -> None:
    """The box measures its link anew, and starts where the cloud's ranges end, or somewhere before."""
    either.say(box.init(SOUND), *box.chunks(SOUND, 65536)[:2])
    either.say(box.chunk(SOUND, 65536, 70_000), box.chunk(SOUND, 100_000, 170_001), box.chunk(SOUND, 170_001, 200_000))
    assert either.one(box.fin(SOUND))["state"] == "stored"
    assert either.stored() == hashes(SOUND)


def test_damaged_chunk_is_asked_for_again(either: AnyCloud) -> None:
    either.say(box.init(SOUND))
    topic, part = box.chunk(SOUND, 0, 65536)
    answer = either.one((topic, b"x" + part[1:]))
    assert (answer["rc"], answer["have"], answer["state"]) == (0x80, [], "receiving")


def test_damaged_whole_is_thrown_away_and_asked_for_from_the_start(either: AnyCloud) -> None:
    other = b"y" + SOUND[1:]
    either.say(box.init(SOUND))
    fid = box.fid_of(SOUND)
    for topic, part in box.chunks(other, 65536):
        either.say((topic.replace(box.fid_of(other), fid), part))
    answer = either.one(box.fin(SOUND))
    assert (answer["state"], answer["rc"], answer["have"]) == ("receiving", 0x10, [])
    assert either.stored() == []
    either.say(*box.chunks(SOUND, 65536))
    assert either.one(box.fin(SOUND))["state"] == "stored"
    assert either.stored() == hashes(SOUND)


@pytest.mark.parametrize("make", [box.fin, lambda data: box.chunk(data, 0, 100)])
def test_unannounced_file_is_asked_to_be_announced(either: AnyCloud, make: object) -> None:
    answer = either.one(make(SOUND))  # type: ignore[operator]
    assert (answer["state"], answer["rc"], answer["have"]) == ("receiving", 0x10, [])


def test_chunk_beyond_the_end_is_refused(either: AnyCloud) -> None:
    either.say(box.init(SOUND))
    long = SOUND + b"more"
    topic, part = box.chunk(long, 190_000, 200_004)
    answer = either.one((topic.replace(box.fid_of(long), box.fid_of(SOUND)), part))
    assert (answer["state"], answer["rc"]) == ("rejected", 0x83)


def test_too_large_file_is_refused_at_once(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, limits=Limits(file_bytes=1000))
    answer = cloud.one(box.init(SOUND))
    assert (answer["state"], answer["rc"]) == ("rejected", 0x83)
    assert "1000" in answer["desc"]
    cloud.close()


def test_aborted_file_leaves_no_parts_and_may_come_again(either: AnyCloud) -> None:
    either.say(box.init(SOUND), *box.chunks(SOUND, 65536)[:2])
    either.say(box.abort(SOUND))
    assert not either.staged()
    either.say(box.init(SOUND), *box.chunks(SOUND, 65536), box.fin(SOUND))
    assert either.stored() == hashes(SOUND)


def test_full_disk_pauses_files_and_takes_records(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    cloud = Cloud(tmp_path / "cloud", reserve_bytes=free.f_bavail * free.f_frsize * 2)
    answer = cloud.one(box.init(SOUND))
    assert (answer["rc"], answer["retry_s"]) == (0x97, 60)
    assert cloud.one(box.records_message(box.record(1)))["seq"] == [1]
    cloud.close()
    roomy = Cloud(tmp_path / "cloud")
    roomy.say(box.init(SOUND), *box.chunks(SOUND, 65536)[:3])
    roomy.close()
    cloud = Cloud(tmp_path / "cloud", reserve_bytes=free.f_bavail * free.f_frsize * 2)
    answer = cloud.one(*box.chunks(SOUND, 65536)[3:])
    assert (answer["rc"], answer["have"]) == (0x97, [[0, 196608]])
    cloud.close()


def test_receiver_killed_between_rename_and_commit(cloud: Cloud) -> None:
    """The file is in place, its row says receiving: the next fin, or the next init, finds it there."""
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536))
    row = cloud.storage.files
    with cloud.storage.transaction() as tx:
        known = tx.file("oh-1", box.fid_of(SOUND))
    assert known is not None
    row.keep(known)
    row.end(committed=False)
    cloud.close()
    for ask in (box.fin(SOUND), box.init(SOUND)):
        again = Cloud(cloud.folder)
        assert again.one(ask)["state"] in ("stored", "receiving")
        again.close()
    again = Cloud(cloud.folder)
    assert again.one(box.fin(SOUND))["state"] == "stored"
    assert again.stored() == hashes(SOUND)
    again.close()


def test_lost_part_is_received_again(cloud: Cloud) -> None:
    """A power cut may take a part that its row speaks of only if the disk lied; nothing is believed for that."""
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536)[:3])
    cloud.lose_staged()
    assert cloud.one(box.chunks(SOUND, 65536)[3])["have"] == [[196608, 200_000]]


def test_what_was_staged_and_is_gone_is_asked_for_again(either: AnyCloud) -> None:
    either.say(box.init(SOUND), *box.chunks(SOUND, 65536))
    either.lose_staged()
    answer = either.one(box.fin(SOUND))
    assert (answer["state"], answer["rc"], answer["have"]) == ("receiving", 0x10, [])
    either.say(*box.chunks(SOUND, 65536))
    assert either.one(box.fin(SOUND))["state"] == "stored"
    assert either.stored() == hashes(SOUND)


def test_lost_row_is_made_of_the_file_in_place(cloud: Cloud) -> None:
    """The database went back to yesterday, the files did not: nothing is sent a second time."""
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536), box.fin(SOUND))
    with cloud.storage.transaction():
        cloud.storage._connection.execute("DELETE FROM file")
    assert cloud.one(box.init(SOUND))["state"] == "stored"
    assert cloud.stored() == hashes(SOUND)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.integers(1, 5000),
    pieces_wanted=st.integers(1, 9),
    seed=st.integers(0, 2**32),
    group=st.integers(1, 7),
)
def test_any_order_doubled_and_restarted_ends_in_one_identical_file(
    tmp_path_factory: pytest.TempPathFactory, size: int, pieces_wanted: int, seed: int, group: int
) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(size)
    folder = tmp_path_factory.mktemp("cloud")
    pieces = box.chunks(data, -(-size // pieces_wanted))
    messages = [*pieces, *rng.sample(pieces, len(pieces) // 2), box.init(data), box.fin(data)]
    rng.shuffle(messages)
    cloud = Cloud(folder)
    cloud.say(box.init(data))
    for at in range(0, len(messages), group):
        cloud.say(*messages[at : at + group])
        if rng.random() < 0.1:
            cloud.close()
            cloud = Cloud(folder)
    assert cloud.one(box.fin(data))["state"] == "stored"
    assert cloud.stored() == hashes(data)
    assert cloud.rows("SELECT stored_times FROM file") == [(1,)]
    assert not cloud.staged()
    cloud.close()
