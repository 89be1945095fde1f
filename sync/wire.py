"""What boxes and the cloud say to each other: each payload a frozen type, parsed strictly and built compactly."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, get_args

import attrs
import cattrs
from attrs.validators import ge, in_, instance_of, matches_re, max_len, optional

from sync.topics import FILE, SHA256, WireError

VERSION = 1
MAX_MESSAGE_BYTES = 131_072
"""The largest publish: AWS IoT Core's limit. A broker's CONNACK may set a lower one."""
ENVELOPE_BYTES = 512
"""Kept free in a message for its topic and properties."""
MAX_CHUNK_BYTES = MAX_MESSAGE_BYTES - ENVELOPE_BYTES
MIN_CHUNK_BYTES = 1024
MAX_BATCH = 64
"""Records in one message, where the receiver allows more than one."""

RECORD_TYPE = "application/cloudevents+json; charset=utf-8"
BATCH_TYPE = "application/cloudevents-batch+json; charset=utf-8"
JSON_TYPE = "application/json"
BYTES_TYPE = "application/octet-stream"

# Reason codes of file acknowledgements: those of EMQX's file transfer, which took them from MQTT 5.
RC_OK = 0x00
RC_RESEND_ALL = 0x10
RC_RESEND = 0x80
RC_REJECTED = 0x83
RC_NOT_AUTHORIZED = 0x87
RC_PAUSE = 0x97

CHECKED = "checked"
"""In ``desc`` of a `FileAck`: the file was read again where it lies, because ``up/f/{file}/check`` asked."""

StatusState = Literal["ready", "lost", "disconnected"]
FileState = Literal["receiving", "stored", "rejected"]
ClockTrust = Literal["ntp", "cloud", "guess"]
ResultState = Literal["accepted", "running", "done", "failed", "expired", "unsupported"]

CertState = Literal["issued", "pending", "refused"]
"""``pending``: a person has to agree; the box asks again."""

Range = tuple[int, int]
"""Bytes ``[start, end)`` in ``have``; both ends included in ``ev_gaps``."""

_count: Any = [instance_of(int), ge(0)]
_positive: Any = [instance_of(int), ge(1)]
_text: Any = [instance_of(str), max_len(4096)]
_document: Any = [instance_of(str), max_len(65536)]
_id = matches_re(r"[A-Za-z0-9._:-]{1,80}")


@attrs.frozen(kw_only=True)
class Backlog:
    """What waits for the cloud."""

    ev: int = attrs.field(default=0, validator=_count)
    files: int = attrs.field(default=0, validator=_count)
    bytes: int = attrs.field(default=0, validator=_count)


@attrs.frozen(kw_only=True)
class StatusMessage:
    """Retained on ``status``; the broker publishes the ``lost`` one as the box's will."""

    state: StatusState = attrs.field(validator=in_(get_args(StatusState)))
    sw: str = attrs.field(default="", validator=_text)
    boot_no: int = attrs.field(default=0, validator=_count)
    epoch: str = attrs.field(default="", validator=_text)
    backlog: Backlog = Backlog()


@attrs.frozen(kw_only=True)
class Hello:
    """The first message of a connection."""

    v: int = attrs.field(default=VERSION, validator=_count)
    epoch: str = attrs.field(validator=_id)
    proto: tuple[str, ...] = ("ev", "f")
    cfg_ver: int = attrs.field(default=0, validator=_count)
    max_seq: int = attrs.field(default=0, validator=_count)
    """The highest seq that this epoch has given out."""
    chunk: int = attrs.field(default=65536, validator=_count)


@attrs.frozen(kw_only=True)
class Record:
    """One row of the box's outbox as a CloudEvent (structured mode, specversion 1.0)."""

    id: str = attrs.field(validator=_id)
    source: str = attrs.field(validator=_text)
    type: str = attrs.field(validator=matches_re(r"[a-z0-9_.-]{1,80}"))
    time: str = attrs.field(validator=matches_re(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"))
    epoch: str = attrs.field(validator=_id)
    seq: int = attrs.field(validator=_positive)
    bootno: int = attrs.field(validator=_count)
    mono: str = attrs.field(validator=matches_re(r"\d{1,20}"))
    """CLOCK_BOOTTIME in ns. Text, because a CloudEvents integer has 32 bits."""
    clock: ClockTrust = attrs.field(default="guess", validator=in_(get_args(ClockTrust)))
    data: dict[str, Any] = attrs.field(factory=dict)
    specversion: str = attrs.field(default="1.0", validator=in_(["1.0"]))
    datacontenttype: str = "application/json"


@attrs.frozen(kw_only=True)
class Init:
    """Announces a file and asks which of its bytes the cloud has. The same file always gives the same bytes."""

    name: str = attrs.field(validator=matches_re(r"[^/\x00]{1,200}"))
    size: int = attrs.field(validator=_positive)
    checksum: str = attrs.field(validator=matches_re(SHA256))
    expire_at: int | None = None
    """Unix seconds."""
    segments_ttl: int | None = None
    user_data: dict[str, Any] = attrs.field(factory=dict)
    """``call_id``, ``recording_id``, ``epoch``, ``codec``, ``dur_ms``, ``started_utc_ms``, ``prio``."""


@attrs.frozen(kw_only=True)
class HelloAck:
    """``t`` = ``hello``."""

    srv_ms: int = attrs.field(validator=_count)
    store: str = attrs.field(validator=_id)
    """The receiver's storage epoch: another one says that it was restored or emptied."""
    batch: bool = False
    """More than one record in a message is welcome."""
    max_chunk: int = attrs.field(default=MAX_CHUNK_BYTES, validator=_count)
    ev_upto: int = attrs.field(default=0, validator=_count)
    """Every seq of the box's epoch up to this is durable, but those in ``ev_gaps``."""
    ev_gaps: tuple[Range, ...] = ()
    cfg_ver: int = attrs.field(default=0, validator=_count)


@attrs.frozen(kw_only=True)
class RejectedRecord:
    seq: int = attrs.field(validator=_positive)
    rc: int = RC_REJECTED
    desc: str = attrs.field(default="", validator=_text)


@attrs.frozen(kw_only=True)
class RecordsAck:
    """``t`` = ``ev``: these records are durable. Never sent before fsync and commit."""

    epoch: str = attrs.field(validator=_id)
    seq: tuple[int, ...]
    upto: int = attrs.field(default=0, validator=_count)
    srv_ms: int = attrs.field(default=0, validator=_count)
    rejected: tuple[RejectedRecord, ...] = ()
    """Records that the receiver can never take; the box sets them aside and says so."""


@attrs.frozen(kw_only=True)
class FileAck:
    """``t`` = ``f``: what the cloud has of a file. Cumulative: lost, late and doubled ones do no harm."""

    f: str = attrs.field(validator=matches_re(FILE))
    state: FileState = attrs.field(validator=in_(get_args(FileState)))
    have: tuple[Range, ...] = ()
    rc: int = attrs.field(default=RC_OK, validator=_count)
    size: int | None = None
    sha256: str | None = attrs.field(default=None, validator=optional(matches_re(SHA256)))
    store: str | None = None
    desc: str = attrs.field(default="", validator=_text)
    retry_s: int = attrs.field(default=0, validator=_count)


Ack = HelloAck | RecordsAck | FileAck
_ACKS: dict[str, type[Ack]] = {"hello": HelloAck, "ev": RecordsAck, "f": FileAck}
_ACK_NAMES = {kind: name for name, kind in _ACKS.items()}


@attrs.frozen(kw_only=True)
class Desired:
    """``dn/cfg``: the settings document that the cloud wants in force."""

    ver: int = attrs.field(validator=_positive)
    document: str = attrs.field(validator=_document)


@attrs.frozen(kw_only=True)
class Reported:
    """``up/rep``: what became of the desired settings."""

    ver: int = attrs.field(validator=_count)
    applied: bool
    error: str | None = None
    effective: int = attrs.field(default=0, validator=_count)
    """The box's own version in force."""


@attrs.frozen(kw_only=True)
class Command:
    """``dn/cmd``: something to do once, not after ``not_after_ms``."""

    id: str = attrs.field(validator=_id)
    op: str = attrs.field(validator=matches_re(r"[a-z][a-z0-9_.]{0,39}"))
    args: dict[str, Any] = attrs.field(factory=dict)
    not_after_ms: int = attrs.field(validator=_count)
    ver: int = attrs.field(default=VERSION, validator=_count)


@attrs.frozen(kw_only=True)
class Result:
    """``up/res``: how far a command is."""

    id: str = attrs.field(validator=_id)
    state: ResultState = attrs.field(validator=in_(get_args(ResultState)))
    result: dict[str, Any] = attrs.field(factory=dict)
    error: str | None = None


@attrs.frozen(kw_only=True)
class CertRequest:
    """``up/csr``, or with a claim ``offhook1-prov/{box}/csr``: asks for a certificate of this box's own."""

    v: int = attrs.field(default=VERSION, validator=_count)
    id: str = attrs.field(validator=_id)
    """The same while it is asked again."""
    csr: str = attrs.field(validator=_document)
    """PKCS #10 in PEM; its common name is the box's id."""
    sw: str = attrs.field(default="", validator=_text)


@attrs.frozen(kw_only=True)
class CertAnswer:
    """``dn/cert``, or ``offhook1-prov/{box}/cert``."""

    id: str = attrs.field(validator=_id)
    state: CertState = attrs.field(validator=in_(get_args(CertState)))
    cert: str | None = attrs.field(default=None, validator=optional(_document))
    """PEM, the box's own first, then what is between it and the authority."""
    desc: str = attrs.field(default="", validator=_text)
    retry_s: int = attrs.field(default=0, validator=_count)


Payload = StatusMessage | Hello | Record | Init | Ack | Desired | Reported | Command | Result | CertRequest | CertAnswer
P = TypeVar("P", bound=Payload)


def parse(payload: bytes, kind: type[P]) -> P:
    """``payload`` as ``kind``; unknown fields are left out. Raises `WireError`."""
    return _structure(_object(payload), kind)


def parse_ack(payload: bytes) -> Ack:
    """The acknowledgement in ``payload``. Raises `WireError`, also for a kind it does not know."""
    fields = _object(payload)
    kind = _ACKS.get(str(fields.get("t")))
    if kind is None:
        raise WireError(f'an acknowledgement has "t": {", ".join(_ACKS)}; not {fields.get("t")!r:.40}')
    return _structure(fields, kind)


def parse_records(payload: bytes) -> list[Record]:
    """One record, or an array of at most `MAX_BATCH`. Raises `WireError` when any of them is wrong."""
    document = _json(payload)
    records = document if isinstance(document, list) else [document]
    if not 1 <= len(records) <= MAX_BATCH or not all(isinstance(record, dict) for record in records):
        raise WireError(f"up/ev carries a CloudEvent or an array of 1 to {MAX_BATCH}")
    return [_structure(record, Record) for record in records]


def build(payload: Payload) -> bytes:
    """The bytes to publish: fields in the order of the type, those that are None left out."""
    return _compact(_fields(payload))


def build_records(records: list[Record]) -> tuple[bytes, str]:
    """The payload and its content type: one CloudEvent, or an array of them."""
    if len(records) == 1:
        return build(records[0]), RECORD_TYPE
    return _compact([_fields(record) for record in records]), BATCH_TYPE


def chunk_digest(data: bytes | memoryview) -> str:
    """What stands in a chunk's topic."""
    return hashlib.sha256(data).hexdigest()


def rfc3339(utc_ms: int) -> str:
    """``2026-11-22T04:03:11.120Z``."""
    moment = datetime.fromtimestamp(utc_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_LEFT_OUT = ("desc", "retry_s")
"""Of an acknowledgement, where they say nothing: there is one for each chunk."""


def _fields(payload: Payload) -> dict[str, Any]:
    fields = attrs.asdict(payload, filter=lambda _attribute, value: value is not None)
    if isinstance(payload, FileAck):
        fields = {name: value for name, value in fields.items() if value or name not in _LEFT_OUT}
    name = _ACK_NAMES.get(type(payload))  # type: ignore[arg-type]
    return {"t": name, **fields} if name else fields


def _compact(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON in UTF-8: {error}") from None


def _object(payload: bytes) -> dict[str, Any]:
    document = _json(payload)
    if not isinstance(document, dict):
        raise WireError(f"a payload is a JSON object, not {type(document).__name__}")
    return document


def _structure(fields: dict[str, Any], kind: type[P]) -> P:
    try:
        return _converter.structure(fields, kind)
    except Exception as error:
        # cattrs lets through whatever a validator raised; a stranger's payload must not choose our exceptions.
        why = "; ".join(cattrs.transform_error(error)) if isinstance(error, cattrs.BaseValidationError) else str(error)
        raise WireError(f"{kind.__name__}: {why}"[:500]) from None


def _strictly(kind: type) -> Any:
    def check(value: Any, _kind: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"must be {kind.__name__}, not {value!r:.40}")
        return value

    return check


def _range(value: Any, _kind: Any) -> Range:
    if not isinstance(value, list) or len(value) != 2 or not all(type(end) is int for end in value):
        raise TypeError(f"must be [start, end], not {value!r:.40}")
    start, end = value
    if not 0 <= start <= end:
        raise ValueError(f"must be 0 <= start <= end, not {value!r}")
    return start, end


def _converter_of_ours() -> cattrs.Converter:
    converter = cattrs.Converter()
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _strictly(kind))
    converter.register_structure_hook_func(lambda kind: kind == dict[str, Any], _strictly(dict))
    converter.register_structure_hook_func(lambda kind: kind == Range, _range)
    return converter


_converter = _converter_of_ours()
