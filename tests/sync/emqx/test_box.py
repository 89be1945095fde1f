"""The box's sync process and EMQX's file transfer: real processes, a real broker, the fake behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.dialects import Later
from sync.emqx import EmqxFiles
from sync.outbox import DueFile
from sync.topics import WireError
from sync.wire import RC_RESEND, RC_RESEND_ALL, FileAck
from tests.sync.box.box import BOX, Box, eventually
from tests.sync.emqx.fake import Attached, FakeEmqx
from tests.sync.faults.mosquitto import Mosquitto

EMQX = 'files_by = "emqx"\nconfirmed_by = "broker"\n'
FID = "0" * 26 + "-0123456789abcdef"


@pytest.fixture
def emqx(broker: Mosquitto) -> Iterator[Attached]:
    attached = Attached(FakeEmqx(BOX, now_s=time.monotonic), broker.port)
    yield attached
    attached.close()


class Listener:
    """Somebody who takes records: without a subscriber the broker says so, and records wait."""

    def __init__(self, port: int) -> None:
        import paho.mqtt.client as paho  # noqa: PLC0415
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

        self.records: list[bytes] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _d, message: self.records.append(message.payload)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("offhook1/+/up/ev", qos=1)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


def test_calls_arrive_with_none_of_our_code_in_the_cloud(
    box: Box, broker: Mosquitto, emqx: Attached, listener: Listener
) -> None:
    box.calls(2, size=400_016)
    box.configure(broker.port, EMQX)
    box.start()
    eventually(lambda: box.waits() == 0, what="everything confirmed")
    assert sorted(emqx.fake.exported.values()) == box.masters()
    assert all(key.startswith(f"{BOX}/") and key.endswith(".flac") for key in emqx.fake.exported)
    seqs = {json.loads(payload)["seq"] for payload in listener.records}
    assert seqs == {row["seq"] for row in box.rows("SELECT seq FROM outbox_event")}
    assert box.status()["confirmed_by"] == "broker"


def test_a_lost_piece_and_a_broken_one_are_sent_again(
    box: Box, broker: Mosquitto, emqx: Attached, listener: Listener
) -> None:
    box.calls(1, size=800_016)
    lost: set[str] = set()
    broken: set[str] = set()

    def lose(topic: str) -> bool:
        if topic.split("/")[2].isdecimal() and len(lost) < 3 and topic not in lost:
            lost.add(topic)
            return True
        return False

    def spoil(topic: str, payload: bytes) -> bytes:
        if topic.split("/")[2].isdecimal() and not broken and topic not in lost:
            broken.add(topic)
            return payload[:-1] + bytes([payload[-1] ^ 1])
        return payload

    emqx.deaf_to, emqx.wrong = lose, spoil
    box.configure(broker.port, EMQX)
    box.start()
    eventually(lambda: box.waits() == 0, 40, what="everything confirmed")
    assert lost
    assert broken
    assert sorted(emqx.fake.exported.values()) == box.masters()


def test_what_was_confirmed_is_not_sent_again_after_a_kill_and_the_init_is_the_same(
    box: Box, broker: Mosquitto, emqx: Attached, listener: Listener
) -> None:
    box.calls(1, size=2_000_016)
    # Slow enough that the count of confirmed pieces is kept once before the kill.
    box.configure(broker.port, EMQX + "limit_kbps = 1000\n")
    box.start()
    kept = "SELECT have FROM outbox_file WHERE have IS NOT NULL"
    eventually(lambda: bool(box.rows(kept)), 40, what="pieces remembered")
    box.kill()
    box.configure(broker.port, EMQX)
    before = len(emqx.fake.seen)
    have = json.loads(box.rows(kept)[0]["have"])["have"]
    box.start()
    eventually(lambda: box.waits() == 0, 40, what="everything confirmed")
    again = {int(t.split("/")[2]) for t in emqx.fake.seen[before:] if t.split("/")[2].isdecimal()}
    assert have
    assert not any(start <= offset < end for offset in again for start, end in have)
    assert sorted(emqx.fake.exported.values()) == box.masters()


# The dialect itself, without a broker -----------------------------------------------------------------------------


class Wall:
    ms = 1_000_000


def dialect(wall: Wall) -> tuple[EmqxFiles, DueFile]:
    files = EmqxFiles("box-1", segments_h=1.0, utc_ms=lambda: wall.ms)
    file = DueFile(fid=FID, path=Path("x.flac"), size=20, sha256="a" * 64, prio=3, attempts=0, init=b"{}")
    files.opened(file, 0.0)
    return files, file


def answered(files: EmqxFiles, topic: str, code: int = 0, why: str = "success") -> FileAck | Later | None:
    payload = json.dumps({"vsn": "0.1", "topic": topic, "packet_id": 1, "reason_code": code, "reason_description": why})
    return files.answer("$file-response/box-1", payload.encode())


def test_pieces_that_are_old_are_not_counted_on() -> None:
    wall = Wall()
    files, file = dialect(wall)
    answered(files, files.chunk(FID, 0, b"x" * 10))
    files.opened(file, 1.0)
    assert answered(files, files.init(FID)) == FileAck(f=FID, state="receiving", have=((0, 10),))
    wall.ms += 3_600_000
    files.opened(file, 2.0)
    assert answered(files, files.init(FID)) == FileAck(f=FID, state="receiving", have=())


def test_an_incomplete_file_goes_again_from_the_beginning_each_time_later() -> None:
    files, _ = dialect(Wall())
    answered(files, files.chunk(FID, 0, b"x" * 20))
    waits = []
    for _ in range(3):
        later = answered(files, f"$file-async/{FID}/fin/20/{'a' * 64}", 0x80, "incomplete")
        assert isinstance(later, Later)
        waits.append(later.wait_s)
    assert waits == [30.0, 60.0, 120.0]
    assert answered(files, files.init(FID)) == FileAck(f=FID, state="receiving", have=())


def test_another_failure_of_the_whole_makes_the_box_look_at_its_own_file() -> None:
    files, _ = dialect(Wall())
    ack = answered(files, f"$file-async/{FID}/fin/20/{'a' * 64}", 0x80, "checksum")
    assert isinstance(ack, FileAck)
    assert ack.rc == RC_RESEND_ALL


def test_a_conflict_rests_this_file_only() -> None:
    files, _ = dialect(Wall())
    assert isinstance(answered(files, files.init(FID), 0x80, "filemeta_conflict"), Later)
    assert answered(files, files.init(FID), 0x80, "timeout") is None, "asked again by itself"


def test_a_refused_piece_is_sent_again() -> None:
    files, _ = dialect(Wall())
    ack = answered(files, files.chunk(FID, 0, b"x" * 10), 0x80, "checksum_mismatch")
    assert isinstance(ack, FileAck)
    assert (ack.rc, ack.have) == (RC_RESEND, ())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"\xff",
        b"{}",
        b'{"topic": 5, "reason_code": 0}',
        b'{"topic": "$file-async", "reason_code": 0}',
        b'{"topic": "$file-async/x/init", "reason_code": "0"}',
        b'{"topic": "other/x/init", "reason_code": 0}',
    ],
)
def test_malformed_answers_are_refused(payload: bytes) -> None:
    files, _ = dialect(Wall())
    with pytest.raises(WireError):
        files.answer("$file-response/box-1", payload)


def test_ids_never_begin_one_another() -> None:
    """EMQX's S3 exporter takes a file for exported when any key begins with its id."""
    from firmware.store.ids import file_id  # noqa: PLC0415

    ids = {file_id(recording=f"r{n}", started_utc_ms=n, sha256=f"{n:064x}") for n in (1, 10, 100)}
    assert {len(each) for each in ids} == {43}
