"""What boxes send, as frozen values: everything behind the parser works with these and never with raw payloads."""

from __future__ import annotations

from attrs import frozen

from sync import wire


@frozen(kw_only=True)
class HelloIn:
    """A box has connected."""

    dev: str
    hello: wire.Hello
    text: str


@frozen(kw_only=True)
class RecordIn:
    """One CloudEvent; ``text`` is the JSON as it came, and is what is kept."""

    record: wire.Record
    text: str


@frozen(kw_only=True)
class RefusedIn:
    """An element of a publish that can never be stored; with epoch and seq its box can be told."""

    epoch: str | None
    seq: int | None
    reason: str
    text: str


@frozen(kw_only=True)
class RecordsIn:
    """One publish may carry many."""

    dev: str
    records: tuple[RecordIn, ...]
    refused: tuple[RefusedIn, ...] = ()


@frozen(kw_only=True)
class InitIn:
    """Announces a file, and asks what is held of it."""

    dev: str
    fid: str
    init: wire.Init
    text: str


@frozen(kw_only=True)
class ChunkIn:
    dev: str
    fid: str
    offset: int
    sha256: str | None
    """As its sender computed it; None when the topic has none."""
    data: bytes


@frozen(kw_only=True)
class FinIn:
    """All bytes were sent."""

    dev: str
    fid: str
    size: int
    sha256: str | None


@frozen(kw_only=True)
class AbortIn:
    """The box no longer has the file."""

    dev: str
    fid: str


@frozen(kw_only=True)
class CheckIn:
    """The box wants to know whether a stored file is still the one that came."""

    dev: str
    fid: str


@frozen(kw_only=True)
class StatusIn:
    """The retained state of a box, or its last will; None: its retained state was cleared."""

    dev: str
    status: wire.StatusMessage | None
    text: str


@frozen(kw_only=True)
class ReportIn:
    """What became of the settings that the cloud wished for."""

    dev: str
    reported: wire.Reported
    text: str


@frozen(kw_only=True)
class ResultIn:
    """How far a command has come."""

    dev: str
    result: wire.Result
    text: str


@frozen(kw_only=True)
class Poison:
    """Something that can never be handled. It is put aside with its reason, and stops nobody."""

    topic: str
    reason: str
    payload: bytes
    dev: str | None = None
    fid: str | None = None
    """The file that its box can be told about."""


Inbound = HelloIn | RecordsIn | InitIn | ChunkIn | FinIn | AbortIn | CheckIn | StatusIn | ReportIn | ResultIn | Poison
