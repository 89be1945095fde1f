"""Records: each once, what lacks is named, and a bad one holds up nobody."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from sync.receiver.sql_transaction import GAPS_TOLD
from tests.sync.receiver import box
from tests.sync.receiver.cloud import AnyCloud, Cloud, hashes


def test_each_record_once_however_often_it_comes(either: AnyCloud) -> None:
    message = box.records_message(*(box.record(n) for n in range(1, 11)))
    for _ in range(3):
        answer = either.one(message)
        assert (answer["seq"], answer["upto"], answer["rejected"]) == (list(range(1, 11)), 10, [])
    assert either.rows("SELECT count(*), count(DISTINCT seq) FROM record") == [(10, 10)]


def test_hello_names_what_lacks(either: AnyCloud) -> None:
    for n in (1, 2, 5, 6, 9):
        either.say(box.records_message(box.record(n)))
    answer = either.one(box.hello(max_seq=12))
    assert (answer["ev_upto"], answer["ev_gaps"]) == (9, [[3, 4], [7, 8]])
    assert either.one(box.records_message(box.record(9)))["upto"] == 2
    either.say(*(box.records_message(box.record(n)) for n in (3, 4, 7, 8)))
    assert either.one(box.hello())["ev_gaps"] == []
    assert either.rows("SELECT dense_upto FROM epoch") == [(9,)]


def test_very_many_gaps_are_told_from_the_beginning(either: AnyCloud) -> None:
    either.say(*(box.records_message(box.record(n)) for n in range(2, 402, 2)))
    answer = either.one(box.hello(max_seq=400))
    assert len(answer["ev_gaps"]) == GAPS_TOLD
    missing = {n for first, last in answer["ev_gaps"] for n in range(first, last + 1)}
    held = set(range(2, 402, 2))
    assert set(range(1, answer["ev_upto"] + 1)) - missing <= held


def test_random_order_leaves_no_gap(either: AnyCloud) -> None:
    order = list(range(1, 201))
    random.Random(7).shuffle(order)
    for at in range(0, 200, 9):
        either.say(*(box.records_message(box.record(n)) for n in order[at : at + 9]))
    assert either.rows("SELECT dense_upto, max_seq FROM epoch") == [(200, 200)]


def test_epochs_and_boxes_do_not_mix(either: AnyCloud) -> None:
    for dev in ("oh-1", "oh-2"):
        for epoch in ("e1", "e2"):
            either.say(box.records_message(box.record(1, dev=dev, epoch=epoch), dev=dev))
    assert either.rows("SELECT count(*) FROM record") == [(4,)]


def test_a_clock_set_right_between_two_sendings_is_the_same_record(either: AnyCloud) -> None:
    either.say(box.records_message(box.record(1, clock="guess")))
    either.say(box.records_message(box.record(1, clock="ntp", time="2026-11-22T05:00:00.000Z")))
    assert either.rows("SELECT count(*) FROM record") == [(1,)]
    assert either.rows("SELECT count(*) FROM poison") == [(0,)]


def test_two_boxes_with_one_identity_lose_nothing_and_are_noticed(
    either: AnyCloud, caplog: pytest.LogCaptureFixture
) -> None:
    either.say(box.records_message(box.record(1)))
    either.say(box.records_message(box.record(1, id="of-the-twin", data={"id": "call-of-the-twin"})))
    assert either.rows("SELECT count(*) FROM call") == [(2,)]
    assert "one identity" in caplog.text


def test_bad_record_of_a_batch_is_refused_alone(either: AnyCloud) -> None:
    bad = box.record(2, type="BAD TYPE")
    answer = either.one(box.records_message(box.record(1), bad, box.record(3)))
    assert answer["seq"] == [1, 3]
    assert [(one["seq"], one["rc"]) for one in answer["rejected"]] == [(2, 0x83)]
    assert either.rows("SELECT count(*) FROM poison") == [(1,)]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"nonsense",
        b"[]",
        b"null",
        b"3",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"specversion":"1.0","seq":1e999}',
        json.dumps({**box.record(1), "seq": 2**80}).encode(),
        json.dumps({**box.record(1), "seq": -1}).encode(),
        json.dumps({**box.record(1), "seq": True}).encode(),
        json.dumps(box.record(1, id="../../etc/passwd")).encode(),
        json.dumps(box.record(1, source="offhook/oh-2")).encode(),
        json.dumps({**box.record(1), "epoch": "\ud800"}).encode(),
        json.dumps([box.record(1)] * 65).encode(),
    ],
    ids=lambda payload: repr(payload[:30]),
)
def test_poison_is_put_aside_and_the_next_record_goes_through(either: AnyCloud, payload: bytes) -> None:
    either.say(("offhook1/oh-1/up/ev", payload), box.records_message(box.record(5)))
    assert either.rows("SELECT seq FROM record") == [(5,)]
    assert either.rows("SELECT count(*) FROM poison") == [(1,)]


@pytest.mark.parametrize(
    "data",
    [
        {"id": "\ud800", "started_utc_ms": 2**70},
        {"id": "nul\0nul", "key": "\0", "files": [{"fid": "\0"}]},
        {"id": ["list"], "files": {"fid": 3}},
        {"id": "x" * 100_000, "number": {"deep": []}},
        {},
    ],
)
@pytest.mark.parametrize("kind", ["call.ended", "recording.sealed", "alarm.raised", "clock.fixed", "x"])
def test_strange_data_is_kept_whatever_the_page_can_make_of_it(
    either: AnyCloud, kind: str, data: dict[str, object]
) -> None:
    assert either.one(box.records_message(box.record(1, type=kind, data=data)))["seq"] == [1]
    assert either.rows("SELECT count(*) FROM record") == [(1,)]


@pytest.mark.parametrize(
    "topic",
    [
        "offhook1",
        "offhook1/oh-1",
        "offhook1/oh-1/up",
        "offhook1/oh-1/up/f",
        "offhook1/oh-1/up/f/../../x/init",
        "offhook1/../up/ev",
        "offhook1/OH/up/ev",
        "offhook1/oh-1/dn/ack",
        "$SYS/broker",
        "offhook1/oh-1/up/f/01jd0000000000000000000000-0000000000000000/9999999999999999999",
        "offhook1/oh-1/up/f/01jd0000000000000000000000-0000000000000000/fin/00012",
        "x" * 60_000,
    ],
)
def test_strange_topics_are_put_aside(cloud: Cloud, topic: str) -> None:
    cloud.say((topic, b"{}"))
    assert cloud.rows("SELECT count(*) FROM poison") == [(1,)]
    assert {path.name for path in cloud.folder.iterdir()} >= {"files", "parts"}
    assert not cloud.staged()


def test_restored_from_yesterday_has_a_new_epoch_and_asks_again(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "cloud")
    cloud.say(box.records_message(box.record(1)))
    first = cloud.storage.store_epoch
    cloud.close()
    shutil.copy(tmp_path / "cloud" / "receiver.db", tmp_path / "yesterday.db")

    cloud = Cloud(tmp_path / "cloud")
    assert cloud.storage.store_epoch == first
    sound = b"s" * 1000
    cloud.say(box.records_message(box.record(2)), box.init(sound), *box.chunks(sound, 600), box.fin(sound))
    cloud.close()
    for name in ("receiver.db-wal", "receiver.db-shm"):
        (tmp_path / "cloud" / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "yesterday.db", tmp_path / "cloud" / "receiver.db")

    cloud = Cloud(tmp_path / "cloud")
    answer = cloud.one(box.hello(max_seq=2))
    assert answer["store"] != first
    assert answer["ev_upto"] == 1
    assert cloud.one(box.init(sound))["state"] == "stored"
    cloud.close()


def test_restored_without_its_files_asks_for_them(either: AnyCloud) -> None:
    sound = b"s" * 1000
    either.say(box.init(sound), *box.chunks(sound, 600), box.fin(sound))
    for place in either.objects():
        either.put(place, None)
    assert [one.code for one in either.findings() if one.code != "unannounced"] == ["missing"]
    before = either.any_storage.store_epoch
    assert either.any_storage.new_epoch() != before
    assert either.one(box.init(sound))["have"] == []
    either.say(*box.chunks(sound, 600), box.fin(sound))
    assert either.stored() == hashes(sound)


def test_verify_finds_a_changed_byte_a_foreign_file_and_a_gap(either: AnyCloud) -> None:
    sound = b"s" * 1000
    told = {"id": "r", "call_id": "c", "files": [{"fid": box.fid_of(sound), "codec": "flac"}]}
    either.say(
        box.init(sound),
        *box.chunks(sound, 600),
        box.fin(sound),
        box.records_message(box.record(1, type="recording.sealed", data=told)),
    )
    assert either.findings() == ()
    (place,) = either.objects()
    either.put(place, b"S" + sound[1:])
    either.put(f"{place.rpartition('/')[0]}/foreign.flac", b"x")
    either.say(box.records_message(box.record(4)))
    assert sorted(one.code for one in either.findings()) == ["damaged", "gap", "unknown"]


def test_message_that_kills_the_receiver_is_put_aside_after_three_deaths(tmp_path: Path) -> None:
    killer = box.records_message(box.record(1))
    innocent = box.records_message(box.record(2))

    def dies(*messages: tuple[str, bytes]) -> None:
        """As a process does that is gone in the middle: in hand, and never cleared."""
        from sync.receiver.suspects import message_key  # noqa: PLC0415

        cloud = Cloud(tmp_path)
        cloud.suspects.take([message_key(*message) for message in messages])
        cloud.close()

    dies(killer, innocent)
    for _ in range(3):
        dies(killer)
    cloud = Cloud(tmp_path)
    cloud.say(killer, innocent)
    assert cloud.rows("SELECT seq FROM record") == [(2,)]
    assert "ended the receiver" in cloud.rows("SELECT reason FROM poison")[0][0]
    cloud.close()
