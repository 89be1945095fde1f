"""Parses what boxes send, and distrusts it: what does not fit becomes a `Poison`, never an exception."""

from __future__ import annotations

import json
import re

from sync import topics, wire
from sync.receiver.messages import (
    AbortIn,
    CheckIn,
    ChunkIn,
    FinIn,
    HelloIn,
    Inbound,
    InitIn,
    Poison,
    RecordIn,
    RecordsIn,
    RefusedIn,
    ReportIn,
    ResultIn,
    StatusIn,
)
from sync.topics import WireError

MAX_CHUNK_BYTES = 1024 * 1024
"""More than boxes of ours send (`wire.MAX_CHUNK_BYTES`): a broker without AWS's limit may carry larger ones."""

MAX_SEQ = 2**53 - 1
"""Integers above are not the same number in every JSON library (RFC 8259, section 6)."""

_EPOCH = re.compile(r"[A-Za-z0-9._:-]{1,80}")


def parse(topic: str, payload: bytes) -> Inbound:
    """Every pair of topic and payload is something; docs/mqtt.md has the forms."""
    where: topics.Topic | None = None
    try:
        where = topics.parse(topic)
        return _parse(where, payload)
    except WireError as error:
        dev = getattr(where, "dev", None)
        return Poison(topic=topic, reason=str(error), payload=payload, dev=dev, fid=getattr(where, "fid", None))


def _parse(topic: topics.Topic, payload: bytes) -> Inbound:  # noqa: PLR0911  one per kind of topic
    match topic:
        case topics.Status(dev):
            status = wire.parse(payload, wire.StatusMessage) if payload else None
            return StatusIn(dev=dev, status=status, text=_text(payload))
        case topics.HelloTopic(dev):
            return HelloIn(dev=dev, hello=_hello(payload), text=_text(payload))
        case topics.RecordsTopic(dev):
            return _records(dev, payload)
        case topics.InitTopic(dev, fid):
            return _init(dev, fid, payload)
        case topics.ChunkTopic(dev, fid, offset, sha256):
            if not 1 <= len(payload) <= MAX_CHUNK_BYTES:
                raise WireError(f"a chunk of {len(payload)} bytes; 1 to {MAX_CHUNK_BYTES} are taken")
            return ChunkIn(dev=dev, fid=fid, offset=offset, sha256=sha256, data=payload)
        case topics.FinTopic(dev, fid, size, sha256):
            if sha256 is not None:
                _same_content(fid, sha256)
            return FinIn(dev=dev, fid=fid, size=size, sha256=sha256)
        case topics.AbortTopic(dev, fid):
            return AbortIn(dev=dev, fid=fid)
        case topics.CheckTopic(dev, fid):
            return CheckIn(dev=dev, fid=fid)
        case topics.ReportedTopic(dev):
            return ReportIn(dev=dev, reported=wire.parse(payload, wire.Reported), text=_text(payload))
        case topics.ResultTopic(dev):
            return ResultIn(dev=dev, result=wire.parse(payload, wire.Result), text=_text(payload))
    raise WireError(f"boxes do not send {type(topic).__name__}")


def _hello(payload: bytes) -> wire.Hello:
    hello = wire.parse(payload, wire.Hello)
    if hello.v != wire.VERSION:
        raise WireError(f"a hello of version {hello.v}; version {wire.VERSION} is spoken here")
    return hello


def _init(dev: str, fid: str, payload: bytes) -> InitIn:
    init = wire.parse(payload, wire.Init)
    _same_content(fid, init.checksum)
    return InitIn(dev=dev, fid=fid, init=init, text=_text(payload))


def _records(dev: str, payload: bytes) -> RecordsIn:
    """Each element stands for itself: one bad record of a batch must not hold up the others."""
    text = _text(payload)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}"[:200]) from None
    if not isinstance(document, list):
        elements = [(document, text)]
    elif 1 <= len(document) <= wire.MAX_BATCH:
        elements = [(element, json.dumps(element, separators=(",", ":"))) for element in document]
    else:
        raise WireError(f"{len(document)} records in one message; 1 to {wire.MAX_BATCH} are taken")
    records: list[RecordIn] = []
    refused: list[RefusedIn] = []
    for element, element_text in elements:
        try:
            record = wire.parse(element_text.encode(), wire.Record)
            if record.source != f"offhook/{dev}":
                raise WireError(f"the record is of {record.source!r:.80}, and came from {dev}")
            if record.seq > MAX_SEQ:
                raise WireError("seq is above 2^53-1")
            records.append(RecordIn(record=record, text=element_text))
        except WireError as error:
            refused.append(_refused(element, element_text, str(error)))
    return RecordsIn(dev=dev, records=tuple(records), refused=tuple(refused))


def _refused(element: object, text: str, reason: str) -> RefusedIn:
    """With as much of the record's key as is readable."""
    key = element if isinstance(element, dict) else {}
    epoch, seq = key.get("epoch"), key.get("seq")
    if isinstance(epoch, str) and _EPOCH.fullmatch(epoch) and type(seq) is int and 1 <= seq <= MAX_SEQ:
        return RefusedIn(epoch=epoch, seq=seq, reason=reason, text=text)
    return RefusedIn(epoch=None, seq=None, reason=reason, text=text)


def _same_content(fid: str, sha256: str) -> None:
    if not fid.endswith(sha256[:16]):
        raise WireError(f"the file id {fid} belongs to other content than sha256 {sha256}")


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"not UTF-8: {error.reason} at byte {error.start}") from None
