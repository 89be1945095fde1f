"""Topics and payloads: what is built can be read back, and what a stranger sends is refused with a `WireError`."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import topics, wire
from sync.topics import WireError

FID = "01jd0000000000000000000000-0123456789abcdef"
SHA = "ab" * 32
ALL_TOPICS = [
    topics.Status("oh-abc"),
    topics.HelloTopic("oh-abc"),
    topics.RecordsTopic("oh-abc"),
    topics.InitTopic("oh-abc", FID),
    topics.ChunkTopic("oh-abc", FID, 65536, SHA),
    topics.ChunkTopic("oh-abc", FID, 0, None),
    topics.FinTopic("oh-abc", FID, 480044, SHA),
    topics.FinTopic("oh-abc", FID, 480044, None),
    topics.AbortTopic("oh-abc", FID),
    topics.ReportedTopic("oh-abc"),
    topics.ResultTopic("oh-abc"),
    topics.AckTopic("oh-abc"),
    topics.DesiredTopic("oh-abc"),
    topics.CommandTopic("oh-abc"),
]


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=str)
def test_a_topic_is_read_back(topic: topics.Topic) -> None:
    name = topics.build(topic)
    assert topics.parse(name) == topic
    assert name.count("/") <= 7
    assert len(name) <= 256


@pytest.mark.parametrize(
    "name",
    [
        "",
        "offhook1",
        "offhook1/oh-abc",
        "offhook2/oh-abc/status",
        "offhook1/OH/status",
        "offhook1/a.b/up/hello",
        f"offhook1/oh-abc/up/f/{FID}",
        f"offhook1/oh-abc/up/f/{FID}/fin",
        f"offhook1/oh-abc/up/f/{FID}/007",
        f"offhook1/oh-abc/up/f/{FID}/-1",
        f"offhook1/oh-abc/up/f/{FID}/1/{SHA}/more",
        f"offhook1/oh-abc/up/f/../{FID}/init",
        "offhook1/oh-abc/up/f/call10/init",
        "offhook1/oh-abc/dn/shell",
        "offhook1/" + "a" * 300,
    ],
)
def test_a_strange_topic_is_refused(name: str) -> None:
    with pytest.raises(WireError):
        topics.parse(name)


def test_a_name_that_would_change_the_topic_is_refused() -> None:
    for bad in ("a/b", "+", "#", "", "A", "x" * 41):
        with pytest.raises(WireError):
            topics.build(topics.HelloTopic(bad))


RECORD = wire.Record(
    id="01jd",
    source="offhook/oh-abc",
    type="call.ended",
    time="2026-11-22T04:03:11.120Z",
    epoch="9f",
    seq=1041,
    bootno=17,
    mono="123456789012",
    clock="ntp",
    data={"call_id": "c"},
)
PAYLOADS = [
    wire.StatusMessage(state="ready", sw="0.1.0", boot_no=3, epoch="9f", backlog=wire.Backlog(ev=1, files=2, bytes=3)),
    wire.Hello(epoch="9f", cfg_ver=7, max_seq=1041),
    RECORD,
    wire.Init(name="a.flac", size=480044, checksum=SHA, user_data={"call_id": "c"}),
    wire.Desired(ver=8, document="[box]\n"),
    wire.Reported(ver=8, applied=False, error="box.country: no"),
    wire.Command(id="c1", op="sync.now", not_after_ms=1795321796123),
    wire.Result(id="c1", state="done"),
    wire.CertRequest(id="id-1", csr="-----BEGIN CERTIFICATE REQUEST-----"),
    wire.CertAnswer(id="id-1", state="issued", cert="-----BEGIN CERTIFICATE-----"),
]
ACKS: list[wire.Ack] = [
    wire.HelloAck(srv_ms=1, store="s", batch=True, ev_upto=1030, ev_gaps=((1012, 1013),), cfg_ver=8),
    wire.RecordsAck(epoch="9f", seq=(1039, 1041), upto=1039, rejected=(wire.RejectedRecord(seq=5),)),
    wire.FileAck(f=FID, state="receiving", have=((0, 1048576), (1310720, 1441792))),
    wire.FileAck(f=FID, state="stored", size=480044, sha256=SHA, store="s"),
    wire.FileAck(f=FID, state="rejected", rc=131, desc="too large"),
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_a_payload_is_read_back(payload: wire.Payload) -> None:
    assert wire.parse(wire.build(payload), type(payload)) == payload


@pytest.mark.parametrize("ack", ACKS, ids=str)
def test_an_acknowledgement_is_read_back(ack: wire.Ack) -> None:
    assert wire.parse_ack(wire.build(ack)) == ack


def test_the_acknowledgements_of_the_protocol_are_understood() -> None:
    hello = (
        b'{"t":"hello","srv_ms":1795321796123,"store":"e1","batch":true,"max_chunk":131072,"ev_upto":1030,'
        b'"ev_gaps":[[1012,1013]],"cfg_ver":8,"new":1}'
    )
    assert wire.parse_ack(hello).ev_gaps == ((1012, 1013),)  # type: ignore[union-attr]


def test_one_record_is_an_object_and_several_are_an_array() -> None:
    payload, kind = wire.build_records([RECORD])
    assert kind == wire.RECORD_TYPE
    assert wire.parse_records(payload) == [RECORD]
    payload, kind = wire.build_records([RECORD, RECORD])
    assert kind == wire.BATCH_TYPE
    assert wire.parse_records(payload) == [RECORD, RECORD]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"t":"ev"}',
        b'{"t":"ev","epoch":"e","seq":"all"}',
        b'{"t":"ev","epoch":"e","seq":[1.5]}',
        b'{"t":"ev","epoch":"e","seq":[true]}',
        b'{"t":"f","f":"../../etc/passwd","state":"stored"}',
        b'{"t":"f","f":"%s","state":"purged"}' % FID.encode(),
        b'{"t":"f","f":"%s","state":"receiving","have":[[5,1]]}' % FID.encode(),
        b'{"t":"f","f":"%s","state":"receiving","have":[[-5,1]]}' % FID.encode(),
        b'{"t":"f","f":"%s","state":"stored","size":"12","sha256":"x"}' % FID.encode(),
        b'{"t":["f"]}',
    ],
)
def test_a_malformed_acknowledgement_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        wire.parse_ack(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["hello", "ev", "f"]),
    name=st.sampled_from(
        ["srv_ms", "store", "seq", "epoch", "have", "state", "f", "rc", "ev_gaps", "size", "rejected"]
    ),
    value=JSON,
)
def test_any_field_may_hold_anything(kind: str, name: str, value: object) -> None:
    fields = json.loads(wire.build(next(ack for ack in ACKS if json.loads(wire.build(ack))["t"] == kind)))
    with contextlib.suppress(WireError):  # any other exception fails the test
        wire.parse_ack(json.dumps({**fields, name: value}).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_may_come(payload: bytes) -> None:
    for parse in (wire.parse_ack, wire.parse_records, lambda data: wire.parse(data, wire.Command)):
        with pytest.raises(WireError):
            parse(payload)
